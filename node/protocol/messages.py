r"""The messages of a node in protocol v1: versioned and typed. A field's name is written here and nowhere else.

Unknown fields are ignored, an unknown ``v`` is refused, and no field names a person. What monitors say is in
monitor_messages.py; deploy/design/protocol.schema.json is generated from both (schema.py), and the table of
PROTOCOL.md 4.3 from the texts below a heartbeat's fields. Patterns end in ``\Z``, because Python's ``$``
also matches before a newline at the end.
"""

from typing import Annotated, Literal

import msgspec

from node.core.model import EventKind, Phase
from node.core.settings import AlarmClass, InputKind

CANARY_EXPIRY_S = 60
"""A canary has an expiry, as a command has, so that it shows whether the broker forwards one."""

PAYLOAD_LIMIT = 16 * 1024
INCIDENTS_LIMIT = 48
"""The longest list that fits into PAYLOAD_LIMIT, whatever its ids and numbers are."""

FAULTS_LIMIT = 12
MONITORS_LIMIT = 16
"""How many of each a heartbeat lists, so that it fits into PAYLOAD_LIMIT; ``faults_standing`` counts them all."""

RANGES_LIMIT = 100
"""How many ranges one event names, so that it fits into PAYLOAD_LIMIT."""

Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,62}\Z")]
"""A word of the protocol that a later version may add to. A receiver takes one that it doesn't know."""

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
Boot = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}\Z")]
IncidentId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}-[1-9][0-9]{0,15}\Z")]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
AtUtc = Annotated[str, msgspec.Meta(pattern=r"^[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z\Z")]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z._+~-]{0,31}\Z")]
Clock = Literal["synchronised", "free"]
InputState = Literal["unknown", "normal", "active", "fault"]
StartedBy = Literal["boot", "watchdog", "restart"]
Throttle = Literal["capped", "throttled", "soft-limit"]

KINDS: frozenset[str] = frozenset(EventKind)


class EventId(msgspec.Struct, frozen=True, gc=False):
    """An event's identity, together with the node."""

    boot: Boot
    seq: Seq


class EventRange(msgspec.Struct, frozen=True, gc=False):
    """Events of one boot, from ``first`` to ``last``, both included."""

    boot: Boot
    first: Seq
    last: Seq


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every message of a node carries; ``seq`` is that of its newest event."""

    v: Literal[1]
    node: Id
    boot: Boot
    seq: Seq
    at_utc: AtUtc
    clock: Clock


class State(Message, frozen=True, kw_only=True):
    """Birth, goodbye and will: retained on ``state``."""

    state: Literal["online", "offline", "lost"]
    session: Count
    reason: str | None = None
    back_in_s: float | None = None


class OpenIncident(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One open incident. ``press`` awaits the receipt; ``sound_s`` is what is left of the sound."""

    incident: IncidentId
    alarm_class: AlarmClass = msgspec.field(name="class")
    input: Id
    phase: Phase
    presses: Count
    since: AtUtc
    press: EventId
    sound_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    test: bool = False


class Alarm(Message, frozen=True, kw_only=True):
    """All open incidents, the node's own first, worst first: retained on ``alarm``; ``phase`` is the worst one's."""

    phase: Phase
    incidents: Annotated[list[OpenIncident], msgspec.Meta(max_length=INCIDENTS_LIMIT)] = []


class Event(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One numbered thing that happened, on ``event``; fields that its kind doesn't use are left out.

    ``kind`` is an ``EventKind``, or what a later version says. Pressed, opened or held-open with ``presses`` is a call
    for help: it begins ``incident``, or calls once more. ``age_ms`` is how long ago it happened when this copy was
    sent, null for one from before the kernel's boot.
    """

    kind: Word
    input: Id | None = None
    alarm_class: AlarmClass | None = msgspec.field(default=None, name="class")
    incident: IncidentId | None = None
    presses: Count | None = None
    by: str | None = None
    reason: str | None = None
    command: str | None = None
    fault: str | None = None
    subject: str | None = None
    for_s: float | None = None
    previous: EventId | None = None
    ranges: Annotated[list[EventRange], msgspec.Meta(max_length=RANGES_LIMIT)] = []
    test: bool = False
    age_ms: Count | msgspec.UnsetType | None = msgspec.UNSET


class InputHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One input: what it is, its state, whether its wire is supervised, and how long it stays out of service.

    ``class`` is the one with which it calls, null where it calls nobody.
    """

    kind: InputKind
    state: InputState
    wire: Literal["supervised", "unsupervised"]
    alarm_class: AlarmClass | None = msgspec.field(default=None, name="class")
    inhibited_s: float | None = None


class StandingFault(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fault, with what to do next."""

    code: str
    subject: str
    since: AtUtc
    text: str
    next: str


class LinkHealth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One broker connection."""

    connected: bool
    rtt_ms: float | None


class UnderVoltage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The supply voltage: too low now, or at any time since the start (the firmware's own memory isn't reliable)."""

    now: bool
    seen: bool


class Throttling(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the firmware does to the processor now, and what it did at any time since the start."""

    now: tuple[Throttle, ...]
    seen: tuple[Throttle, ...]


class MemoryHealth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The machine's memory."""

    available_bytes: Count
    total_bytes: Count


class DiskHealth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The file system of the record; ``free_bytes`` is what the node may still use of it."""

    free_bytes: Count
    total_bytes: Count
    read_only: bool


class NetworkHealth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The interface that leads to the network; ``signal_dbm`` only of a Wi-Fi that tells it."""

    interface: str
    up: bool | None
    signal_dbm: float | None


class Health(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The machine, as it was read ``age_s`` ago; null is "no data": this machine doesn't have or doesn't tell it.

    What is there but can't be read is null, too, and a fault besides. ``stuck`` is the reading that hangs.
    ``started_by``: the machine's own start, its watchdog, or a restart of the node alone.
    """

    age_s: float | None = None
    stuck: str | None = None
    started_by: StartedBy | None = None
    under_voltage: UnderVoltage | None = None
    throttling: Throttling | None = None
    cpu_c: float | None = None
    memory: MemoryHealth | None = None
    disk: DiskHealth | None = None
    network: NetworkHealth | None = None
    threads: Count | None = None
    files: Count | None = None


UNREAD = Health()
"""The health of a machine that hasn't been read yet."""


class HeartbeatMessage(Message, frozen=True, kw_only=True):
    """How the node is, every ``period_s`` on ``heartbeat``, and at once when the faults change.

    ``walk_test_s`` is what is left of the walk test, null when none holds.
    """

    period_s: float
    """when the next one is due"""
    uptime_s: float
    """since the start of the process"""
    inputs: dict[str, InputHealth]
    """by input: `kind` (the input's table in node.toml, such as `button`), `state` (`unknown`, `normal`, `active`,
    `fault`), `wire` (`supervised`, `unsupervised`); `class` where the input can call (`assist`, `threat`, `amok`);
    `inhibited_s` while it is inhibited"""
    faults: list[StandingFault]
    """at most 12: `code`, `subject`, `since`, `text`, `next`"""
    faults_standing: Count
    """how many faults stand, listed or not"""
    links: dict[str, LinkHealth]
    """by broker: `connected`, `rtt_ms` (null where unknown)"""
    monitors: list[str]
    """at most 16: the monitors heard within 20 s"""
    incidents: Count
    """open incidents"""
    waiting: Count
    """events without a receipt, in memory"""
    spilled: bool
    """more of them are in the record alone"""
    record_depth: Count
    """what waits to be written to the disk"""
    refused: Count
    """commands and the like that were refused, since the start"""
    dropped: Count
    """messages that were dropped, since the start"""
    walk_test_s: float | None = None
    """what is left of the walk test"""
    health: Health
    """the machine, read `age_s` ago; null where the machine tells nothing"""
    version: Version | None = None
    """of the program, such as `1.0.0`; absent where the node is older than this field"""


class Canary(Message, frozen=True, kw_only=True):
    """A message to ourselves, on ``canary``."""

    session: Count


class ReplyMessage(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of a command, on ``reply``; ``id`` is null where the command had none."""

    id: str | None
    outcome: Literal["done", "refused"]
    reason: str | None = None
