"""A walk test at the wall: it begins and ends, people test a button, a monitor confirms that it holds the test.

Rules:

1. The first press of each button within it is the button's test; every later press is real. A press that counts
   otherwise (in an open incident, or of an inhibited button) also uses up the test.
   A button that is pressed when the walk test starts, or was pressed in the ``RECENT_S`` before, has no test: somebody
   in need who sees nobody come presses again. Starting again while a walk test runs gives no button its test back.
2. A press is judged by its own instant, from the start on and before the end, even if it is decided later.
3. A test that is held for ``HELD_REAL_S`` becomes a real press at that instant, even if the walk test is over by then.
   Only a release that was seen in time prevents this; a wire that breaks meanwhile doesn't.
4. A button that is already pressed when it is first read is a real alarm, because no tester was seen to press it.
5. A restart ends the walk test, so the record doesn't store it. It does store which buttons were pressed recently.
6. The confirmation comes with the receipt *held* and never before: a chirp and, if the lamp isn't discreet, *received*
   on the lamp for a while. Without a confirmation there is nothing to hear or see, so the test hasn't passed. In a
   building without a monitor no test passes. A test isn't told to people, so *told* doesn't count here.

    walk test   ______|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|________
    button      ________|‾|_____|‾|____|‾‾‾‾‾‾‾‾‾‾|_    another one: __|‾‾‾‾‾‾‾‾‾‾|_
    is           tested ^  real ^  real ^                     tested ^  2 s ^ real
"""

from collections.abc import Mapping
from math import inf

from node.core import alarm, inhibit, signals
from node.core.effects import HurryLinks
from node.core.line import ContactState
from node.core.model import EventKind, Key
from node.core.settings import InputSettings, Lamp, Role
from node.core.signals import BuzzerPattern
from node.core.state import AwaitedTest, State, WalkTest
from node.core.turn import Turn

HELD_REAL_S = 2.0
"""How long a test may be held before it is real (PROTOCOL.md 10)."""

RECENT_S = 300.0
"""For so long after a press, a walk test takes the next press of the same button for real.

It is as long as a call that nobody has may wait to be sent again (delivery.py). So a second press by the same
frightened person is never a test.
"""

CONFIRMED_SHOWN_S = 3.0


def recent(pressed_at: Mapping[str, float], now: float) -> dict[str, float]:
    """Those of these presses that are so recent that a walk test takes the next press of their button for real."""
    return {name: at for name, at in pressed_at.items() if at > now - RECENT_S}


def begin(turn: Turn, by: str, for_s: float) -> None:
    """From now on each button may be tested, except those that are pressed or were pressed recently (rule 1)."""
    state = turn.state
    pressed = {name for name, contact in state.contacts.items() if contact.state is ContactState.ACTIVE}
    pressed |= recent(state.pressed_at, turn.now).keys()
    if state.walk_test is not None and state.in_walk_test:
        pressed |= state.walk_test.pressed
    turn.change(walk_test=WalkTest(turn.now, turn.now + for_s, by, frozenset(pressed)))
    turn.log(EventKind.WALK_TEST_STARTED, by=by, for_s=for_s)


def end(turn: Turn, walk_test: WalkTest, reason: str, by: str | None = None) -> None:
    """Each press is real from now on, or from the walk test's end if that is earlier."""
    turn.change(walk_test=walk_test.ended(turn.now))
    turn.log(EventKind.WALK_TEST_ENDED, by=by, reason=reason)


def press(turn: Turn, settings: InputSettings, at: float, *, seen: bool) -> bool:
    """A press of this input was decided at ``at``. Whether it is a test; if so, it is logged as one.

    ``seen``: the input was known not to be active before.
    """
    if settings.role is not Role.BUTTON:
        return False
    name, walk_test = settings.name, turn.state.walk_test
    is_first = walk_test is not None and walk_test.tests(name, at)
    note(turn, name, at)
    inhibited = inhibit.is_inhibited(turn.state.inhibits, name)
    if not is_first or not seen or inhibited or turn.state.incident_of(name) is not None:
        return False
    key = turn.log(EventKind.TESTED, at, input=name, alarm_class=settings.alarm_class.value, test=True)
    turn.change(
        held_due={**turn.state.held_due, name: at + HELD_REAL_S},
        awaited_tests={**turn.state.awaited_tests, name: AwaitedTest(key, at)},
    )
    turn.last.append(HurryLinks())
    return True


def note(turn: Turn, name: str, at: float) -> None:
    """This button was pressed: neither this walk test nor one that begins soon takes its next press for a test."""
    state = turn.state
    known = recent(state.pressed_at, turn.now)
    turn.change(pressed_at={**known, name: max(at, known.get(name, at))})
    if state.walk_test is not None:
        turn.change(walk_test=state.walk_test.after_press(name))


def held(turn: Turn, key: Key) -> None:
    """A monitor holds this event; if it is a test that awaits this, the test has passed."""
    for name, awaited in turn.state.awaited_tests.items():
        if awaited.key == key:
            others = {other: each for other, each in turn.state.awaited_tests.items() if other != name}
            turn.change(awaited_tests=others)
            turn.log(EventKind.TEST_CONFIRMED, input=name, test=True, for_s=round(turn.now - awaited.at, 3))
            _confirm(turn, turn.state.settings.input(name))


def time_passed(turn: Turn) -> None:
    """Do what is due: the end of a walk test, of a chirp, of a confirmation."""
    state = turn.state
    walk_test = state.walk_test
    if walk_test is not None and not walk_test.over and turn.now >= walk_test.until:
        end(turn, walk_test, "time")
    if state.chirp_until is not None and turn.now >= state.chirp_until:
        turn.change(chirp_until=None)
    if state.confirmed_until is not None and turn.now >= state.confirmed_until:
        turn.change(confirmed_until=None)


def next_instant(state: State) -> float:
    """When the walk test, a chirp or a confirmation ends; inf if nothing does."""
    ends = [state.chirp_until, state.confirmed_until]
    if state.walk_test is not None and not state.walk_test.over:
        ends.append(state.walk_test.until)
    return min((each for each in ends if each is not None), default=inf)


def _confirm(turn: Turn, settings: InputSettings) -> None:
    state = turn.state
    is_quiet = signals.buzzer(state.incidents, state.identify_until is not None) is BuzzerPattern.OFF
    if is_quiet and not alarm.muted(state.incidents, settings.alarm_class):
        turn.change(chirp_until=turn.now + signals.CHIRP_S)
    if settings.lamp is not Lamp.DISCREET:
        turn.change(confirmed_until=turn.now + CONFIRMED_SHOWN_S)
