"""Which links and monitors are there, and the faults that follow from links, monitors and the node itself.

Rules:

1. No code raises or clears a fault directly. ``conditions`` derives from the state alone which faults stand from which
   instant, and reconcile.py compares them with the faults that were reported. So no path through the code can forget to
   clear one.
2. A monitor counts as heard for 20 s after each of its messages (PROTOCOL.md 4.5: a lost monitor in 20 s).
3. A link is a fault when it has been down for 3 s, or when a heartbeat hasn't been answered for 5 s: at the default
   period a dead path is known within 15 s. If the link knows why no session can begin, that is the fault instead, and
   it stands at once.
4. *Held* and *told* count only while a monitor is heard. When none is heard any more, the call becomes *nobody*.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from node.core.disk_stall import STORE_GRACE_S, Stall
from node.core.model import Inhibit, Key, ListedIncident
from node.core.settings import Receipts, Settings
from node.errors.faults import (
    ALARM_FOREIGN,
    BROKER_UNREACHABLE,
    CANARY_SILENT,
    CLOCK_FREE,
    CONFIGURATION_REFUSED,
    CONFIGURATION_UNUSABLE,
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
    RECORD_NEWER,
    RESTART_DUE,
    SAFE_MODE,
    SESSIONS_CUT,
    STOLEN_ID,
    WATCHDOG_UNARMED,
    FaultKind,
)
from node.errors.reason_codes import REFUSALS, TOO_LARGE

MONITOR_HEARD_S = 20.0
LINK_GRACE_S = 3.0
HEARTBEAT_ANSWER_S = 5.0
CANARY_BACK_S = 4.0
CANARY_EVERY_S = 900.0
CANARY_AGAIN_S = 10.0
"""How soon the next canary is sent while one is awaited: a mended access right is noticed within seconds."""
CLOCK_GRACE_S = 60.0
HEALTH_STALE_S = 120.0
STOLEN_SHOWN_S = 60.0
SHORT_SESSION_S = 10.0
SHORT_SESSIONS = 3
SHORT_SESSIONS_S = 60.0
"""So many sessions, each ended by the broker within ``SHORT_SESSION_S``, in so many seconds are a fault.

Their cause is another client with the same client id or login, not the cable.
"""

BIRTH_PAUSE_S = 1.0
ALARM_PAUSE_S = 1.0

MONITORS_KEPT = 64
"""How many monitors are tracked: a sender that invents new monitors every second must not fill the memory."""

GONE = ""
"""The boot of a monitor that said goodbye: it times out like a silent one, and counts as new when it returns."""


class FaultId(NamedTuple):
    """The identity of a fault: two reports with the same code and subject are the same fault."""

    code: str
    subject: str


class LinkState(Struct, frozen=True):
    """One broker, as the core sees it.

    ``since``: when it went up or down. ``answer_due``, ``canary_due``: by when a heartbeat must be answered and a
    canary come back; None when none is awaited. ``next_canary_at``: when the next canary is sent. ``retained_read``:
    the canary came back, so every retained value has arrived, too. ``confirmed``: our own birth was heard on this link
    in this boot. ``alarm_sent``: the list that was last published in this session. ``birth_at``: when the birth was
    last published, ``birth_due``: when it has to be published again. ``alarm_answered_at``: when our list was last
    published over somebody else's, ``alarm_due``: when that has to be done again. ``stolen_until``: how long the use of
    our client id by somebody else is a fault. ``cut_at``: when the broker ended each of the newest short sessions,
    ``cut_until``: how long that is a fault. ``foreign_until``: how long it is a fault that our topic had alarms that
    aren't this node's. ``publish_refused``, ``subscribe_refused``: the topics that the broker refuses to take and to
    deliver, with reason codes. ``packet_limit``: how many bytes it takes, if that is too few. ``expiry_lost``: the
    canary came back without its expiry. ``problem``: the code of the fault that says why the link is down, ``code``:
    the broker's reason code. ``certificates``: when they expire (wall clock), by owner. ``credentials_usable``: this
    node's files for the link are in order.
    """

    name: str
    since: float
    session: int = 0
    up: bool = False
    answer_due: float | None = None
    canary_due: float | None = None
    next_canary_at: float | None = None
    retained_read: bool = False
    confirmed: bool = False
    alarm_sent: tuple[ListedIncident, ...] | None = None
    birth_at: float = -inf
    birth_due: float | None = None
    alarm_answered_at: float = -inf
    alarm_due: float | None = None
    stolen_until: float | None = None
    cut_at: tuple[float, ...] = ()
    cut_until: float | None = None
    foreign_until: float | None = None
    publish_refused: Mapping[str, int] = field(default_factory=dict)
    subscribe_refused: Mapping[str, int] = field(default_factory=dict)
    packet_limit: int | None = None
    expiry_lost: bool = False
    rtt_s: float | None = None
    problem: str | None = None
    code: int | None = None
    certificates: Mapping[str, float] = field(default_factory=dict)
    credentials_usable: bool = True


class HeardMonitor(Struct, frozen=True):
    """A monitor: when it last spoke, and in which boot."""

    at: float
    boot: str


class Supervision(Struct, frozen=True):
    """The state of all supervision. ``no_monitor_since``: from when no monitor counts as heard, None while one does.

    ``health_at``: when the machine's health was last read, None before the first reading; ``health_faults``: its
    result. ``configuration_problem``: why node.toml can't be used now. ``brokers_tried``, ``broker_taken_at``: how
    often safe mode has taken the next broker, and when last.
    """

    started_at: float
    links: tuple[LinkState, ...]
    monitors: Mapping[str, HeardMonitor] = field(default_factory=dict)
    no_monitor_since: float | None = None
    outputs_failed: tuple[str, ...] = ()
    record_failed: bool = False
    record_newer: bool = False
    unstored: Mapping[Key, float] = field(default_factory=dict)
    stall: Stall | None = None
    synchronised: bool | None = None
    health_at: float | None = None
    health_faults: tuple[tuple[FaultKind, str], ...] = ()
    watchdog_unarmed: bool = False
    configuration_problem: str = ""
    brokers_tried: int = 0
    broker_taken_at: float = -inf
    refused: int = 0
    dropped: int = 0

    def link(self, name: str) -> LinkState:
        """The link of this name; KeyError where there is none."""
        for each in self.links:
            if each.name == name:
                return each
        raise KeyError(name)


def with_link(supervision: Supervision, link: LinkState) -> Supervision:
    """The supervision with this link instead of the one of the same name."""
    return replace(supervision, links=tuple(link if each.name == link.name else each for each in supervision.links))


def hear_monitor(supervision: Supervision, name: str, boot: str, at: float, *, alive: bool) -> tuple[Supervision, bool]:
    """A monitor spoke. Also returns whether it is fresh: not heard before, or restarted."""
    monitors = dict(supervision.monitors)
    known = monitors.get(name)
    if known is None and len(monitors) >= MONITORS_KEPT:
        return supervision, False
    if alive:
        monitors[name] = HeardMonitor(at, boot)
        fresh = known is None or known.boot != boot
        return replace(supervision, monitors=monitors, no_monitor_since=None), fresh
    if known is not None:
        monitors[name] = HeardMonitor(known.at, GONE)
    return replace(supervision, monitors=monitors), False


def hear_receipt(supervision: Supervision, name: str, at: float) -> Supervision:
    """A monitor gave a receipt, so it counts as heard; but a receipt doesn't name the monitor's boot."""
    known = supervision.monitors.get(name)
    if known is None and len(supervision.monitors) >= MONITORS_KEPT:
        return supervision
    heard = HeardMonitor(at, GONE if known is None else known.boot)
    return replace(supervision, monitors={**supervision.monitors, name: heard}, no_monitor_since=None)


def forget_monitors(supervision: Supervision, at: float) -> Supervision:
    """The supervision without the monitors that have been silent for too long."""
    monitors = {name: heard for name, heard in supervision.monitors.items() if at < heard.at + MONITOR_HEARD_S}
    if len(monitors) == len(supervision.monitors):
        return supervision
    no_monitor_since = supervision.no_monitor_since if monitors else at
    return replace(supervision, monitors=monitors, no_monitor_since=no_monitor_since)


def next_silence(supervision: Supervision) -> float:
    """When the next monitor has been silent for too long; inf without monitors."""
    return min((heard.at + MONITOR_HEARD_S for heard in supervision.monitors.values()), default=inf)


def publish_answered(link: LinkState, topic: str, code: int, at: float) -> LinkState:
    """The link after a PUBACK: the path works, and the topic is refused (0x80 and above) or not.

    After "too large" the topic stays refused for the session: a message that is taken later is only a shorter one.
    """
    refused = dict(link.publish_refused)
    if code >= 0x80:
        refused[topic] = code
    elif refused.get(topic) != TOO_LARGE:
        refused.pop(topic, None)
    rtt_s = link.rtt_s
    if link.answer_due is not None and topic.endswith("/heartbeat"):
        rtt_s = at - (link.answer_due - HEARTBEAT_ANSWER_S)
    return replace(link, answer_due=None, publish_refused=refused, rtt_s=rtt_s)


def session_cut(link: LinkState, at: float) -> LinkState:
    """The link after the broker ended its session; several short sessions in a row are a fault for a while."""
    if at - link.since >= SHORT_SESSION_S:
        return link
    cut_at = (*(each for each in link.cut_at if at - each < SHORT_SESSIONS_S), at)[-SHORT_SESSIONS:]
    cut_until = at + SHORT_SESSIONS_S if len(cut_at) == SHORT_SESSIONS else link.cut_until
    return replace(link, cut_at=cut_at, cut_until=cut_until)


def with_code(subject: str, code: int) -> str:
    """The subject of a fault, together with the broker's reason code."""
    return f"{subject} (0x{code:02X})"


def conditions(
    settings: Settings, supervision: Supervision, inhibits: tuple[Inhibit, ...]
) -> Iterator[tuple[FaultKind, str, float]]:
    """What is wrong, besides inputs and certificates: (kind, subject, the instant from which it is a fault)."""
    for output in supervision.outputs_failed:
        yield OUTPUT_FAILED, output, -inf
    for link in supervision.links:
        yield from _link_conditions(link, several=len(supervision.links) > 1)
    for name in settings.insecure_links:
        yield PLAIN_TEXT, name, -inf
    if settings.receipts is Receipts.REQUIRED and supervision.no_monitor_since is not None:
        yield NO_MONITOR, "", supervision.no_monitor_since
    if supervision.record_newer:
        yield RECORD_NEWER, "", -inf
    elif supervision.record_failed or supervision.stall is not None:
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
    if settings.safe_mode:
        yield SAFE_MODE, "", -inf
    if settings.restart_due:
        yield RESTART_DUE, settings.restart_due, -inf
    if settings.refused:
        yield CONFIGURATION_REFUSED, settings.refused, -inf
    elif supervision.configuration_problem:
        yield CONFIGURATION_UNUSABLE, "", -inf
    for inhibit in inhibits:
        yield INPUT_INHIBITED, inhibit.input, -inf


def _link_conditions(link: LinkState, *, several: bool) -> Iterator[tuple[FaultKind, str, float]]:
    if link.problem is not None:
        yield FAULTS[link.problem], link.name if link.code is None else with_code(link.name, link.code), -inf
    elif link.cut_until is not None and link.stolen_until is None:
        yield SESSIONS_CUT, link.name, -inf
    elif not link.up and link.stolen_until is not None:
        pass  # the cause is the stolen id, reported below: "unreachable" would send people to the cable
    elif not link.up:
        yield BROKER_UNREACHABLE, link.name, link.since + LINK_GRACE_S
    elif link.answer_due is not None:
        yield BROKER_UNREACHABLE, link.name, link.answer_due
    if not link.credentials_usable:
        yield CREDENTIALS_UNUSABLE, link.name, -inf
    for topic, code in {**link.publish_refused, **link.subscribe_refused}.items():
        subject = f"{topic} on {link.name}" if several else topic
        yield REFUSALS.get(code, PUBLISH_REFUSED), with_code(subject, code), -inf
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
