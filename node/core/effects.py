"""What can be asked for: the mirror of events.py, in the imperative. Only service/loop.py has hands.

Order matters and is part of the contract: what sounds and shows comes first, then ``Append`` (which hands the event
to the record's thread and never waits), then what is sent.
"""

from dataclasses import dataclass
from typing import Literal

from node.core.model import Key, KeyRange, ListedIncident, Snapshot, Step
from node.core.settings import AlarmClass
from node.core.signals import BuzzerPattern, LampPattern


@dataclass(frozen=True, slots=True)
class Effect:
    """The base."""


@dataclass(frozen=True, slots=True)
class SetBuzzer(Effect):
    """Play this pattern until told otherwise."""

    pattern: BuzzerPattern


@dataclass(frozen=True, slots=True)
class SetLamp(Effect):
    """Show this pattern until told otherwise."""

    pattern: LampPattern


@dataclass(frozen=True, slots=True)
class ShowLadder(Effect):
    """The call for help of ``input`` reached ``step`` for the first time; ``press`` is the event that calls."""

    at: float
    input: str
    step: Step
    press: Key


@dataclass(frozen=True, slots=True)
class SampleAt(Effect):
    """Read every input at this instant, beside the sampler's own beat."""

    at: float


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One numbered thing that happened, as it is stored and published on ``event``.

    ``kind`` is one of PROTOCOL.md 6.3's kinds (messages.EventKind); ``at`` monotonic, ``at_utc`` seconds since 1970, a
    label. Fields that a kind doesn't use stay None (``ranges`` empty). An event with an ``incident`` is an alarm event,
    and so is a button's test: its reaction time is to be an alarm's.
    """

    key: Key
    kind: str
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
        """Whether it overtakes any backlog and is never evicted."""
        return self.incident is not None or self.kind == "tested"


@dataclass(frozen=True, slots=True)
class Append(Effect):
    """Hand this event to the record, together with what a restart needs to know after it."""

    event: LoggedEvent
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Remember(Effect):
    """Store what a restart needs to know, where no event goes with the change."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class MarkReceived(Effect):
    """Note in the record that ``by`` (a monitor's id, or BROKER) has this event; its payload may be dropped."""

    key: Key
    by: str


@dataclass(frozen=True, slots=True)
class Spill(Effect):
    """The payload of this event needn't stay in memory: the record has it."""

    key: Key


@dataclass(frozen=True, slots=True)
class ReadBacklog(Effect):
    """Ask the record for unreceipted events that aren't among ``known``."""

    known: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Begin(Effect):
    """Start to read the inputs and to connect to every broker: what the record remembers is known, or late."""


@dataclass(frozen=True, slots=True)
class HurryLinks(Effect):
    """Somebody pressed: a link that waits before its next try shall try now."""


@dataclass(frozen=True, slots=True)
class CloseLinks(Effect):
    """Say goodbye on every link once what was handed to it is answered, or 2 s have passed; then end."""


@dataclass(frozen=True, slots=True)
class ReadClock(Effect):
    """Ask whether the wall clock is synchronised."""


@dataclass(frozen=True, slots=True)
class Send(Effect):
    """The base of everything that is published: on this link, in this session or not at all."""

    link: str
    session: int


@dataclass(frozen=True, slots=True)
class SendEvent(Send):
    """Publish a stored or fresh event; ``alarm`` events overtake everything that waits on the link."""

    key: Key
    alarm: bool


@dataclass(frozen=True, slots=True)
class SendAlarm(Send):
    """Publish the retained list of open incidents, worst first; empty means normal."""

    incidents: tuple[ListedIncident, ...]
    seq: int
    at_utc: float
    synchronised: bool


@dataclass(frozen=True, slots=True)
class SendState(Send):
    """Publish the birth or the goodbye."""

    state: Literal["online", "offline"]
    seq: int
    at_utc: float
    synchronised: bool
    reason: str | None = None
    back_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class SendCanary(Send):
    """Publish a message to ourselves."""

    seq: int
    at_utc: float
    synchronised: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a command: ``outcome`` is "done" or "refused", then with its reason."""

    id: str
    outcome: Literal["done", "refused"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SendReply(Send):
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
    """An input as a heartbeat tells it.

    ``kind``: button, door, tamper or reset. ``supervised``: a cut or shorted wire would be told from a press.
    ``inhibited_s``: the time until it comes back, None when in service. ``alarm_class``: None where it calls nobody.
    """

    name: str
    kind: str
    state: str
    supervised: bool
    inhibited_s: float | None
    alarm_class: AlarmClass | None = None


@dataclass(frozen=True, slots=True)
class LinkReport:
    """A broker as a heartbeat tells it; ``rtt_s`` is how long it took to answer the last heartbeat."""

    name: str
    connected: bool
    rtt_s: float | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How the node is. ``waiting`` counts unreceipted events, ``spilled`` says that the record holds more of them.

    ``refused`` and ``dropped`` count what came from the network and was not done, or not even looked at.
    ``walk_test_s``: the time until the walk test ends, None when none holds.
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
class SendHeartbeat(Send):
    """Publish how the node is."""

    heartbeat: Heartbeat


@dataclass(frozen=True, slots=True)
class WriteStatus(Effect):
    """Leave the same for ``alarm-node check`` on this machine."""

    heartbeat: Heartbeat
