"""What can happen: frozen, in the past tense, each with ``at`` (monotonic seconds).

The thread that puts an event on the queue says when it happened; neither this module nor the controller reads a clock.
``link`` is a broker's name, ``session`` counts the connections of this boot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from node.core.model import Key, KeyRange, ListedIncident, Restored
from node.core.settings import Settings
from node.errors.faults import FaultKind


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events: ``at`` is CLOCK_MONOTONIC in seconds."""

    at: float


@dataclass(frozen=True, slots=True)
class EdgeSeen(Event):
    """A line (a pin of an input) changed; ``at`` is the edge's own time stamp, ``high`` the level after it."""

    line: str
    high: bool


@dataclass(frozen=True, slots=True)
class EdgesDropped(Event):
    """A line changed so often that ``count`` of its edges were dropped unread; the sampler still reads the line.

    It comes before the next ``EdgeSeen`` of the line, or before the next ``LevelsRead``.
    """

    line: str
    count: int


@dataclass(frozen=True, slots=True)
class EdgesLost(Event):
    """The kernel dropped ``count`` edges of a line before they were read: its numbers have a gap of that size.

    It comes before the ``EdgeSeen`` that has shown the gap.
    """

    line: str
    count: int


@dataclass(frozen=True, slots=True)
class LevelsRead(Event):
    """The sampler read every line: electrical level by name, None if the pin couldn't be read.

    Each line was read at some instant from ``at`` to ``until`` (None: at ``at``), because a thread can be held up at
    any time.
    """

    levels: Mapping[str, bool | None]
    until: float | None = None


@dataclass(frozen=True, slots=True)
class OutputFailed(Event):
    """A pin couldn't be driven; ``output`` is "buzzer" or "lamp"."""

    output: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutputRecovered(Event):
    """The same pin can be driven again."""

    output: str


@dataclass(frozen=True, slots=True)
class TimePassed(Event):
    """An instant that ``controller.next_deadline`` asked for has come. A stale one changes nothing."""


@dataclass(frozen=True, slots=True)
class ClockRead(Event):
    """Wall clock minus monotonic clock, in seconds; ``synchronised`` is None if the machine can't tell."""

    utc_offset: float
    synchronised: bool | None


@dataclass(frozen=True, slots=True)
class HealthRead(Event):
    """The machine's health was read: all that is wrong with it now, as (kind, subject). The first one is due at once.

    It is also a sign of life: if the next one doesn't come, the readings hang.
    """

    faults: tuple[tuple[FaultKind, str], ...]


@dataclass(frozen=True, slots=True)
class ConfigurationSeen(Event):
    """node.toml was looked at: why it can't be used now, "" if it can."""

    problem: str


@dataclass(frozen=True, slots=True)
class ReloadRequested(Event):
    """Somebody wants node.toml to be read again."""


@dataclass(frozen=True, slots=True)
class ConfigurationRead(Event):
    """node.toml was read because somebody wanted it.

    ``problem``: why it can't be used; then ``settings`` is None, and so it is if there is nothing to change.
    ``brokers``: what the shell has to know of the links in ``settings``; the core passes it on.
    """

    problem: str
    settings: Settings | None = None
    brokers: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class StopRequested(Event):
    """The service is asked to end; ``back_in_s`` is how long it will be away, None if that isn't known."""

    reason: str
    back_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class RecordLoaded(Event):
    """The record was opened; ``restored`` is what it remembers."""

    restored: Restored


@dataclass(frozen=True, slots=True)
class RecordFailed(Event):
    """The record can't be opened or written at the moment; its thread keeps trying.

    ``newer``: because a newer version of the program has written it.
    """

    reason: str
    newer: bool = False


@dataclass(frozen=True, slots=True)
class RecordRecovered(Event):
    """The record can be written again, and now holds what was kept in memory for it."""


@dataclass(frozen=True, slots=True)
class EventsStored(Event):
    """These events are on the disk, synced; ``keys`` is empty if only a snapshot was written."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class BacklogRead(Event):
    """Unreceipted events read back from the record, alarms first; ``more``: the record holds others."""

    entries: tuple[tuple[Key, bool], ...]
    more: bool


@dataclass(frozen=True, slots=True)
class EvictionDue(Event):
    """The record has reached its size limit and proposes which telemetry to delete.

    The record deletes it when it stores the event that names it.
    """

    ranges: tuple[KeyRange, ...]


@dataclass(frozen=True, slots=True)
class WatchdogRead(Event):
    """Whether the hardware watchdog that this installation relies on is armed."""

    armed: bool


@dataclass(frozen=True, slots=True)
class LinkUp(Event):
    """A broker answered CONNACK and SUBACK: from now on this session can publish.

    ``packet_limit``: how many bytes a packet may have, if that is less than this link needs. ``refused``: the topics
    (filters) that the broker refused to subscribe, with its reason codes.
    """

    link: str
    session: int
    packet_limit: int | None = None
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkDown(Event):
    """The session ended, or couldn't begin; ``taken_over``: the broker said 0x8E (same client id).

    ``problem``: the code of the fault that says why no session can begin, None if the reason isn't known.
    ``by_broker``: the broker's side ended a session that was up, and the node hadn't given it up. ``code``: the
    broker's reason code, if it gave one.
    """

    link: str
    session: int
    reason: str
    taken_over: bool = False
    problem: str | None = None
    by_broker: bool = False
    code: int | None = None


@dataclass(frozen=True, slots=True)
class CredentialsSeen(Event):
    """What is now known of a link's and its broker's certificates and files; it replaces what was known before.

    ``ends_utc``: when certificates expire (wall clock, seconds), by owner: "node", "authority" or "broker". ``usable``:
    this node's files are in order. If they aren't, the link goes on using what they last held, as long as it works.
    """

    link: str
    ends_utc: Mapping[str, float]
    usable: bool


@dataclass(frozen=True, slots=True)
class PublishAnswered(Event):
    """PUBACK. ``code`` is MQTT 5's reason code; ``key`` names the event, None for other messages."""

    link: str
    session: int
    topic: str
    code: int
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class StateHeard(Event):
    """A message on the node's own ``state`` topic: somebody's birth, will or goodbye under our name.

    Without ``boot``: the topic was deleted, or somebody wrote something unreadable.
    """

    link: str
    boot: str
    session: int
    state: str
    retained: bool


@dataclass(frozen=True, slots=True)
class AlarmHeard(Event):
    """A message on the node's own ``alarm`` topic.

    Without ``boot``: the topic was deleted, or somebody wrote something unreadable.
    """

    link: str
    boot: str
    incidents: tuple[ListedIncident, ...]
    retained: bool


@dataclass(frozen=True, slots=True)
class CanaryHeard(Event):
    """The node's own canary came back; ``expiring``: it still has the expiry that it was sent with."""

    link: str
    boot: str
    session: int
    expiring: bool = True


@dataclass(frozen=True, slots=True)
class ReceiptHeard(Event):
    """A monitor's receipt for the event ``key``: "held" (the monitor stored it) or "told" (a channel took its call)."""

    link: str
    monitor: str
    key: Key
    kind: Literal["held", "told"]


@dataclass(frozen=True, slots=True)
class MonitorHeard(Event):
    """A monitor's heartbeat or state; ``alive`` is False for a goodbye or a will.

    ``birth``: it has just connected, so it may have missed messages that were sent before.
    """

    link: str
    monitor: str
    boot: str
    alive: bool
    birth: bool = False


@dataclass(frozen=True, slots=True)
class CommandHeard(Event):
    """A command as it arrived. ``expiry_s`` is MQTT's message expiry, None if it had none.

    ``arguments`` holds what the action needs, already typed by decode.py; ``malformed`` says what is wrong with the
    command.
    """

    link: str
    id: str
    boot: str
    action: str
    by: str
    ttl_s: float
    expiry_s: float | None
    retained: bool
    arguments: Mapping[str, Any] = field(default_factory=dict)
    malformed: str | None = None


TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class MessagesDropped(Event):
    """This link dropped ``count`` messages: ``TOO_MANY`` were waiting to be decided, or they were unreadable."""

    link: str
    count: int
    reason: str
