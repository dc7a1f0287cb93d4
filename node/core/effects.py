"""What the core asks for: the counterpart of events.py, in the imperative. Only service/loop.py performs effects.

The order of effects is part of the contract: buzzer and lamp come first, then ``Append`` (which hands the event to the
record's thread and never waits), then what is sent.
"""

from typing import Any, Literal

from msgspec import Struct

from node.core.line import ContactState
from node.core.model import EventKind, Key, KeyRange, ListedIncident, Snapshot, Step
from node.core.settings import AlarmClass, InputKind
from node.core.signals import BuzzerPattern, LampPattern


class SetBuzzer(Struct, frozen=True):
    """Play this pattern until another one is set."""

    pattern: BuzzerPattern


class SetLamp(Struct, frozen=True):
    """Show this pattern until another one is set."""

    pattern: LampPattern


class ShowLadder(Struct, frozen=True):
    """The call for help of ``input`` reached ``step`` for the first time; ``press`` is the event that calls."""

    at: float
    input: str
    step: Step
    press: Key


class SampleAt(Struct, frozen=True):
    """Read every input at this instant, besides the sampler's regular reading."""

    at: float


class LoggedEvent(Struct, frozen=True):
    """One numbered thing that happened, as it is stored and published on ``event``.

    ``at`` is monotonic; ``at_utc`` is seconds since 1970, a label. Fields that a kind doesn't use stay None (``ranges``
    empty). An event with an ``incident`` is an alarm event. So is a button's test, because its reaction time has to be
    that of an alarm.
    """

    key: Key
    kind: EventKind
    at: float
    at_utc: float
    synchronised: bool
    input: str | None = None
    alarm_class: str | None = None
    incident: str | None = None
    presses: int | None = None
    by: str | None = None
    reason: str | None = None
    command: str | None = None
    fault: str | None = None
    subject: str | None = None
    for_s: float | None = None
    previous: Key | None = None
    ranges: tuple[KeyRange, ...] = ()
    test: bool = False

    @property
    def is_alarm(self) -> bool:
        """Whether this event overtakes any backlog and is never evicted."""
        return self.incident is not None or self.kind is EventKind.TESTED


class Append(Struct, frozen=True):
    """Hand this event to the record, together with what a restart must know after it."""

    event: LoggedEvent
    snapshot: Snapshot


class StoreSnapshot(Struct, frozen=True):
    """Store what a restart must know, when it changed without an event."""

    snapshot: Snapshot


class MarkReceived(Struct, frozen=True):
    """Note in the record that ``by`` (a monitor's id, or BROKER) has this event; its payload may be dropped."""

    key: Key
    by: str


class Spill(Struct, frozen=True):
    """The payload of this event may be dropped from memory: the record has it."""

    key: Key


class ReadBacklog(Struct, frozen=True):
    """Ask the record for unreceipted events that aren't among ``known``.

    ``taken``: from here on a monitor is awaited, so what only a broker took is unreceipted again.
    """

    known: tuple[Key, ...]
    taken: bool = False


class Begin(Struct, frozen=True):
    """Start to read the inputs: the record has answered, or is late."""


class Connect(Struct, frozen=True):
    """Start to connect to every broker. It comes last at the start: nothing else waits for what links need."""


class ReadConfiguration(Struct, frozen=True):
    """Read node.toml again; a ``ConfigurationRead`` tells what came of it."""


class UseBrokers(Struct, frozen=True):
    """Have a link to each of these brokers, and to no other: as they came in ``ConfigurationRead``."""

    brokers: tuple[Any, ...]


class TakeNextBroker(Struct, frozen=True):
    """Have the one link of safe mode go to the next broker of node.toml; a ``ConfigurationRead`` brings it."""


class HurryLinks(Struct, frozen=True):
    """Somebody pressed: a link that waits before its next attempt to connect must try now."""


class CloseLinks(Struct, frozen=True):
    """Say goodbye on every link once the broker has answered all messages, or after 2 s; then end."""


class RenewLink(Struct, frozen=True):
    """End this session of a link, which then connects anew: the broker delivers nothing in it any more."""

    link: str
    session: int


class ReadClock(Struct, frozen=True):
    """Ask whether the wall clock is synchronised."""


class _Published(Struct, frozen=True):
    """The base of everything that is published: on this link, in this session only."""

    link: str
    session: int


class SendEvent(_Published, frozen=True):
    """Publish a stored or fresh event; ``alarm`` events overtake everything that waits on the link."""

    key: Key
    alarm: bool


class SendAlarm(_Published, frozen=True):
    """Publish the retained list of open incidents as of ``at`` (monotonic), worst first; empty means normal."""

    incidents: tuple[ListedIncident, ...]
    at: float
    seq: int
    at_utc: float
    synchronised: bool


class SendState(_Published, frozen=True):
    """Publish the birth or the goodbye."""

    state: Literal["online", "offline"]
    seq: int
    at_utc: float
    synchronised: bool
    reason: str | None = None
    back_in_s: float | None = None


class SendCanary(_Published, frozen=True):
    """Publish a canary: a message of the node to itself."""

    seq: int
    at_utc: float
    synchronised: bool


class Reply(Struct, frozen=True):
    """The outcome of a command: ``outcome`` is "done", or "refused" with a reason."""

    id: str
    outcome: Literal["done", "refused"]
    reason: str | None = None


class SendReply(_Published, frozen=True):
    """Publish the outcome of a command."""

    reply: Reply
    seq: int
    at_utc: float
    synchronised: bool


class FaultReport(Struct, frozen=True):
    """A standing fault: ``subject`` is the input, link or topic it is about ("" where there is only one)."""

    code: str
    subject: str
    since_utc: float


class InputReport(Struct, frozen=True):
    """An input as a heartbeat reports it.

    ``supervised``: the node can tell a cut or shorted wire from a press.
    ``inhibited_s``: the time until it is back in service, None when it is in service. ``alarm_class``: None if it never
    calls for help.
    """

    name: str
    kind: InputKind
    state: ContactState
    supervised: bool
    inhibited_s: float | None
    alarm_class: AlarmClass | None = None


class LinkReport(Struct, frozen=True):
    """A broker as a heartbeat reports it; ``rtt_s`` is how long it took to answer the last heartbeat."""

    name: str
    connected: bool
    rtt_s: float | None


class Heartbeat(Struct, frozen=True):
    """How the node is. ``waiting`` counts unreceipted events; ``spilled`` says that the record holds more of them.

    ``refused`` counts messages from the network that were refused, ``dropped`` those that were dropped unread.
    ``walk_test_s``: the time until the walk test ends, None when no walk test runs.
    """

    period_s: float
    seq: int
    at: float
    at_utc: float
    synchronised: bool
    uptime_s: float
    inputs: tuple[InputReport, ...]
    faults: tuple[FaultReport, ...]
    links: tuple[LinkReport, ...]
    monitors: tuple[str, ...]
    incidents: int
    waiting: int
    refused: int
    dropped: int
    spilled: bool = False
    walk_test_s: float | None = None


class SendHeartbeat(_Published, frozen=True):
    """Publish a heartbeat."""

    heartbeat: Heartbeat


class WriteStatus(Struct, frozen=True):
    """Write the same heartbeat to the status file, for ``alarm-node check`` on this machine."""

    heartbeat: Heartbeat


RecordEffect = Append | StoreSnapshot | MarkReceived | Spill | ReadBacklog
"""What the record does."""

ConfigurationEffect = ReadConfiguration | UseBrokers | TakeNextBroker
"""What is about node.toml."""

Send = SendEvent | SendAlarm | SendState | SendCanary | SendReply | SendHeartbeat
"""What a link publishes."""

Effect = (
    SetBuzzer
    | SetLamp
    | ShowLadder
    | SampleAt
    | Begin
    | Connect
    | HurryLinks
    | RenewLink
    | CloseLinks
    | ReadClock
    | WriteStatus
    | RecordEffect
    | ConfigurationEffect
    | Send
)
"""Each effect. Whoever performs effects matches all of them: the type check refuses one that nobody performs."""
