"""Records as a history keeps them, with whatever a test doesn't care about filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from node.core.settings import AlarmClass
from node.errors.severity import Severity
from node.monitor.core.model.records import (
    EventKey,
    Finding,
    FindingKey,
    Flip,
    HeardEvent,
    IncidentKey,
    IncidentRecord,
    NodeKey,
    NodeRecord,
    Notice,
    NoticeKind,
    Status,
)

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ROOM = NodeKey("mitte", "room-1")
BOOT = "0a1b2c3d"


def at(seconds: float = 0.0, *, days: float = 0.0) -> datetime:
    """An instant, by its distance from the START of the story."""
    return START + timedelta(days=days, seconds=seconds)


class TurnedClock:
    """Says START until a test turns or sets it."""

    def __init__(self) -> None:
        self._now = START
        self._passed_s = 0.0

    def __call__(self) -> datetime:
        """What it says."""
        return self._now

    def steady(self) -> float:
        """What the monotonic clock of a process says."""
        return self._passed_s

    def turn(self, by_s: float) -> None:
        """So much time passes."""
        self._passed_s += by_s
        self._now += timedelta(seconds=by_s)

    def set(self, by_s: float) -> None:
        """Somebody sets it forward, or back; no time passes."""
        self._now += timedelta(seconds=by_s)


def event(seq: int = 1, **given: Any) -> HeardEvent:
    """An event of ROOM."""
    node: NodeKey = given.pop("node", ROOM)
    values: dict[str, Any] = {
        "key": EventKey(node.site, node.node, given.pop("boot", BOOT), seq),
        "kind": "pressed",
        "at_utc": "2026-03-01T08:00:00.000Z",
        "heard_utc": at(),
        "urgent": False,
        "body": '{"v":1}',
    }
    return HeardEvent(**values | given)


def incident(seq: int = 1, **given: Any) -> IncidentRecord:
    """An incident of ROOM."""
    node: NodeKey = given.pop("node", ROOM)
    values: dict[str, Any] = {
        "key": IncidentKey(node.site, node.node, f"{BOOT}-{seq}"),
        "input": "button",
        "alarm_class": AlarmClass.THREAT,
        "raised_utc": at(),
    }
    return IncidentRecord(**values | given)


def record(node: NodeKey = ROOM, status: Status = Status.UP, **given: Any) -> NodeRecord:
    """A node as a restart must know it."""
    values: dict[str, Any] = {"node": node, "status": status, "since_utc": at(), "boot": BOOT}
    return NodeRecord(**values | given)


def flip(before: Status, after: Status, node: NodeKey = ROOM, **given: Any) -> Flip:
    """A flip of a node."""
    values: dict[str, Any] = {"node": node, "before": before, "after": after, "at_utc": at()}
    return Flip(**values | given)


def finding(code: str = "M001", node: NodeKey = ROOM, **given: Any) -> Finding:
    """A finding about a node."""
    values: dict[str, Any] = {
        "key": FindingKey(code, *node, given.pop("subject", "")),
        "severity": Severity.CRITICAL,
        "since_utc": at(),
    }
    return Finding(**values | given)


def told(about: Finding, kind: NoticeKind = NoticeKind.FINDING, **given: Any) -> Notice:
    """The notice about a finding."""
    values: dict[str, Any] = {
        "key": f"{kind}:{about.key}:{about.since_utc:%f}",
        "kind": kind,
        "site": about.key.site,
        "node": about.key.node,
        "at_utc": at(),
        "finding": about.key,
        "severity": about.severity,
        "gather": True,
    }
    return Notice(**values | given)


def alarm(key: str = "alarm:1", **given: Any) -> Notice:
    """The notice about an alarm of ROOM."""
    values: dict[str, Any] = {
        "key": key,
        "kind": NoticeKind.ALARM,
        "site": ROOM.site,
        "node": ROOM.node,
        "at_utc": at(),
        "alarm_class": AlarmClass.THREAT,
        "incident": f"{BOOT}-1",
    }
    return Notice(**values | given)
