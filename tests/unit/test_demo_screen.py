"""The demo's screen as text: what it shows of a picture, within any size."""

from dataclasses import replace

import pytest

from node.core.model import Step
from node.core.signals import LAMP_WAVES, LampPattern
from node.demo.observe.observations import Finding, Fleet, Heard, understand
from node.demo.rooms import ROOMS
from node.demo.screen import layout
from node.demo.screen.state import Passed, Picture, Wall
from node.protocol.messages import StandingFault


def full_picture() -> Picture:
    """More than fits on any screen."""
    walls = {room.id: Wall(room, node_on=True) for room in ROOMS}
    picture = Picture(began_at=0.0, port=20_000, walls=walls, chosen=ROOMS[0].id, broker_on=True)
    picture.wall.lamp = LampPattern.CALLING
    picture.wall.ladder = dict.fromkeys((Step.PRESSED, Step.STORED, Step.NOBODY), 1.0)
    picture.fleet = Fleet(1.0, dict.fromkeys(walls, "up"), blind=False)
    picture.passed.extend(Passed(float(number), "event", "words " * 40) for number in range(100))
    return picture


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60), (60, 15), (30, 8), (5, 3), (1, 1)])
def test_the_screen_keeps_within_its_size(width: int, height: int) -> None:
    """Nothing is wider or higher than the terminal, which would make it scroll."""
    lines = [layout.text(line) for line in layout.draw(full_picture(), 2.0, width, height)]

    assert len(lines) == height
    assert max(len(line) for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 15), (40, 10)])
def test_every_key_is_told_on_any_usable_screen(width: int, height: int) -> None:
    """The keys are never pushed out by what is shown above them."""
    lines = [layout.text(line) for line in layout.draw(full_picture(), 2.0, width, height)]

    told = " ".join(lines[:height])
    assert all(f" {key} {does}" in told for key, does in layout.keys(full_picture()))


def test_the_newest_messages_stand_lowest() -> None:
    """As in a log: what just passed is right above the keys."""
    lines = [layout.text(line) for line in layout.draw(full_picture(), 2.0, 80, 24)]

    passed = [line for line in lines if "words" in line]
    assert passed[-1].startswith("   99.0 s")
    assert len(passed) >= 6


@pytest.mark.parametrize("pattern", LampPattern)
def test_the_drawn_lamp_keeps_the_real_ones_time(pattern: LampPattern) -> None:
    """From one change to the next the drawn lamp goes around its wave, pair by pair."""
    wave = (*LAMP_WAVES[pattern], *LAMP_WAVES[pattern])
    begins = [1000.0 + sum(seconds for _, seconds in wave[:number]) for number in range(len(wave))]

    drawn = [layout.lamp_level(pattern, 1000.0, begin + 0.001) for begin in begins]

    assert [level for level, _ in drawn] == [level for level, _ in wave]
    assert [left + 0.001 for _, left in drawn] == pytest.approx([seconds for _, seconds in wave])


def test_a_lamp_without_a_node_is_dark() -> None:
    """No pattern is a dark lamp, which says that the node is dead."""
    level, _ = layout.lamp_level(None, 0.0, 1.0)

    assert level is False


def text_of(picture: Picture, now: float = 2.0) -> str:
    """The whole screen of 80 x 24."""
    return "\n".join(layout.text(line) for line in layout.draw(picture, now, 80, 24))


def test_the_worst_finding_is_shown_with_its_next_step() -> None:
    """Of another node than the chosen one, too; and how many there are."""
    picture = full_picture()
    assert picture.fleet is not None
    findings = (
        Finding("M001", "desk-012", "a node is down", "go there"),
        Finding("M006", "room-310", "a test is overdue", "test it"),
    )
    picture.fleet = replace(picture.fleet, statuses={**picture.fleet.statuses, "desk-012": "down"}, findings=findings)

    shown = text_of(picture)

    assert "2 desk-012 DOWN" in shown
    assert "M001 (1 of 2) desk-012: a node is down. Next: go there." in shown


def test_what_the_node_says_itself_is_not_told_again_by_the_monitor() -> None:
    """The same fault stands there once."""
    picture = full_picture()
    assert picture.fleet is not None
    picture.wall.faults = (StandingFault(code="F010", subject="", since="", text="no broker", next="look"),)
    finding = Finding("F010", picture.chosen, "no broker", "look")
    picture.fleet = replace(picture.fleet, findings=(finding,))

    shown = text_of(picture)

    assert shown.count("F010") == 1


def test_only_the_chosen_nodes_messages_and_the_monitors_are_shown() -> None:
    """What passes in other rooms would push out what happens in this one."""
    picture = full_picture()
    picture.passed.clear()
    for name in (ROOMS[0].id, ROOMS[1].id):
        picture.take(Heard(1.0, f"alarm/v1/demo/node/{name}/event", name.encode(), None))
    state = b'{"v":1,"monitor":"guard-desk","boot":"00000000","state":"online"}'
    topic = "alarm/v1/demo/monitor/guard-desk/state"
    picture.take(Heard(1.0, topic, state, understand(topic, state)))

    shown = text_of(picture)

    assert repr(ROOMS[0].id.encode()) in shown
    assert repr(ROOMS[1].id.encode()) not in shown
    assert "desk state     online" in shown


def test_a_call_in_another_room_is_seen() -> None:
    """Whichever node is chosen."""
    picture = full_picture()
    picture.walls["room-310"].ladder = {Step.PRESSED: 1.0}

    assert "3 room-310 up CALLS" in text_of(picture)
