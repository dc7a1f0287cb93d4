"""A walk test at the wall: it begins and ends, people test a button, a monitor confirms that it holds the test.

modes.py has the rules. The confirmation comes with the receipt *held* and never before: a chirp and, if the lamp isn't
discreet, *received* on the lamp for a while. Without a confirmation there is nothing to hear or see, so the test hasn't
passed. In a building without a monitor no test passes. A test isn't told to people, so *told* doesn't count here.
"""

from node.core import alarm, modes, signals
from node.core.effects import HurryLinks
from node.core.line import ContactState
from node.core.model import Key
from node.core.modes import AwaitedTest, WalkTest
from node.core.settings import InputSettings, Lamp, Role
from node.core.signals import BuzzerPattern
from node.core.turn import Turn

CONFIRMED_SHOWN_S = 3.0


def begin(turn: Turn, by: str, for_s: float) -> None:
    """From now on each button may be tested, except those that are pressed or were pressed recently (modes.py)."""
    state = turn.state
    pressed = {name for name, contact in state.contacts.items() if contact.state is ContactState.ACTIVE}
    pressed |= modes.recent(state.pressed_at, turn.now).keys()
    if state.walk_test is not None and state.in_walk_test:
        pressed |= state.walk_test.pressed
    turn.change(walk_test=WalkTest(turn.now, turn.now + for_s, by, frozenset(pressed)))
    turn.log("walk-test-started", by=by, for_s=for_s)


def end(turn: Turn, walk_test: WalkTest, reason: str, by: str | None = None) -> None:
    """Each press is real from now on, or from the walk test's end if that is earlier."""
    turn.change(walk_test=walk_test.ended(turn.now))
    turn.log("walk-test-ended", by=by, reason=reason)


def press(turn: Turn, settings: InputSettings, at: float, *, seen: bool) -> bool:
    """A press of this input was decided at ``at``. Whether it is a test; if so, it is logged as one.

    ``seen``: the input was known not to be active before.
    """
    if settings.role is not Role.BUTTON:
        return False
    name, walk_test = settings.name, turn.state.walk_test
    is_first = walk_test is not None and walk_test.tests(name, at)
    note(turn, name, at)
    inhibited = modes.inhibited(turn.state.inhibits, name)
    if not is_first or not seen or inhibited or turn.state.incident_of(name) is not None:
        return False
    key = turn.log("tested", at, input=name, alarm_class=settings.alarm_class.value, test=True)
    turn.change(
        held_due={**turn.state.held_due, name: at + modes.HELD_REAL_S},
        awaited_tests={**turn.state.awaited_tests, name: AwaitedTest(key, at)},
    )
    turn.others.append(HurryLinks())
    return True


def note(turn: Turn, name: str, at: float) -> None:
    """This button was pressed: neither this walk test nor one that begins soon takes its next press for a test."""
    state = turn.state
    known = modes.recent(state.pressed_at, turn.now)
    turn.change(pressed_at={**known, name: max(at, known.get(name, at))})
    if state.walk_test is not None:
        turn.change(walk_test=state.walk_test.after_press(name))


def held(turn: Turn, key: Key) -> None:
    """A monitor holds this event; if it is a test that awaits this, the test has passed."""
    for name, awaited in turn.state.awaited_tests.items():
        if awaited.key == key:
            others = {other: each for other, each in turn.state.awaited_tests.items() if other != name}
            turn.change(awaited_tests=others)
            turn.log("test-confirmed", input=name, test=True, for_s=round(turn.now - awaited.at, 3))
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


def _confirm(turn: Turn, settings: InputSettings) -> None:
    state = turn.state
    is_quiet = signals.buzzer(state.incidents, state.identify_until is not None) is BuzzerPattern.OFF
    if is_quiet and not alarm.hushed(state.incidents, settings.alarm_class):
        turn.change(chirp_until=turn.now + signals.CHIRP_S)
    if settings.lamp is not Lamp.DISCREET:
        turn.change(confirmed_until=turn.now + CONFIRMED_SHOWN_S)
