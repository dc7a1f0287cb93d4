"""One decision in progress: the changing state and the effects, until reconcile.py puts the effects in order.

A Turn lives inside one call of ``controller.handle`` and never leaves it, so the core stays pure from outside.
"""

from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from node.core import delivery
from node.core.effects import Effect, LoggedEvent, ShowLadder, Spill
from node.core.model import EventKind, Incident, Key, Step
from node.core.state import State
from node.core.supervision import LinkState, with_link

ANSWERS_PER_S = 10
"""How many refusals and repetitions a second are answered and recorded (PROTOCOL.md 9.5). All refusals are counted."""


class Turn(Struct):
    """Effects are performed in this order: ``first``, ``steps``, ``events`` (appended), ``sends``, ``last``."""

    state: State
    first: list[Effect] = field(default_factory=list)
    steps: list[Effect] = field(default_factory=list)
    events: list[LoggedEvent] = field(default_factory=list)
    sends: list[Effect] = field(default_factory=list)
    last: list[Effect] = field(default_factory=list)

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

    def known_link(self, name: str) -> LinkState | None:
        """The link of this name; a message from a link that isn't configured is refused (None)."""
        for link in self.state.supervision.links:
            if link.name == name:
                return link
        self.refuse("message from an unknown link")
        return None

    def stamp(self) -> tuple[int, float, bool]:
        """What every message carries: the newest event's number, the wall clock, whether that is synchronised."""
        return self.state.seq, self.now + self.state.utc_offset, self.state.supervision.synchronised is True

    def next_key(self) -> Key:
        """The identity of the next event."""
        return Key(self.state.boot, self.state.seq + 1)

    def log(self, kind: EventKind, at: float | None = None, **fields: Any) -> Key:
        """Number an event, hand it to the record, and let it wait until a monitor holds it."""
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
        waiting, spilled = delivery.add(self.state.waiting, key, event.is_alarm)
        self.change(seq=key.seq, waiting=waiting)
        unstored = self.state.supervision.unstored
        if len(unstored) < UNSTORED_WATCHED:
            self.supervise(unstored={**unstored, key: self.now})
        if spilled is not None:
            self.last.append(Spill(spilled))
        return key

    def log_about(self, kind: EventKind, incident: Incident, at: float | None = None, **fields: Any) -> Key:
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
            self.log(EventKind.UNEXPECTED, reason=what)

    def put_incident(self, incident: Incident) -> None:
        """Replace the incident of the same id, at its place. One that was reset goes; its id is noted as closed."""
        if incident.step is Step.NORMAL:
            incidents = tuple(each for each in self.state.incidents if each.id != incident.id)
            self.change(incidents=incidents, closed=(*self.state.closed, incident.id)[-CLOSED_KEPT:])
        else:
            self.change(incidents=tuple(incident if each.id == incident.id else each for each in self.state.incidents))

    def show_step(self, incident: Incident, step: Step, at: float | None = None) -> Incident:
        """Show that this incident's call reached ``step``; each step is shown only once."""
        if step in incident.marks:
            return incident
        self.steps.append(ShowLadder(self.now if at is None else at, incident.input, step, incident.press))
        return replace(incident, marks=incident.marks | {step})


UNSTORED_WATCHED = 100
"""How many events are watched until they are on the disk; more would not detect a stall any earlier."""

CLOSED_KEPT = 256
"""How many resets are remembered, so that a retained alarm can't bring them back.

That is enough, because a broker holds only one list.
"""
