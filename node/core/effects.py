"""What the core asks for: the counterpart of events.py, in the imperative. Only service/loop.py performs effects.

The order of effects is part of the contract: buzzer and lamp come first, then ``Append`` (which hands the event to the
record's thread and never waits), then what is sent.
"""

from dataclasses import dataclass
from typing import Any, Literal

from node.core.line import ContactState
from node.core.model import EventKind, Key, KeyRange, ListedIncident, Snapshot, Step
from node.core.settings import AlarmClass, InputKind
from node.core.signals import BuzzerPattern, LampPattern


@dataclass(frozen=True, slots=True)
class SetBuzzer:
    """Play this pattern until another one is set."""

    pattern: BuzzerPattern


@dataclass(frozen=True, slots=True)
class SetLamp:
    """Show this pattern until another one is set."""

    pattern: LampPattern


@dataclass(frozen=True, slots=True)
class ShowLadder:
    """The call for help of ``input`` reached ``step`` for the first time; ``press`` is the event that calls."""

    at: float
    input: str
    step: Step
    press: Key


@dataclass(frozen=True, slots=True)
class SampleAt:
    """Read every input at this instant, besides the sampler's regular reading."""

    at: float


@dataclass(frozen=True, slots=True)
class LoggedEvent:
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


@dataclass(frozen=True, slots=True)
class Append:
    """Hand this event to the record, together with what a restart must know after it."""

    event: LoggedEvent
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """Store what a restart must know, when it changed without an event."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class MarkReceived:
    """Note in the record that ``by`` (a monitor's id, or BROKER) has this event; its payload may be dropped."""

    key: Key
    by: str


@dataclass(frozen=True, slots=True)
class Spill:
    """The payload of this event may be dropped from memory: the record has it."""

    key: Key


@dataclass(frozen=True, slots=True)
class ReadBacklog:
    """Ask the record for unreceipted events that aren't among ``known``.

    ``taken``: from here on a monitor is awaited, so what only a broker took is unreceipted again.
    """

    known: tuple[Key, ...]
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Begin:
    """Start to read the inputs and to connect to every broker: the record has answered, or is late."""


@dataclass(frozen=True, slots=True)
class ReadConfiguration:
    """Read node.toml again; a ``ConfigurationRead`` tells what came of it."""


@dataclass(frozen=True, slots=True)
class UseBrokers:
    """Have a link to each of these brokers, and to no other: as they came in ``ConfigurationRead``."""

    brokers: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class TakeNextBroker:
    """Have the one link of safe mode go to the next broker of node.toml; a ``ConfigurationRead`` brings it."""


@dataclass(frozen=True, slots=True)
class HurryLinks:
    """Somebody pressed: a link that waits before its next attempt to connect must try now."""


@dataclass(frozen=True, slots=True)
class CloseLinks:
    """Say goodbye on every link once the broker has answered all messages, or after 2 s; then end."""


@dataclass(frozen=True, slots=True)
class RenewLink:
    """End this session of a link, which then connects anew: the broker delivers nothing in it any more."""

    link: str
    session: int


@dataclass(frozen=True, slots=True)
class ReadClock:
    """Ask whether the wall clock is synchronised."""


@dataclass(frozen=True, slots=True)
class _Published:
    """The base of everything that is published: on this link, in this session only."""

    link: str
    session: int


@dataclass(frozen=True, slots=True)
class SendEvent(_Published):
    """Publish a stored or fresh event; ``alarm`` events overtake everything that waits on the link."""

    key: Key
    alarm: bool


@dataclass(frozen=True, slots=True)
class SendAlarm(_Published):
    """Publish the retained list of open incidents, worst first; empty means normal."""

    incidents: tuple[ListedIncident, ...]
    seq: int
    at_utc: float
    synchronised: bool


@dataclass(frozen=True, slots=True)
class SendState(_Published):
    """Publish the birth or the goodbye."""

    state: Literal["online", "offline"]
    seq: int
    at_utc: float
    synchronised: bool
    reason: str | None = None
    back_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class SendCanary(_Published):
    """Publish a canary: a message of the node to itself."""

    seq: int
    at_utc: float
    synchronised: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a command: ``outcome`` is "done", or "refused" with a reason."""

    id: str
    outcome: Literal["done", "refused"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SendReply(_Published):
    """Publish the outcome of a command."""

    reply: Reply
    seq: int
    at_utc: float
    synchronised: bool


@dataclass(frozen=True, slots=True)
class FaultReport:
    """A standing fault: ``subject`` is the input, link or topic it is about ("" where there is only one)."""

    code: str
    subject: str
    since_utc: float


@dataclass(frozen=True, slots=True)
class InputReport:
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


@dataclass(frozen=True, slots=True)
class LinkReport:
    """A broker as a heartbeat reports it; ``rtt_s`` is how long it took to answer the last heartbeat."""

    name: str
    connected: bool
    rtt_s: float | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
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


@dataclass(frozen=True, slots=True)
class SendHeartbeat(_Published):
    """Publish a heartbeat."""

    heartbeat: Heartbeat


@dataclass(frozen=True, slots=True)
class WriteStatus:
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
