"""What Alembic runs: on the connection that it is given, within the transaction that is under way there."""

from alembic import context

from node.monitor.history.schema.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
