"""Events that somebody invents take neither the room nor the memory that real calls need."""

from typing import Any

import pytest
from msgspec.structs import replace

from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.incidents.known.open_incidents import OPEN_LIMIT
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.model.records import NodeKey, Tally
from node.monitor.core.nodes.events.plausibility import KEPT
from node.protocol.messages import INCIDENTS_LIMIT
from tests.monitor.core.invented import calls, entry, listing, real, replace_key
from tests.monitor.core.node_messages import (
    BOOT,
    ROOM,
    SITE,
    START,
    about,
    heartbeat,
    press,
)
from tests.monitor.core.play import Play, record_of


@pytest.mark.parametrize(
    "poison",
    [
        [replace(press(10 + seq), test=True) for seq in range(INCIDENTS_LIMIT)],
        [listing(*(entry(10 + number) for number in range(INCIDENTS_LIMIT)))],
        [each for seq in range(10, 106, 2) for each in (press(seq), about(seq + 1, "acknowledged", seq, by="x"))],
    ],
    ids=["tests", "listed alone", "answered"],
)
def test_open_alarms_that_somebody_invents_take_no_calls_room(poison: list[Any]) -> None:
    """The real one is told, and goes on to the next group."""
    play = Play()
    for message in poison:
        play.hear(1.0, message)
    play.until(2.0 + LISTED_S)
    assert len(play.incidents) == INCIDENTS_LIMIT

    play.hear(20.0, real(900))

    assert (f"{BOOT}-900", False) in calls(play)
    assert replace_key(900) in play.incidents
    assert len(play.incidents) == INCIDENTS_LIMIT
    assert (BOOT, 900) in play.receipts()
    assert "M012" in play.found()


def test_a_call_that_finds_no_room_has_no_receipt() -> None:
    """People run there already, for all the others; the lamp says that nobody has this one."""
    play = Play()
    for seq in range(1, INCIDENTS_LIMIT + 1):
        play.hear(1.0, press(seq))

    play.hear(20.0, real(900))

    assert (BOOT, 900) not in play.receipts()
    assert "M012" in play.found()


def test_a_press_whose_number_was_used_is_told_though_there_is_no_room() -> None:
    """It isn't kept open, and has no receipt."""
    play = Play()
    play.hear(1.0, press(900))
    play.hear(2.0, about(901, "reset", 900, by="x"))
    for seq in range(1, INCIDENTS_LIMIT + 1):
        play.hear(3.0, press(seq))
    receipts, said = play.receipts(), len(play.all.notices)

    play.hear(20.0, real(900))

    assert calls(play, said) == [(f"{BOOT}-900", False)]
    assert play.receipts() == receipts
    assert replace_key(900) not in play.incidents


def test_the_history_answers_for_a_boot_that_was_forgotten_meanwhile() -> None:
    """It was asked, and other boots were named since."""
    play = Play()
    play.hear(0.0, heartbeat())

    play.stored(1.0, Stored(tallies=(Tally(node=ROOM, boot="0000dead", ranges=((1, 2),)),)))

    assert play.node(at=1_000.0).missing == 0


@pytest.mark.parametrize(
    "others",
    [
        {"test": True, "held_utc": START},
        {"acknowledged_utc": START, "answered": 1, "held_utc": START},
        {"held_utc": None},
    ],
    ids=["tests", "answered", "listed alone"],
)
def test_a_start_resumes_no_more_than_a_node_may_have(others: dict[str, Any]) -> None:
    """What calls comes first, before what else was held or listed."""
    found = [record_of(replace_key(number), **others) for number in range(1, INCIDENTS_LIMIT + 1)]
    call = record_of(replace_key(900), held_utc=START)

    play = Play(Remembered(incidents=(*found, call)))

    assert len(play.incidents) == INCIDENTS_LIMIT < OPEN_LIMIT
    assert replace_key(900) in play.incidents


def test_what_is_known_of_calls_is_bounded() -> None:
    """Who invents calls makes no repeated one of another node a contradiction; and none of its own a held one."""
    other = NodeKey(SITE, "room-215")
    play = Play()
    play.hear(1.0, press(1, node=other), other)
    play.hear(1.0, press(1))
    for seq in range(2, 2 * KEPT):
        play.hear(50.0, press(seq, incident=1, presses=seq))
    size = play.size()
    for seq in range(2 * KEPT, 3 * KEPT):
        play.hear(50.0, press(seq, incident=1, presses=seq))
    grown = play.size() - size
    said = len(calls(play))

    play.hear(60.0, press(1, node=other), other)
    play.hear(60.0, press(1))
    play.hear(200.0, real(1))

    assert [each[0] for each in calls(play)[said:]] == [f"{BOOT}-1"]
    assert grown < KEPT
