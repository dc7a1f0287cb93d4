"""The history's tables as they are now. migrations/ makes them, and a test keeps the two equal.

Columns are named like the fields of the records (rows.py). Tables that are read page by page have an ``id`` that grows.
Where two rows must not exist at the same time, the database itself refuses the second.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from node.monitor.history.schema.rows import in_utc

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC on each database. SQLite keeps it without its zone. A naive instant is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The value as the database keeps it."""
        if value is None:
            return None
        instant = in_utc(value)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The value as an aware instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _id() -> Column[int]:
    # SQLite gives out numbers by itself only for a column of type INTEGER.
    return Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _instant(name: str) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=False)


def _later(name: str, kind: Any = Text) -> Column[Any]:
    """A column that is empty until something happens later."""
    return Column(name, kind, nullable=True)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


events = Table(
    "events",
    metadata,
    _id(),
    _text("site"),
    _text("node"),
    _text("boot"),
    Column("seq", BigInteger, nullable=False),
    _text("kind"),
    _text("at_utc"),
    _instant("heard_utc"),
    Column("urgent", Boolean, nullable=False),
    _later("incident"),
    _later("input"),
    _text("body"),
    UniqueConstraint("site", "node", "boot", "seq"),
    Index(None, "heard_utc"),
    Index(None, "site", "node", "incident", **_where("incident IS NOT NULL")),
)

tallies = Table(
    "tallies",
    metadata,
    _id(),
    _text("site"),
    _text("node"),
    _text("boot"),
    Column("ranges", JSON, nullable=False),
    _text("previous_boot"),
    Column("previous_seq", BigInteger, nullable=False),
    UniqueConstraint("site", "node", "boot"),
)

nodes = Table(
    "nodes",
    metadata,
    _text("site", key=True),
    _text("node", key=True),
    _text("status"),
    _instant("since_utc"),
    _text("boot"),
    Column("period_s", Float, nullable=False),
    _text("reason"),
)

flips = Table(
    "flips",
    metadata,
    _id(),
    _text("site"),
    _text("node"),
    _text("before"),
    _text("after"),
    _instant("at_utc"),
    _text("reason"),
    Index(None, "at_utc"),
)

incidents = Table(
    "incidents",
    metadata,
    _id(),
    _text("site"),
    _text("node"),
    _text("incident"),
    _text("input"),
    _text("alarm_class"),
    _instant("raised_utc"),
    Column("presses", BigInteger, nullable=False),
    Column("test", Boolean, nullable=False),
    _later("held_utc", UtcDateTime),
    _later("told_utc", UtcDateTime),
    Column("told_presses", BigInteger, nullable=False),
    _later("acknowledged_utc", UtcDateTime),
    _later("acknowledged_by"),
    Column("answered", BigInteger, nullable=False),
    _later("reset_utc", UtcDateTime),
    _later("reset_by"),
    _later("reset_reason"),
    Column("told_level", Integer, nullable=False),
    Column("beyond", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
    UniqueConstraint("site", "node", "incident"),
    Index(None, "raised_utc"),
    Index("ix_incidents_open", "id", **_where("reset_utc IS NULL")),
)

findings = Table(
    "findings",
    metadata,
    _id(),
    _text("code"),
    _text("site"),
    _text("node"),
    _text("subject"),
    _text("severity"),
    _instant("since_utc"),
    _later("count", BigInteger),
    _text("detail"),
    _later("cleared_utc", UtcDateTime),
    Index("uq_findings_open", "code", "site", "node", "subject", unique=True, **_where("cleared_utc IS NULL")),
    Index(None, "since_utc"),
)

pauses = Table(
    "pauses",
    metadata,
    _id(),
    _text("site"),
    _text("node"),
    _text("by"),
    _text("reason"),
    _instant("since_utc"),
    _instant("until_utc"),
    _later("ended_utc", UtcDateTime),
    UniqueConstraint("site", "node", "since_utc"),
)

walk_tests = Table(
    "walk_tests",
    metadata,
    _text("id", key=True),
    _text("site"),
    Column("nodes", JSON, nullable=False),
    _text("by"),
    _instant("started_utc"),
    _instant("until_utc"),
    _later("ended_utc", UtcDateTime),
)

tests = Table(
    "tests",
    metadata,
    _id(),
    _text("site"),
    _text("node"),
    _text("boot"),
    Column("seq", BigInteger, nullable=False),
    _text("input"),
    _instant("at_utc"),
    _text("walk_test"),
    _later("reaction_s", Float),
    UniqueConstraint("site", "node", "boot", "seq"),
    Index(None, "at_utc"),
)

buttons = Table(
    "buttons",
    metadata,
    _text("site", key=True),
    _text("node", key=True),
    _text("input", key=True),
    _instant("since_utc"),
    _later("last_test_utc", UtcDateTime),
)

targets = Table(
    "targets",
    metadata,
    _text("name", key=True),
    _later("tested_utc", UtcDateTime),
    Column("test_passed", Boolean, nullable=False),
    _text("isolated_by"),
    _later("isolated_until_utc", UtcDateTime),
)

notices = Table(
    "notices",
    metadata,
    _text("key", key=True),
    _text("kind"),
    _text("site"),
    _text("node"),
    _instant("at_utc"),
    _text("incident"),
    _text("code"),
    Column("gather", Boolean, nullable=False),
    Column("urgency", Integer, nullable=False),
    _text("body"),
    Index(None, "at_utc"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    Column("notice", Text, ForeignKey("notices.key", ondelete="CASCADE"), nullable=False),
    _text("target"),
    Column("attempts", Integer, nullable=False),
    Column("uncertain", Boolean, nullable=False),
    _later("next_try_utc", UtcDateTime),
    _later("claim"),
    _later("claimed_by"),
    _later("claimed_utc", UtcDateTime),
    _later("outcome"),
    _later("done_utc", UtcDateTime),
    _text("reason"),
    UniqueConstraint("notice", "target"),
    Index("ix_deliveries_open", "target", "attempts", "id", **_where("outcome IS NULL")),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _text("name"),
    _text("role"),
    _text("sha256"),
    _instant("created_utc"),
    _later("used_utc", UtcDateTime),
    _later("revoked_utc", UtcDateTime),
    UniqueConstraint("sha256"),
    Index("uq_tokens_valid", "name", unique=True, **_where("revoked_utc IS NULL")),
)
