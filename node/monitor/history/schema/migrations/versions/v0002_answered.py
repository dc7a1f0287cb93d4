"""How many of an incident's presses its acknowledgement knew of; and whose a monitor's findings about itself are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What was acknowledged until now knew of all presses. What a monitor still finds, it finds under its own name."""
    op.add_column("incidents", sa.Column("answered", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE incidents SET answered = presses WHERE acknowledged_utc IS NOT NULL")
    op.execute("UPDATE findings SET cleared_utc = since_utc WHERE site = '' AND node = '' AND cleared_utc IS NULL")
