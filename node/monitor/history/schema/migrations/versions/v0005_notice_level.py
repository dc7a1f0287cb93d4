"""Calls the level of a stored notice by its name: level."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Rename it in the JSON. A quotation mark within a text has a backslash, so only the field's name is found."""
    op.execute("""UPDATE notices SET body = replace(body, '"step":', '"level":')""")
