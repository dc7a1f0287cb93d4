"""Makes the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the first tables in an empty database."""
    op.create_table(
        "buttons",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("since_utc", INSTANT, nullable=False),
        sa.Column("last_test_utc", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("site", "node", "input", name=op.f("pk_buttons")),
    )
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_utc", sa.Text(), nullable=False),
        sa.Column("heard_utc", INSTANT, nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("incident", sa.Text(), nullable=True),
        sa.Column("input", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("site", "node", "boot", "seq", name=op.f("uq_events_site_node_boot_seq")),
    )
    op.create_index(op.f("ix_events_heard_utc"), "events", ["heard_utc"], unique=False)
    op.create_index(
        op.f("ix_events_site_node_incident"),
        "events",
        ["site", "node", "incident"],
        unique=False,
        sqlite_where=sa.text("incident IS NOT NULL"),
        postgresql_where=sa.text("incident IS NOT NULL"),
    )
    op.create_table(
        "findings",
        sa.Column("id", ID, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("since_utc", INSTANT, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("cleared_utc", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index(op.f("ix_findings_since_utc"), "findings", ["since_utc"], unique=False)
    op.create_index(
        "uq_findings_open",
        "findings",
        ["code", "site", "node", "subject"],
        unique=True,
        sqlite_where=sa.text("cleared_utc IS NULL"),
        postgresql_where=sa.text("cleared_utc IS NULL"),
    )
    op.create_table(
        "flips",
        sa.Column("id", ID, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("at_utc", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flips")),
    )
    op.create_index(op.f("ix_flips_at_utc"), "flips", ["at_utc"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("id", ID, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("alarm_class", sa.Text(), nullable=False),
        sa.Column("raised_utc", INSTANT, nullable=False),
        sa.Column("presses", sa.BigInteger(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("held_utc", INSTANT, nullable=True),
        sa.Column("told_utc", INSTANT, nullable=True),
        sa.Column("told_presses", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_utc", INSTANT, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("reset_utc", INSTANT, nullable=True),
        sa.Column("reset_by", sa.Text(), nullable=True),
        sa.Column("reset_reason", sa.Text(), nullable=True),
        sa.Column("told_steps", sa.Integer(), nullable=False),
        sa.Column("beyond", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("site", "node", "incident", name=op.f("uq_incidents_site_node_incident")),
    )
    op.create_index(
        "ix_incidents_open",
        "incidents",
        ["id"],
        unique=False,
        sqlite_where=sa.text("reset_utc IS NULL"),
        postgresql_where=sa.text("reset_utc IS NULL"),
    )
    op.create_index(op.f("ix_incidents_raised_utc"), "incidents", ["raised_utc"], unique=False)
    op.create_table(
        "nodes",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("since_utc", INSTANT, nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("period_s", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "node", name=op.f("pk_nodes")),
    )
    op.create_table(
        "notices",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at_utc", INSTANT, nullable=False),
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("gather", sa.Boolean(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_at_utc"), "notices", ["at_utc"], unique=False)
    op.create_table(
        "pauses",
        sa.Column("id", ID, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_utc", INSTANT, nullable=False),
        sa.Column("until_utc", INSTANT, nullable=False),
        sa.Column("ended_utc", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pauses")),
        sa.UniqueConstraint("site", "node", "since_utc", name=op.f("uq_pauses_site_node_since_utc")),
    )
    op.create_table(
        "tallies",
        sa.Column("id", ID, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("ranges", sa.JSON(), nullable=False),
        sa.Column("previous_boot", sa.Text(), nullable=False),
        sa.Column("previous_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tallies")),
        sa.UniqueConstraint("site", "node", "boot", name=op.f("uq_tallies_site_node_boot")),
    )
    op.create_table(
        "targets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tested_utc", INSTANT, nullable=True),
        sa.Column("test_passed", sa.Boolean(), nullable=False),
        sa.Column("isolated_by", sa.Text(), nullable=False),
        sa.Column("isolated_until_utc", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_targets")),
    )
    op.create_table(
        "tests",
        sa.Column("id", ID, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("at_utc", INSTANT, nullable=False),
        sa.Column("walk_test", sa.Text(), nullable=False),
        sa.Column("reaction_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tests")),
        sa.UniqueConstraint("site", "node", "boot", "seq", name=op.f("uq_tests_site_node_boot_seq")),
    )
    op.create_index(op.f("ix_tests_at_utc"), "tests", ["at_utc"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_utc", INSTANT, nullable=False),
        sa.Column("used_utc", INSTANT, nullable=True),
        sa.Column("revoked_utc", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
    )
    op.create_index(
        "uq_tokens_valid",
        "tokens",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_utc IS NULL"),
        postgresql_where=sa.text("revoked_utc IS NULL"),
    )
    op.create_table(
        "walk_tests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("nodes", sa.JSON(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("started_utc", INSTANT, nullable=False),
        sa.Column("until_utc", INSTANT, nullable=False),
        sa.Column("ended_utc", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_walk_tests")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.Column("next_try_utc", INSTANT, nullable=True),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_utc", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("done_utc", INSTANT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["notice"], ["notices.key"], name=op.f("fk_deliveries_notice"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("notice", "target", name=op.f("uq_deliveries_notice_target")),
    )
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["target", "attempts", "id"],
        unique=False,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
