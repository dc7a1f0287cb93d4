"""The demo's screen as text: what it shows of its state, within any size."""

from dataclasses import replace

import pytest

from node.core.model import Step
from node.core.signals import LAMP_WAVES, LampPattern
from node.demo.observe.observations import BrokerMessage, Finding, MonitorView, decode
from node.demo.rooms import ROOMS
from node.demo.screen.layout import FULL_HEIGHT, FULL_WIDTH, draw, keys
from node.demo.screen.room_panel import lamp_level
from node.demo.screen.state import MessageLine, RoomState, ScreenState
from node.demo.screen.text import plain_text
from node.protocol.messages import StandingFault


def full_state() -> ScreenState:
    """More than fits on any screen."""
    rooms = {room.id: RoomState(room, node_on=True) for room in ROOMS}
    state = ScreenState(began_at=0.0, port=20_000, rooms=rooms, chosen=ROOMS[0].id, broker_on=True)
    state.room.lamp = LampPattern.CALLING
    state.room.ladder = dict.fromkeys((Step.PRESSED, Step.STORED, Step.NOBODY), 1.0)
    state.view = MonitorView(1.0, dict.fromkeys(rooms, "up"), blind=False)
    state.messages.extend(MessageLine(float(number), "event", "words " * 40) for number in range(100))
    return state


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60), (60, 15), (30, 8), (5, 3), (1, 1)])
def test_the_screen_keeps_within_its_size(width: int, height: int) -> None:
    """Nothing is wider or higher than the terminal, which would make it scroll."""
    lines = [plain_text(line) for line in draw(full_state(), 2.0, width, height)]

    assert len(lines) == height
    assert max(len(line) for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 15), (40, 10)])
def test_every_key_is_told_on_any_usable_screen(width: int, height: int) -> None:
    """The keys are never pushed out by what is shown above them."""
    lines = [plain_text(line) for line in draw(full_state(), 2.0, width, height)]

    told = " ".join(lines[:height])
    assert all(f" {key} {does}" in told for key, does in keys(full_state()))


@pytest.mark.parametrize(
    ("width", "height", "is_told"),
    [
        pytest.param(FULL_WIDTH, FULL_HEIGHT, False, id="just enough"),
        pytest.param(FULL_WIDTH - 1, FULL_HEIGHT, True, id="too narrow"),
        pytest.param(FULL_WIDTH, FULL_HEIGHT - 1, True, id="too low"),
    ],
)
def test_a_screen_that_is_too_small_says_what_it_needs(width: int, height: int, is_told: bool) -> None:
    """Its first line has the size to enlarge it to."""
    first = plain_text(draw(full_state(), 2.0, width, height)[0])

    assert (f"too small: needs {FULL_WIDTH} x {FULL_HEIGHT}, has {width} x {height}" in first) is is_told


def test_a_screen_of_the_full_width_cuts_no_step() -> None:
    """The longest line of the ladder fits."""
    state = full_state()
    state.room.ladder = dict.fromkeys(Step, 1.0)

    lines = [plain_text(line) for line in draw(state, 2.0, 200, FULL_HEIGHT)]

    assert max(len(line) for line in lines if "[x]" in line) <= FULL_WIDTH


def test_the_newest_messages_stand_lowest() -> None:
    """As in a log: what just passed is right above the keys."""
    lines = [plain_text(line) for line in draw(full_state(), 2.0, 80, 24)]

    passed = [line for line in lines if "words" in line]
    assert passed[-1].startswith("   99.0 s")
    assert len(passed) >= 6


@pytest.mark.parametrize("pattern", LampPattern)
def test_the_drawn_lamp_keeps_the_real_ones_time(pattern: LampPattern) -> None:
    """From one change to the next the drawn lamp goes around its wave, pair by pair."""
    wave = (*LAMP_WAVES[pattern], *LAMP_WAVES[pattern])
    begins = [1000.0 + sum(seconds for _, seconds in wave[:number]) for number in range(len(wave))]

    drawn = [lamp_level(pattern, 1000.0, begin + 0.001) for begin in begins]

    assert [level for level, _ in drawn] == [level for level, _ in wave]
    assert [left + 0.001 for _, left in drawn] == pytest.approx([seconds for _, seconds in wave])


def test_a_lamp_without_a_node_is_dark() -> None:
    """No pattern is a dark lamp, which says that the node is dead."""
    level, _ = lamp_level(None, 0.0, 1.0)

    assert level is False


def text_of(state: ScreenState, now: float = 2.0) -> str:
    """The whole screen of 80 x 24."""
    return "\n".join(plain_text(line) for line in draw(state, now, 80, 24))


def test_the_worst_finding_is_shown_with_its_next_step() -> None:
    """Of another node than the chosen one, too; and how many there are."""
    state = full_state()
    assert state.view is not None
    findings = (
        Finding("M001", "desk-012", "a node is down", "go there"),
        Finding("M006", "room-310", "a test is overdue", "test it"),
    )
    state.view = replace(state.view, statuses={**state.view.statuses, "desk-012": "down"}, findings=findings)

    shown = text_of(state)

    assert "2 desk-012 DOWN" in shown
    assert "M001 (1 of 2) desk-012: a node is down. Next: go there." in shown


def test_what_the_node_says_itself_is_not_told_again_by_the_monitor() -> None:
    """The same fault stands there once."""
    state = full_state()
    assert state.view is not None
    state.room.faults = (StandingFault(code="F010", subject="", since="", text="no broker", next="look"),)
    finding = Finding("F010", state.chosen, "no broker", "look")
    state.view = replace(state.view, findings=(finding,))

    shown = text_of(state)

    assert shown.count("F010") == 1


def test_only_the_chosen_nodes_messages_and_the_monitors_are_shown() -> None:
    """What passes in other rooms would push out what happens in this one."""
    state = full_state()
    state.messages.clear()
    for name in (ROOMS[0].id, ROOMS[1].id):
        state.take(BrokerMessage(1.0, f"alarm/v1/demo/node/{name}/event", name.encode(), None))
    payload = b'{"v":1,"monitor":"guard-desk","boot":"00000000","state":"online"}'
    topic = "alarm/v1/demo/monitor/guard-desk/state"
    state.take(BrokerMessage(1.0, topic, payload, decode(topic, payload)))

    shown = text_of(state)

    assert repr(ROOMS[0].id.encode()) in shown
    assert repr(ROOMS[1].id.encode()) not in shown
    assert "monitor        online" in shown


def test_a_call_in_another_room_is_seen() -> None:
    """Whichever node is chosen."""
    state = full_state()
    state.rooms["room-310"].ladder = {Step.PRESSED: 1.0}

    assert "3 room-310 up CALLS" in text_of(state)
