"""One decision in progress: the changing state and the effects, until reconcile.py puts the effects in order.

A Turn lives inside one call of ``controller.handle`` and never leaves it, so the core stays pure from outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from node.core import delivery
from node.core.chatter import Chatter
from node.core.contact import Contact
from node.core.delivery import Outbox
from node.core.effects import Effect, LoggedEvent, Reply, ShowLadder, Spill
from node.core.line import ContactState
from node.core.model import Incident, Inhibit, Key, Snapshot, Step
from node.core.modes import AwaitedTest, WalkTest
from node.core.settings import Settings
from node.core.signals import BuzzerPattern, LampPattern
from node.core.supervision import FaultId, LinkState, Supervision, with_link

ANSWERS_PER_S = 10
"""How many refusals and repetitions a second are answered and recorded (PROTOCOL.md 9.5). All refusals are counted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a command, kept so that a repeated id gets the same answer."""

    at: float
    reply: Reply


@dataclass(frozen=True, slots=True)
class State:
    """All that the node knows. Mappings are never changed, only replaced.

    ``now``: the latest instant seen; it never goes back, though an edge's own stamp may be older. ``incidents``: in the
    order of their newest presses. ``faults``: the faults that were told, with the time when each began (wall clock).
    ``held_due``: by input, when an open door counts as held open, or when a held test becomes real. ``awaited_tests``:
    by button. ``pressed_at``: when buttons were last pressed, if that is recent (modes.py). ``chirp_until``,
    ``confirmed_until``: how long a passed test is heard and seen. ``recent_answers``: when the last few refusals and
    repetitions were answered. ``sample_at``: the next sample that was asked for, inf when there is none. ``begun``: the
    record has answered, or its time is over, and the first event is numbered.
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
    identify_until: float | None = None
    chirp_until: float | None = None
    confirmed_until: float | None = None
    outbox: Outbox = field(default_factory=Outbox)
    faults: Mapping[FaultId, float] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    recent_answers: tuple[float, ...] = ()
    heartbeat_due: float = 0.0
    sample_at: float = inf
    buzzer: BuzzerPattern = BuzzerPattern.OFF
    lamp: LampPattern | None = None
    remembered: Snapshot | None = None

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


@dataclass(slots=True)
class Turn:
    """Effects are performed in this order: ``firsts``, ``shows``, ``events`` (appended), ``sends``, ``others``."""

    state: State
    firsts: list[Effect] = field(default_factory=list)
    shows: list[Effect] = field(default_factory=list)
    events: list[LoggedEvent] = field(default_factory=list)
    sends: list[Effect] = field(default_factory=list)
    others: list[Effect] = field(default_factory=list)

    @property
    def now(self) -> float:
        """Monotonic seconds of this decision."""
        return self.state.now

    def change(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = replace(self.state, **changes)

    def supervise(self, **changes: Any) -> None:
        """Replace fields of the supervision."""
        self.change(supervision=replace(self.state.supervision, **changes))

    def change_link(self, link: LinkState) -> None:
        """Put this link in the place of the one of the same name."""
        self.change(supervision=with_link(self.state.supervision, link))

    def next_key(self) -> Key:
        """The identity of the next event."""
        return Key(self.state.boot, self.state.seq + 1)

    def log(self, kind: str, at: float | None = None, **fields: Any) -> Key:
        """Number an event, hand it to the record, and let it wait in the outbox until a monitor holds it."""
        key = self.next_key()
        instant = self.now if at is None else at
        event = LoggedEvent(
            key=key,
            kind=kind,
            at=instant,
            at_utc=instant + self.state.utc_offset,
            synchronised=self.state.supervision.synchronised is True,
            **fields,
        )
        self.events.append(event)
        outbox, spilled = delivery.add(self.state.outbox, key, event.is_alarm)
        self.change(seq=key.seq, outbox=outbox)
        unstored = self.state.supervision.unstored
        if len(unstored) < UNSTORED_WATCHED:
            self.supervise(unstored={**unstored, key: self.now})
        if spilled is not None:
            self.others.append(Spill(spilled))
        return key

    def log_about(self, kind: str, incident: Incident, at: float | None = None, **fields: Any) -> Key:
        """Log an event about an incident."""
        return self.log(
            kind,
            at,
            input=incident.input,
            alarm_class=incident.alarm_class.value,
            incident=incident.id,
            presses=incident.presses,
            test=incident.test,
            **fields,
        )

    def may_record_refusal(self) -> bool:
        """Count a refusal; whether it may still be answered and recorded in this second."""
        self.supervise(refused=self.state.supervision.refused + 1)
        return self.may_answer()

    def may_answer(self) -> bool:
        """Whether one more refusal or repetition may be answered in this second."""
        recent = tuple(at for at in self.state.recent_answers if at > self.now - 1.0)
        if len(recent) >= ANSWERS_PER_S:
            return False
        self.change(recent_answers=(*recent, self.now))
        return True

    def refuse(self, what: str) -> None:
        """Record an unexpected event, which changed nothing."""
        if self.may_record_refusal():
            self.log("unexpected", reason=what)

    def put_incident(self, incident: Incident) -> None:
        """Replace the incident of the same id, at its place."""
        self.change(incidents=tuple(incident if each.id == incident.id else each for each in self.state.incidents))

    def close_incident(self, incident: Incident) -> None:
        """Remove an incident that was reset, and remember its id as closed."""
        incidents = tuple(each for each in self.state.incidents if each.id != incident.id)
        self.change(incidents=incidents, closed=(*self.state.closed, incident.id)[-CLOSED_KEPT:])

    def mark(self, incident: Incident, step: Step, at: float | None = None) -> Incident:
        """Show that this incident's call reached ``step``; each step is shown only once."""
        if step in incident.marks:
            return incident
        self.shows.append(ShowLadder(self.now if at is None else at, incident.input, step, incident.press))
        return replace(incident, marks=incident.marks | {step})


UNSTORED_WATCHED = 100
"""How many events are watched until they are on the disk; more would not detect a stall any earlier."""

CLOSED_KEPT = 256
"""How many resets are remembered, so that a retained alarm can't bring them back.

That is enough, because a broker holds only one list.
"""
