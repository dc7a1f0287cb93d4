"""How a history of an earlier program becomes one of today's: Alembic's environment and versions/."""
