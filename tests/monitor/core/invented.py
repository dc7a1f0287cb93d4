"""What a sender that has a node's login may invent, and what the node itself says."""

from typing import Any

from msgspec.structs import replace

from node.monitor.core.model.records import NoticeKind
from node.protocol.messages import Alarm, Event, OpenIncident
from tests.monitor.core.node_messages import (
    BOOT,
    alarm,
    press,
)
from tests.monitor.core.play import INCIDENT, Play

LATER = "2026-11-25T09:00:00.000Z"


def real(seq: int, presses: int = 1, incident: int | None = None, **fields: Any) -> Event:
    """The node's own event for a press that happens now; no label is the same as what was written before."""
    return replace(press(seq, incident=incident, presses=presses), **{"at_utc": LATER, "age_ms": 1, **fields})


def calls(play: Play, since: int = 0) -> list[tuple[str, bool]]:
    """Incident and whether it is a test of each call that people were told, each key once."""
    return [
        (each.incident, each.test)
        for each in {each.key: each for each in play.all.notices[since:]}.values()
        if each.kind is NoticeKind.ALARM
    ]


def listing(*incidents: OpenIncident, seq: int = 1_000) -> Alarm:
    """A list with these."""
    return replace(alarm((1, "active")), seq=seq, incidents=list(incidents))


def entry(number: int, boot: str = BOOT, **fields: Any) -> OpenIncident:
    """One of a list."""
    (made,) = alarm((number, "active"), boot=boot).incidents
    return replace(made, **fields)


def replace_key(number: int) -> Any:
    """The incident of this number."""
    return INCIDENT._replace(incident=f"{BOOT}-{number}")
