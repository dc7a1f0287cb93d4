"""Calls the level of the last called group by its name: told_level."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rename the column. SQLite and PostgreSQL have the same statement for it."""
    op.execute("ALTER TABLE incidents RENAME COLUMN told_steps TO told_level")
