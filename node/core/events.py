"""What can happen: frozen, in the past tense, each with ``at`` (monotonic seconds).

The thread that puts an event on the queue says when it happened; neither this module nor the controller reads a clock.
``link`` is a broker's name, ``session`` counts the connections of this boot.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from node.core.model import Key, KeyRange, ListedIncident, Restored
from node.core.settings import Settings
from node.errors.faults import FaultKind


class Event(Struct, frozen=True):
    """The base of all events: ``at`` is CLOCK_MONOTONIC in seconds."""

    at: float


class EdgeSeen(Event, frozen=True):
    """A line (a pin of an input) changed; ``at`` is the edge's own time stamp, ``high`` the level after it."""

    line: str
    high: bool


class EdgesDropped(Event, frozen=True):
    """A line changed so often that ``count`` of its edges were dropped unread; the sampler still reads the line.

    It comes before the next ``EdgeSeen`` of the line, or before the next ``LevelsRead``.
    """

    line: str
    count: int


class EdgesLost(Event, frozen=True):
    """The kernel dropped ``count`` edges of a line before they were read: its numbers have a gap of that size.

    It comes before the ``EdgeSeen`` that has shown the gap.
    """

    line: str
    count: int


class LevelsRead(Event, frozen=True):
    """The sampler read every line: electrical level by name, None if the pin couldn't be read.

    Each line was read at some instant from ``at`` to ``until`` (None: at ``at``), because a thread can be held up at
    any time.
    """

    levels: Mapping[str, bool | None]
    until: float | None = None


class OutputFailed(Event, frozen=True):
    """A pin couldn't be driven; ``output`` is "buzzer" or "lamp"."""

    output: str
    reason: str


class OutputRecovered(Event, frozen=True):
    """The same pin can be driven again."""

    output: str


class TimePassed(Event, frozen=True):
    """An instant that ``controller.next_deadline`` asked for has come. A stale one changes nothing."""


class ClockRead(Event, frozen=True):
    """Wall clock minus monotonic clock, in seconds; ``synchronised`` is None if the machine can't tell."""

    utc_offset: float
    synchronised: bool | None


class HealthRead(Event, frozen=True):
    """The machine's health was read: all that is wrong with it now, as (kind, subject). The first one is due at once.

    It is also a sign of life: if the next one doesn't come, the readings hang.
    """

    faults: tuple[tuple[FaultKind, str], ...]


class ConfigurationSeen(Event, frozen=True):
    """node.toml was looked at: why it can't be used now, "" if it can."""

    problem: str


class ReloadRequested(Event, frozen=True):
    """Somebody wants node.toml to be read again."""


class ConfigurationRead(Event, frozen=True):
    """node.toml was read because somebody wanted it.

    ``problem``: why it can't be used; then ``settings`` is None, and so it is if there is nothing to change.
    ``brokers``: what the shell has to know of the links in ``settings``; the core passes it on.
    """

    problem: str
    settings: Settings | None = None
    brokers: tuple[Any, ...] = ()


class StopRequested(Event, frozen=True):
    """The service is asked to end; ``back_in_s`` is how long it will be away, None if that isn't known."""

    reason: str
    back_in_s: float | None = None


class RecordLoaded(Event, frozen=True):
    """The record was opened; ``restored`` is what it remembers."""

    restored: Restored


class RecordFailed(Event, frozen=True):
    """The record can't be opened or written at the moment; its thread keeps trying.

    ``newer``: because a newer version of the program has written it.
    """

    reason: str
    newer: bool = False


class RecordRecovered(Event, frozen=True):
    """The record can be written again, and now holds what was kept in memory for it."""


class EventsStored(Event, frozen=True):
    """These events are on the disk, synced; ``keys`` is empty if only a snapshot was written."""

    keys: tuple[Key, ...]


class BacklogRead(Event, frozen=True):
    """Unreceipted events read back from the record, alarms first; ``more``: the record holds others."""

    entries: tuple[tuple[Key, bool], ...]
    more: bool


class EvictionDue(Event, frozen=True):
    """The record has reached its size limit and proposes which telemetry to delete.

    The record deletes it when it stores the event that names it.
    """

    ranges: tuple[KeyRange, ...]


class WatchdogRead(Event, frozen=True):
    """Whether the hardware watchdog that this installation relies on is armed."""

    armed: bool


class LinkUp(Event, frozen=True):
    """A broker answered CONNACK and SUBACK: from now on this session can publish.

    ``packet_limit``: how many bytes a packet may have, if that is less than this link needs. ``refused``: the topics
    (filters) that the broker refused to subscribe, with its reason codes.
    """

    link: str
    session: int
    packet_limit: int | None = None
    refused: Mapping[str, int] = field(default_factory=dict)


class LinkDown(Event, frozen=True):
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


class CredentialsSeen(Event, frozen=True):
    """What is now known of a link's and its broker's certificates and files; it replaces what was known before.

    ``ends_utc``: when certificates expire (wall clock, seconds), by owner: "node", "authority" or "broker". ``usable``:
    this node's files are in order. If they aren't, the link goes on using what they last held, as long as it works.
    """

    link: str
    ends_utc: Mapping[str, float]
    usable: bool


class PublishAnswered(Event, frozen=True):
    """PUBACK. ``code`` is MQTT 5's reason code; ``key`` names the event, None for other messages."""

    link: str
    session: int
    topic: str
    code: int
    key: Key | None = None


class StateHeard(Event, frozen=True):
    """A message on the node's own ``state`` topic: somebody's birth, will or goodbye under our name.

    Without ``boot``: the topic was deleted, or somebody wrote something unreadable.
    """

    link: str
    boot: str
    session: int
    state: str
    retained: bool


class AlarmHeard(Event, frozen=True):
    """A message on the node's own ``alarm`` topic.

    Without ``boot``: the topic was deleted, or somebody wrote something unreadable.
    """

    link: str
    boot: str
    incidents: tuple[ListedIncident, ...]
    retained: bool


class CanaryHeard(Event, frozen=True):
    """The node's own canary came back; ``expiring``: it still has the expiry that it was sent with."""

    link: str
    boot: str
    session: int
    expiring: bool = True


class ReceiptHeard(Event, frozen=True):
    """A monitor's receipt for the event ``key``: "held" (the monitor stored it) or "told" (a channel took its call)."""

    link: str
    monitor: str
    key: Key
    kind: Literal["held", "told"]


class MonitorHeard(Event, frozen=True):
    """A monitor's heartbeat or state; ``alive`` is False for a goodbye or a will.

    ``birth``: it has just connected, so it may have missed messages that were sent before.
    """

    link: str
    monitor: str
    boot: str
    alive: bool
    birth: bool = False


class CommandHeard(Event, frozen=True):
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


class MessagesDropped(Event, frozen=True):
    """This link dropped ``count`` messages: ``TOO_MANY`` were waiting to be decided, or they were unreadable."""

    link: str
    count: int
    reason: str
