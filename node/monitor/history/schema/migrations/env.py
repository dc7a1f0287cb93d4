"""Alembic runs this, on the connection that it is given and within the transaction that is already open there."""

from alembic import context

from node.monitor.history.schema.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
