"""Adds how many presses of an incident its acknowledgement knew of, and which monitor has a finding about itself."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Count all presses of acknowledged incidents as answered. Clear the monitors' findings about themselves.

    A monitor that still has such a finding raises it again, with its own name in it.
    """
    op.add_column("incidents", sa.Column("answered", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE incidents SET answered = presses WHERE acknowledged_utc IS NOT NULL")
    op.execute("UPDATE findings SET cleared_utc = since_utc WHERE site = '' AND node = '' AND cleared_utc IS NULL")
