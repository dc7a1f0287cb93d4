"""Adds how many presses the newest end of an incident counted that turned out to be none."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Until now such an end was known only while nobody had acknowledged the incident after it: by ``answered``."""
    op.add_column("incidents", sa.Column("ended", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE incidents SET ended = answered WHERE acknowledged_utc IS NULL AND reset_utc IS NULL")
