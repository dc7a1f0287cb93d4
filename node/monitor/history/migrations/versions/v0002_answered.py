"""How many of an incident's presses its acknowledgement knew of: a further one takes it back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What was acknowledged until now knew of all presses."""
    op.add_column("incidents", sa.Column("answered", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE incidents SET answered = presses WHERE acknowledged_utc IS NOT NULL")
