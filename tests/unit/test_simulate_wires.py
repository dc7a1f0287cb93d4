"""The simulated wall's other things: doors, switches, changeover contacts, and cables that break."""

from typing import Any

import pytest
from gpiozero import InputDevice

from node.core.contact import read
from node.core.line import ContactState
from node.core.settings import InputSettings, Role, Wiring
from node.simulate.instructions import ACTIONS, Action, Instruction, carry_out, parse
from node.simulate.wall import Cable, Wall

PINS = {"desk": 17, "desk.nc": 27, "front": 5, "back": 6, "tamper": 13, "reset": 19}
INPUTS = (
    InputSettings("desk", Wiring.CHANGEOVER),
    InputSettings("front", Wiring.NORMALLY_CLOSED, role=Role.DOOR_REPORT),
    InputSettings("back", Wiring.NORMALLY_OPEN, role=Role.DOOR_ALARM),
    InputSettings("tamper", Wiring.NORMALLY_CLOSED, role=Role.TAMPER),
    InputSettings("reset", Wiring.NORMALLY_OPEN, role=Role.RESET),
)
NORMAL, ACTIVE, FAULT = ContactState.NORMAL, ContactState.ACTIVE, ContactState.FAULT


class Room:
    """A wall with one thing of each kind, and a pulled-up device on each line."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.edges: list[tuple[str, bool]] = []
        self.handlers: list[Any] = []
        self.wall = Wall(
            INPUTS,
            PINS,
            on_contact=lambda at, name, actuated: self.told.append((name, actuated)),
            on_cable=lambda at, name, cable: self.told.append((name, cable.value)),
        )
        self.devices = {
            line: InputDevice(pin, pull_up=True, pin_factory=self.wall.factory) for line, pin in PINS.items()
        }

    def listen(self, *lines: str) -> None:
        """Note the edges of these lines from now on. gpiozero holds the handlers weakly, so they are kept here."""
        for line in lines:
            self.handlers.append(lambda ticks, high, line=line: self.edges.append((line, bool(high))))
            self.devices[line].pin.when_changed = self.handlers[-1]

    def do(self, line: str) -> None:
        """Carry one instruction out."""
        instruction = parse(line, self.wall.kinds)
        assert instruction is not None
        carry_out(instruction, self.wall)

    def state(self, name: str) -> ContactState:
        """What the levels of this input say now."""
        settings = next(each for each in INPUTS if each.name == name)
        return read(settings.wiring, [bool(self.devices[line].pin.state) for line in settings.lines])


@pytest.fixture
def room() -> Any:
    """A wall; its devices are closed when the test ends."""
    made = Room()
    yield made
    for device in made.devices.values():
        device.close()


@pytest.mark.parametrize("name", [each.name for each in INPUTS])
def test_everything_is_at_rest_at_first(room: Room, name: str) -> None:
    """Doors and the case are shut, nobody presses, the key isn't turned."""
    assert room.state(name) is NORMAL


@pytest.mark.parametrize(
    ("begin", "end", "name"),
    [
        ("button press", "button release", "desk"),
        ("door:front open", "door:front close", "front"),
        ("door:back open", "door:back close", "back"),
        ("tamper open", "tamper close", "tamper"),
    ],
)
def test_each_thing_moves_as_it_is_wired(room: Room, begin: str, end: str, name: str) -> None:
    """And only that one."""
    room.do(begin)
    active = [each.name for each in INPUTS if room.state(each.name) is ACTIVE]
    room.do(end)

    assert active == [name]
    assert room.state(name) is NORMAL
    assert room.told == [(name, True), (name, False)]


def test_a_key_is_turned_and_turned_back(room: Room) -> None:
    """It springs back by itself."""
    room.listen("reset")

    room.do("reset turn")

    assert room.edges == [("reset", False), ("reset", True)]
    assert room.told == [("reset", True), ("reset", False)]


def test_a_changeover_contact_breaks_before_it_makes(room: Room) -> None:
    """Its two lines are never both at ground while it moves."""
    room.listen("desk", "desk.nc")

    room.do("button press")
    room.do("button release")

    assert room.edges == [("desk.nc", True), ("desk", False), ("desk", True), ("desk.nc", False)]


@pytest.mark.parametrize(("word", "cable"), [("cut", Cable.CUT), ("short", Cable.SHORTED)])
def test_a_broken_cable_hides_what_the_contact_does(room: Room, word: str, cable: Cable) -> None:
    """Both lines are equal, pressed or not; mended, it is again what the contact says."""
    room.do(f"button {word}")
    broken = [room.state("desk")]
    room.do("button press")
    broken.append(room.state("desk"))
    room.do("button mend")

    assert broken == [FAULT, FAULT]
    assert room.state("desk") is ACTIVE
    assert room.told == [("desk", cable.value), ("desk", True), ("desk", "intact")]


@pytest.mark.parametrize(
    ("line", "state"),
    [("door:front cut", ACTIVE), ("door:front short", NORMAL), ("door:back cut", NORMAL), ("door:back short", ACTIVE)],
)
def test_an_unsupervised_cable_can_only_look_like_something_else(room: Room, line: str, state: ContactState) -> None:
    """Cut is high and shorted is low: that is why it says "unsupervised"."""
    room.do(line)

    assert room.state(line.split(maxsplit=1)[0].partition(":")[2]) is state


@pytest.mark.parametrize(("kind", "action"), [(kind, action) for kind in ACTIONS for action in ACTIONS[kind]])
def test_every_action_of_every_kind_is_understood(kind: str, action: Action) -> None:
    """The words are those of the table."""
    ms = " 40" if action in (Action.TAP, Action.BOUNCE) else ""

    assert parse(f"{kind} {action}{ms}", {"it": kind}) == Instruction(action, "it", 40 if ms else 0)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("door open", '"door" is one of several of this wall; allowed are: door:front, door:back'),
        ("door:desk open", '"door:desk" is no input of this wall; allowed are: door:front, door:back'),
        ("door press", '"door press" is no instruction; allowed are: button press, '),
        ("reset press", "reset turn"),
        ("tamper turn", "tamper open, tamper close, tamper cut"),
        ("button:front press", '"button:front" is no input of this wall; allowed are: button:desk'),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(room: Room, line: str, text: str) -> None:
    """A door isn't pressed, and a key isn't opened."""
    with pytest.raises(ValueError, match="allowed are") as caught:
        room.do(line)

    assert text in str(caught.value)


def test_a_thing_that_this_wall_lacks_is_named() -> None:
    """With what it has."""
    with pytest.raises(ValueError, match="this wall has no door; it has: desk, hall"):
        parse("door open", {"desk": "button", "hall": "button"})
