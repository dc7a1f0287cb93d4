"""All that the node knows, as one frozen value: ``controller.handle`` returns the next one."""

from collections.abc import Mapping
from math import inf

from msgspec import Struct, field
from msgspec.structs import replace

from node.core.chatter import Chatter
from node.core.contact import Contact
from node.core.delivery import WaitingEvents
from node.core.effects import Reply
from node.core.line import ContactState
from node.core.model import Incident, Inhibit, Key, Snapshot
from node.core.settings import Settings
from node.core.signals import BuzzerPattern, LampPattern
from node.core.supervision import FaultId, Supervision


class Outcome(Struct, frozen=True):
    """The outcome of a command, kept so that a repeated id gets the same answer.

    ``asked``: what the command was about. The time that is left may differ in a repetition.
    """

    at: float
    reply: Reply
    asked: tuple[str, str, str]


class WalkTest(Struct, frozen=True):
    """From ``since`` to ``until`` (monotonic seconds) the buttons that aren't in ``pressed`` may be tested.

    ``over``: its end was reported. It is kept for presses from before its end that are decided late.
    """

    since: float
    until: float
    by: str
    pressed: frozenset[str] = frozenset()
    over: bool = False

    def covers(self, at: float) -> bool:
        """Whether a press at this instant falls into the walk test."""
        return self.since <= at < self.until

    def tests(self, name: str, at: float) -> bool:
        """Whether a press of this button at this instant may be its test."""
        return self.covers(at) and name not in self.pressed

    def after_press(self, name: str) -> "WalkTest":
        """The walk test after any press of this button: no later press of it is a test."""
        return replace(self, pressed=self.pressed | {name})

    def ended(self, at: float) -> "WalkTest":
        """The walk test once its end is reported: at its time, or earlier by command."""
        return replace(self, until=min(self.until, at), over=True)


class AwaitedTest(Struct, frozen=True):
    """A button's newest test, until a monitor holds its event ``key``; ``at`` is the instant of the press."""

    key: Key
    at: float


class LostEdges(Struct, frozen=True):
    """How many edges of an input the kernel dropped since ``since``; a fault ``until`` then (lost_edges.py)."""

    count: int
    since: float
    until: float


class State(Struct, frozen=True):
    """All that the node knows. Mappings are never changed, only replaced.

    ``now``: the latest instant seen; it never goes back, though an edge's own stamp may be older. ``incidents``: in the
    order of their newest presses. ``faults``: the faults that were reported, with the time when each began (wall
    clock). ``held_due``: by input, when an open door counts as held open, or when a held test becomes real.
    ``awaited_tests``: by button. ``pressed_at``: when buttons were last pressed, if that is recent (walk_test.py).
    ``chirp_until``, ``confirmed_until``: how long a passed test is heard and seen. ``recent_answers``: when the last
    few refusals and repetitions were answered. ``sample_at``: the next sample that was asked for, inf when there is
    none. ``begun``: the record has answered, or its time is over, and the first event is numbered.
    """

    settings: Settings
    boot: str
    started_at: float
    now: float
    utc_offset: float
    contacts: Mapping[str, Contact]
    chatters: Mapping[str, Chatter]
    supervision: Supervision
    seq: int = 0
    begun: bool = False
    stopping: bool = False
    incidents: tuple[Incident, ...] = ()
    closed: tuple[str, ...] = ()
    inhibits: tuple[Inhibit, ...] = ()
    held_due: Mapping[str, float] = field(default_factory=dict)
    walk_test: WalkTest | None = None
    awaited_tests: Mapping[str, AwaitedTest] = field(default_factory=dict)
    pressed_at: Mapping[str, float] = field(default_factory=dict)
    lost_edges: Mapping[str, LostEdges] = field(default_factory=dict)
    identify_until: float | None = None
    chirp_until: float | None = None
    confirmed_until: float | None = None
    waiting: WaitingEvents = field(default_factory=WaitingEvents)
    faults: Mapping[FaultId, float] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    recent_answers: tuple[float, ...] = ()
    heartbeat_due: float = 0.0
    sample_at: float = inf
    buzzer: BuzzerPattern = BuzzerPattern.OFF
    lamp: LampPattern | None = None
    stored_snapshot: Snapshot | None = None

    @property
    def in_walk_test(self) -> bool:
        """Whether a walk test runs."""
        return self.walk_test is not None and not self.walk_test.over

    def incident(self, incident_id: str) -> Incident | None:
        """The open incident of this id, or None."""
        return next((each for each in self.incidents if each.id == incident_id), None)

    def incident_of(self, name: str) -> Incident | None:
        """The open incident of this input, or None; of two, the one with the newest press."""
        return next((each for each in reversed(self.incidents) if each.input == name), None)

    def contact_state(self, name: str) -> ContactState:
        """The state of an input; normal for an input that isn't configured any more."""
        contact = self.contacts.get(name)
        return ContactState.NORMAL if contact is None else contact.state
