"""Adds how many presses were counted by the newest end of an incident that came too early."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Until now only ``answered`` showed such an end, as long as nobody had acknowledged the incident after it."""
    op.add_column("incidents", sa.Column("ended", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE incidents SET ended = answered WHERE acknowledged_utc IS NULL AND reset_utc IS NULL")
