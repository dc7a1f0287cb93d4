"""Who is there and what doesn't work: links, monitors, and the faults that follow from them.

Rules:

1. A fault is never raised or cleared by hand: ``conditions`` says from the state alone what stands from which
   instant, and the controller compares that with what it has told. So no path through the code can forget to clear one.
2. A monitor counts as heard for 20 s after each of its messages (PROTOCOL.md 4.5: a lost monitor in 20 s).
3. A link is a fault when it has been away for 3 s, or when a heartbeat has not been answered for 5 s: a dead path is
   known in 15 s at the default period. Where it says why no session can begin, that is the fault instead, and at once.
4. A call that is held or told is worth as much as the monitor that says so: once none is heard any more, nobody has it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import NamedTuple

from node.core.disk_stall import STORE_GRACE_S, Stall
from node.core.model import Inhibit, Key, ListedIncident
from node.core.settings import Receipts, Settings
from node.errors import (
    ALARM_FOREIGN,
    BROKER_UNREACHABLE,
    CANARY_SILENT,
    CLOCK_FREE,
    CREDENTIALS_UNUSABLE,
    EXPIRY_LOST,
    FAULTS,
    HEALTH_UNREADABLE,
    INPUT_INHIBITED,
    MESSAGE_TOO_LARGE,
    NO_MONITOR,
    OUTPUT_FAILED,
    PLAIN_TEXT,
    PUBLISH_REFUSED,
    RECORD_FAILED,
    REFUSALS,
    SESSIONS_CUT,
    STOLEN_ID,
    TOO_LARGE,
    WATCHDOG_UNARMED,
    FaultKind,
)

MONITOR_HEARD_S = 20.0
LINK_GRACE_S = 3.0
HEARTBEAT_ANSWER_S = 5.0
CANARY_BACK_S = 4.0
CANARY_EVERY_S = 900.0
CANARY_AGAIN_S = 10.0
"""How soon another canary flies while one is awaited: whoever gives a right back needn't wait for a quarter hour."""
CLOCK_GRACE_S = 60.0
HEALTH_STALE_S = 120.0
STOLEN_SHOWN_S = 60.0
SHORT_SESSION_S = 10.0
SHORT_SESSIONS = 3
SHORT_SESSIONS_S = 60.0
"""So many sessions, each ended by the broker within ``SHORT_SESSION_S`` of its beginning, within so many seconds are no
accident: whoever connects with the same client id or login ends them, and the cable is in order."""

BIRTH_PAUSE_S = 1.0
ALARM_PAUSE_S = 1.0

MONITORS_KEPT = 64
"""How many monitors are kept apart: whoever invents new ones by the second must not fill the memory."""

GONE = ""
"""The boot of a monitor that said goodbye: it runs out like a silent one, and counts as new when it returns."""


class FaultId(NamedTuple):
    """What makes two reports the same fault."""

    code: str
    subject: str


@dataclass(frozen=True, slots=True)
class LinkState:
    """One broker, as the core sees it.

    ``since``: when it went up or down. ``answer_due``, ``canary_due``: deadlines of what was sent; None when nothing is
    awaited. ``canary_again``: when the next canary flies. ``retained_read``: the canary came back, so every retained
    value has come too. ``confirmed``: our own birth was heard on it in this boot. ``alarm_sent``: the list that was
    last published in this session. ``birth_at``: when the birth was last published, ``birth_again``: when it has to
    be once more. ``alarm_answered_at``: when the list was last put back over somebody else's, ``alarm_again``: when it
    has to be once more. ``cut_at``: when the broker ended each of the newest short sessions; ``cut_until``: how long
    that is a fault. ``foreign_until``: how long it is a fault that the topic had alarms that aren't this node's.
    ``refused``: the reason code by topic that the broker refuses to take, ``unheard``: or to tell of. ``packet_limit``:
    how many bytes it takes where that is too few. ``expiry_lost``: the canary came back without its expiry.
    ``problem``: the code of the fault that says why it is down, ``code``: the broker's reason code. ``certificates``:
    when they expire (wall clock), by whose they are; ``credentials_usable``: this node's files for it are in order.
    """

    name: str
    since: float
    session: int = 0
    up: bool = False
    answer_due: float | None = None
    canary_due: float | None = None
    canary_again: float | None = None
    retained_read: bool = False
    confirmed: bool = False
    alarm_sent: tuple[ListedIncident, ...] | None = None
    birth_at: float = -inf
    birth_again: float | None = None
    alarm_answered_at: float = -inf
    alarm_again: float | None = None
    stolen_until: float | None = None
    cut_at: tuple[float, ...] = ()
    cut_until: float | None = None
    foreign_until: float | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    unheard: Mapping[str, int] = field(default_factory=dict)
    packet_limit: int | None = None
    expiry_lost: bool = False
    rtt_s: float | None = None
    problem: str | None = None
    code: int | None = None
    certificates: Mapping[str, float] = field(default_factory=dict)
    credentials_usable: bool = True


@dataclass(frozen=True, slots=True)
class HeardMonitor:
    """A monitor: when it last spoke, and which start of it."""

    at: float
    boot: str


@dataclass(frozen=True, slots=True)
class Supervision:
    """All of it. ``quiet_since`` is from when no monitor counts as heard, None while one does.

    ``health_at``: when the machine's health was last read, None before that began; ``health_faults``: what was found.
    """

    started_at: float
    links: tuple[LinkState, ...]
    monitors: Mapping[str, HeardMonitor] = field(default_factory=dict)
    quiet_since: float | None = None
    outputs_failed: tuple[str, ...] = ()
    record_failed: bool = False
    unstored: Mapping[Key, float] = field(default_factory=dict)
    stall: Stall | None = None
    synchronised: bool | None = None
    health_at: float | None = None
    health_faults: tuple[tuple[FaultKind, str], ...] = ()
    watchdog_unarmed: bool = False
    refused: int = 0
    dropped: int = 0

    def link(self, name: str) -> LinkState:
        """The link of this name; KeyError where there is none."""
        for each in self.links:
            if each.name == name:
                return each
        raise KeyError(name)


def with_link(supervision: Supervision, link: LinkState) -> Supervision:
    """The supervision with this link in the place of its namesake."""
    return replace(supervision, links=tuple(link if each.name == link.name else each for each in supervision.links))


def hear_monitor(supervision: Supervision, name: str, boot: str, at: float, *, alive: bool) -> tuple[Supervision, bool]:
    """A monitor spoke; also tells whether it is one that hadn't been heard, or has started anew."""
    monitors = dict(supervision.monitors)
    known = monitors.get(name)
    if known is None and len(monitors) >= MONITORS_KEPT:
        return supervision, False
    if alive:
        monitors[name] = HeardMonitor(at, boot)
        fresh = known is None or known.boot != boot
        return replace(supervision, monitors=monitors, quiet_since=None), fresh
    if known is not None:
        monitors[name] = HeardMonitor(known.at, GONE)
    return replace(supervision, monitors=monitors), False


def hear_receipt(supervision: Supervision, name: str, at: float) -> Supervision:
    """A monitor gave a receipt: it is heard, though a receipt doesn't tell which start of it gave it."""
    known = supervision.monitors.get(name)
    if known is None and len(supervision.monitors) >= MONITORS_KEPT:
        return supervision
    heard = HeardMonitor(at, GONE if known is None else known.boot)
    return replace(supervision, monitors={**supervision.monitors, name: heard}, quiet_since=None)


def forget_monitors(supervision: Supervision, at: float) -> Supervision:
    """The supervision without the monitors that have been silent for too long."""
    monitors = {name: heard for name, heard in supervision.monitors.items() if at < heard.at + MONITOR_HEARD_S}
    if len(monitors) == len(supervision.monitors):
        return supervision
    quiet_since = supervision.quiet_since if monitors else at
    return replace(supervision, monitors=monitors, quiet_since=quiet_since)


def next_silence(supervision: Supervision) -> float:
    """When the next monitor has been silent for too long; inf without monitors."""
    return min((heard.at + MONITOR_HEARD_S for heard in supervision.monitors.values()), default=inf)


def answer(link: LinkState, topic: str, code: int, at: float) -> LinkState:
    """The link after a PUBACK: the path is alive, and the topic is refused (0x80 and above) or not.

    A message that was too large stays told for the session: what is taken after it is a shorter one.
    """
    refused = dict(link.refused)
    if code >= 0x80:
        refused[topic] = code
    elif refused.get(topic) != TOO_LARGE:
        refused.pop(topic, None)
    rtt_s = link.rtt_s
    if link.answer_due is not None and topic.endswith("/heartbeat"):
        rtt_s = at - (link.answer_due - HEARTBEAT_ANSWER_S)
    return replace(link, answer_due=None, refused=refused, rtt_s=rtt_s)


def cut(link: LinkState, at: float) -> LinkState:
    """The link after the broker has ended its session: cut short again and again, that is a fault for a while."""
    if at - link.since >= SHORT_SESSION_S:
        return link
    cut_at = (*(each for each in link.cut_at if at - each < SHORT_SESSIONS_S), at)[-SHORT_SESSIONS:]
    cut_until = at + SHORT_SESSIONS_S if len(cut_at) == SHORT_SESSIONS else link.cut_until
    return replace(link, cut_at=cut_at, cut_until=cut_until)


def coded(subject: str, code: int) -> str:
    """What a fault is about, and the broker's reason code for it."""
    return f"{subject} (0x{code:02X})"


def conditions(
    settings: Settings, supervision: Supervision, inhibits: tuple[Inhibit, ...]
) -> Iterator[tuple[FaultKind, str, float]]:
    """What is wrong, beside inputs and certificates: (kind, subject, the instant from which it is a fault)."""
    for output in supervision.outputs_failed:
        yield OUTPUT_FAILED, output, -inf
    for link in supervision.links:
        yield from _link_conditions(link, several=len(supervision.links) > 1)
    for name in settings.insecure_links:
        yield PLAIN_TEXT, name, -inf
    if settings.receipts is Receipts.REQUIRED and supervision.quiet_since is not None:
        yield NO_MONITOR, "", supervision.quiet_since
    if supervision.record_failed or supervision.stall is not None:
        yield RECORD_FAILED, "", -inf
    elif supervision.unstored:
        yield RECORD_FAILED, "", next(iter(supervision.unstored.values())) + STORE_GRACE_S
    if supervision.synchronised is False:
        yield CLOCK_FREE, "", supervision.started_at + CLOCK_GRACE_S
    for kind, subject in supervision.health_faults:
        yield kind, subject, -inf
    if supervision.health_at is not None:
        yield HEALTH_UNREADABLE, "health", supervision.health_at + HEALTH_STALE_S
    if supervision.watchdog_unarmed:
        yield WATCHDOG_UNARMED, "", -inf
    for inhibit in inhibits:
        yield INPUT_INHIBITED, inhibit.input, -inf


def _link_conditions(link: LinkState, *, several: bool) -> Iterator[tuple[FaultKind, str, float]]:
    if link.problem is not None:
        yield FAULTS[link.problem], link.name if link.code is None else coded(link.name, link.code), -inf
    elif link.cut_until is not None and link.stolen_until is None:
        yield SESSIONS_CUT, link.name, -inf
    elif not link.up and link.stolen_until is not None:
        pass  # whoever looked at the cable then would look in the wrong place: the stolen id is told below
    elif not link.up:
        yield BROKER_UNREACHABLE, link.name, link.since + LINK_GRACE_S
    elif link.answer_due is not None:
        yield BROKER_UNREACHABLE, link.name, link.answer_due
    if not link.credentials_usable:
        yield CREDENTIALS_UNUSABLE, link.name, -inf
    for topic, code in {**link.refused, **link.unheard}.items():
        subject = f"{topic} on {link.name}" if several else topic
        yield REFUSALS.get(code, PUBLISH_REFUSED), coded(subject, code), -inf
    if link.packet_limit is not None:
        yield MESSAGE_TOO_LARGE, f"{link.name}: {link.packet_limit} bytes", -inf
    if link.expiry_lost:
        yield EXPIRY_LOST, link.name, -inf
    if link.canary_due is not None:
        yield CANARY_SILENT, link.name, link.canary_due
    if link.stolen_until is not None:
        yield STOLEN_ID, link.name, -inf
    if link.foreign_until is not None:
        yield ALARM_FOREIGN, link.name, -inf
