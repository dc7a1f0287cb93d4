"""What holds after every event, whatever the test is about."""

from math import inf

from msgspec.structs import replace

from node.core import alarm, controller, delivery, inputs, signals
from node.core.delivery import WaitingEvents
from node.core.effects import (
    Append,
    Begin,
    Connect,
    Effect,
    SampleAt,
    Send,
    SendAlarm,
    SendEvent,
    SendHeartbeat,
    SendState,
    SetBuzzer,
    SetLamp,
    ShowLadder,
    StoreSnapshot,
    WriteStatus,
)
from node.core.events import AlarmHeard, CommandHeard, Event, LevelsRead, ReceiptHeard, RecordLoaded, TimePassed
from node.core.inputs import KEY_SWITCH
from node.core.line import ContactState
from node.core.model import PRESSES, Incident, ListedIncident, Restored, Snapshot, Step
from node.core.settings import Receipts, Role
from node.core.signals import BuzzerPattern, LampPattern
from node.core.state import State

_FIRST = (Begin, SetBuzzer, SetLamp, ShowLadder)
_STORED = (Append, StoreSnapshot)
HELD_S = 2.0
RECENT_S = 300.0


class Checks:
    """Follows one process from its first event on."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buzzer = BuzzerPattern.OFF
        self._lamp: LampPattern | None = None
        self._told: dict[tuple[str, int], tuple[ListedIncident, ...]] = {}
        self._walk_test = (inf, inf)
        self._pressed: dict[str, float] = {}
        self._undecided: dict[str, float] = {}

    def check(self, event: Event, state: State, effects: list[Effect]) -> None:
        """Fail unless this event may have led to this state with these effects."""
        before, self._state = self._state, state
        assert state.now == max(before.now, event.at), "time goes back, or further than the event says"
        self._check_deadline(event, before, state)
        self._check_nothing_new(event, before, state, effects)
        self._check_order(effects)
        self._check_numbers(before, state, effects)
        self._check_signals(state, effects)
        self._check_sends(state, effects)
        self._check_waiting(state, effects)
        self._check_told(event, before, state)
        self._check_latched(event, before, state, effects)
        self._check_pressed(state, effects)
        self._check_tests(before, state, effects)
        self._check_active(state)
        self._check_private(state, effects)
        self._check_stopping(before, effects)
        self._check_refused(event, before, state, effects)

    @staticmethod
    def _check_deadline(event: Event, before: State, state: State) -> None:
        if isinstance(event, TimePassed) and event.at == controller.next_deadline(before):
            assert controller.next_deadline(state) > state.now, "a busy loop: what was due is still due"

    @staticmethod
    def _check_nothing_new(event: Event, before: State, state: State, effects: list[Effect]) -> None:
        """The loop doesn't even hand over such a reading, once all that is due is done."""
        if isinstance(event, LevelsRead) and inputs.says_nothing_new(before, event):
            nothing_is_due = event.at < controller.next_deadline(before)
            unchanged = (replace(state, now=before.now), effects) == (before, [])
            assert unchanged or not nothing_is_due, "a reading did say something new"

    @staticmethod
    def _check_order(effects: list[Effect]) -> None:
        ranks = [0 if isinstance(each, _FIRST) else 1 if isinstance(each, _STORED) else 2 for each in effects]
        assert ranks == sorted(ranks), "what shows comes first, then the record, then all else"
        fresh = {each.event.key for each in effects if isinstance(each, Append) and each.event.is_alarm}
        for link in {each.link for each in effects if isinstance(each, Send)}:
            keys = [each for each in effects if isinstance(each, Send) and each.link == link]
            urgent = [
                isinstance(each, SendAlarm) or (isinstance(each, SendEvent) and each.key in fresh) for each in keys
            ]
            assert urgent == sorted(urgent, reverse=True), "alarms go out before all else"

    @staticmethod
    def _check_numbers(before: State, state: State, effects: list[Effect]) -> None:
        numbers = [each.event.key.seq for each in effects if isinstance(each, Append)]
        assert numbers == list(range(before.seq + 1, state.seq + 1)), "an event without a number, or without a record"

    def _check_signals(self, state: State, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SetBuzzer):
                assert effect.pattern is not self._buzzer, "the buzzer's pattern begins anew for nothing"
                self._buzzer = effect.pattern
            elif isinstance(effect, SetLamp):
                assert effect.pattern is not self._lamp, "the lamp's pattern begins anew for nothing"
                self._lamp = effect.pattern
        chirping = state.chirp_until is not None
        assert self._buzzer is signals.buzzer(state.incidents, state.identify_until is not None, chirping=chirping)
        if state.begun:
            confirmed = state.confirmed_until is not None
            assert self._lamp is signals.lamp(
                state.incidents, bool(state.faults), walk_test=state.in_walk_test, confirmed=confirmed
            )

    def _check_sends(self, state: State, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                link = state.supervision.link(effect.link)
                assert (link.up, link.session) == (True, effect.session), "sent on a link that isn't up"
            if isinstance(effect, SendAlarm):
                self._told[effect.link, effect.session] = effect.incidents
        for link in state.supervision.links:
            told = self._told.get((link.name, link.session))
            if link.up and (state.incidents or told):
                assert told is not None, "an open incident isn't told"
                assert [_seen(each) for each in told] == [_seen(each) for each in alarm.listed(state.incidents)]

    @staticmethod
    def _check_told(event: Event, before: State, state: State) -> None:
        """*Told* begins with such a receipt for the newest press, or is remembered; and who waits for it has an end."""
        was_told = {each.press for each in before.incidents if each.step is Step.TOLD}
        for incident in state.incidents:
            if incident.step is Step.TOLD and incident.press not in was_told:
                assert _tells(event, incident, state), "told, and nobody said so of the newest press"
            if incident.step in (Step.PRESSED, Step.STORED, Step.ACCEPTED, Step.HELD) and _awaits(state):
                assert incident.receipt_due is not None, "a call may stay untold for ever"
                late = isinstance(event, TimePassed) and state.begun and incident.receipt_due <= state.now
                assert not late, "nobody was told in time, and the lamp goes on calling"

    @staticmethod
    def _check_waiting(state: State, effects: list[Effect]) -> None:
        waiting = state.waiting.events
        fresh = {each.event.key for each in effects if isinstance(each, Append)}
        assert len(waiting) <= delivery.KEPT
        for link in state.supervision.links:
            in_flight = [entry.alarm for entry in waiting.values() if link.name in entry.in_flight]
            sent = [each for each in effects if isinstance(each, SendEvent) and each.link == link.name]
            assert link.up or not in_flight, "in flight on a link that is down"
            if len(in_flight) > delivery.WINDOW:
                assert all(each.alarm for each in sent), "telemetry overfills the window"
            if sum(in_flight) > delivery.WINDOW:
                assert all(each.key in fresh for each in sent), "only fresh alarms may overfill the window"
        assert sum(isinstance(each, SampleAt) for each in effects) <= 1

    @staticmethod
    def _check_latched(event: Event, before: State, state: State, effects: list[Effect]) -> None:
        gone = {each.id for each in before.incidents} - {each.id for each in state.incidents}
        logged = [each.event for each in effects if isinstance(each, Append)]
        resets = {each.incident: each.by for each in logged if each.kind == "reset"}
        assert gone <= resets.keys(), "an incident ended, and nobody is told"
        if gone and "key-turned" in {each.kind for each in logged}:
            assert set(resets.values()) == {KEY_SWITCH}
        elif gone:
            assert isinstance(event, CommandHeard)
            assert (event.action, {event.arguments["incident"]}) == ("reset", gone), "only a reset ends an incident"

    @staticmethod
    def _check_pressed(state: State, effects: list[Effect]) -> None:
        shown = [each.input for each in effects if isinstance(each, ShowLadder) and each.step is Step.PRESSED]
        logged = [
            each
            for each in effects
            if isinstance(each, Append) and each.event.kind in PRESSES and each.event.presses is not None
        ]
        assert shown == [each.event.input for each in logged], "an accepted press is one that was shown"
        for append in logged:
            incident, key = append.event.incident, append.event.key
            assert incident in {each.id for each in append.snapshot.incidents}, "an accepted press isn't stored"
            for link in state.supervision.links:
                if link.up:
                    lists = [
                        each.incidents for each in effects if isinstance(each, SendAlarm) and each.link == link.name
                    ]
                    assert [incident in {each.id for each in told} for told in lists] == [True]
                    assert SendEvent(link.name, link.session, key, alarm=True) in effects, (
                        "an accepted press isn't sent"
                    )

    def _check_tests(self, before: State, state: State, effects: list[Effect]) -> None:
        """A test is the first press in its walk test, and no alarm is lost to it: neither a second press nor a hold."""
        tested = set()
        for event in (each.event for each in effects if isinstance(each, Append)):
            match event.kind:
                case "walk-test-started":
                    assert event.for_s is not None
                    self._walk_test = (event.at, event.at + event.for_s)
                case "walk-test-ended":
                    self._walk_test = (self._walk_test[0], min(self._walk_test[1], event.at))
                case "tested":
                    assert event.input is not None
                    assert self._walk_test[0] <= event.at < self._walk_test[1], "a test outside of a walk test"
                    pressed = self._pressed.get(event.input, -inf)
                    assert pressed <= self._walk_test[0] - RECENT_S, "a second press is taken for a test"
                    assert before.incident_of(event.input) is None, "a further call is taken for a test"
                    tested.add(event.input)
                    self._undecided[event.input] = event.at
                case "pressed" | "inhibited-press":
                    assert event.at <= self._undecided.pop(str(event.input), inf) + HELD_S, "held for too long"
        for name, contact in state.contacts.items():
            pressed = contact.state is ContactState.ACTIVE and before.contacts[name].state is not ContactState.ACTIVE
            if pressed:
                self._pressed[name] = contact.changed_at
            if pressed and name not in tested:
                self._undecided.pop(name, None)
            self._check_held(name, state)

    def _check_held(self, name: str, state: State) -> None:
        at, contact = self._undecided.get(name, inf), state.contacts[name]
        released = contact.state is ContactState.NORMAL
        ends = contact.changed_at if released else state.now if controller.next_deadline(state) > state.now else -inf
        if ends >= at + HELD_S:
            inhibited = name in {each.input for each in state.inhibits}
            assert inhibited or state.incident_of(name) is not None, "a test that was held isn't an alarm"
        if released or ends >= at + HELD_S:
            self._undecided.pop(name, None)

    def _check_active(self, state: State) -> None:
        inhibited = {each.input for each in state.inhibits}
        for name, contact in state.contacts.items():
            at_once = state.settings.input(name).role in (Role.BUTTON, Role.DOOR_ALARM)
            if at_once and contact.state is ContactState.ACTIVE and not {name} & {*inhibited, *self._undecided}:
                assert state.incident_of(name) is not None, "an active input without an alarm"

    @staticmethod
    def _check_private(state: State, effects: list[Effect]) -> None:
        private = {each.name for each in state.settings.inputs if each.role is Role.DOOR_INCIDENT_ONLY}
        for effect in effects:
            if isinstance(effect, Append) and effect.event.input in private:
                assert effect.event.incident is not None or effect.event.kind in ("inhibited", "inhibit-ended")
            if isinstance(effect, SendHeartbeat | WriteStatus):
                told = {each.name for each in effect.heartbeat.inputs}
                assert not told & private or effect.heartbeat.incidents, "a door is told that is nobody's business"

    @staticmethod
    def _check_stopping(before: State, effects: list[Effect]) -> None:
        if before.stopping:
            assert not any(isinstance(each, Begin | Connect | SendState) for each in effects), (
                "a node that stops comes to life"
            )

    @staticmethod
    def _check_refused(event: Event, before: State, state: State, effects: list[Effect]) -> None:
        kinds = [each.event.kind for each in effects if isinstance(each, Append)]
        if {"command-refused", "unexpected"}.intersection(kinds) and event.at <= before.now:
            assert apart(before) == apart(state), "what is refused changes something"


def apart(state: State) -> State:
    """The state without what a refusal may leave behind: its event, its counters, its outcome."""
    return replace(
        state,
        seq=0,
        waiting=WaitingEvents(),
        outcomes={},
        recent_answers=(),
        stored_snapshot=None,
        supervision=replace(state.supervision, refused=0, unstored={}),
    )


def _awaits(state: State) -> bool:
    return state.settings.receipts is Receipts.REQUIRED


def _tells(event: Event, incident: Incident, state: State) -> bool:
    match event:
        case ReceiptHeard(_, _, monitor, incident.press, "told"):
            return _awaits(state) and (monitor in state.settings.monitors or not state.settings.monitors)
        case RecordLoaded(_, Restored(snapshot=Snapshot(incidents=remembered))):
            return any((each.press, each.step) == (incident.press, Step.TOLD) for each in remembered)
        case AlarmHeard(_, _, _, listed, retained=True):
            return any((each.id, each.step) == (incident.id, Step.TOLD) for each in listed)
    return False


def _seen(listed: ListedIncident) -> tuple[object, ...]:
    return (listed.id, alarm.phase(listed.step), listed.presses, listed.press, listed.sounding_until)
