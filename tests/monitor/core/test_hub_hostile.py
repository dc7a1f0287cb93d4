"""Numbers and names that no building says: what one node may not do to the others, nor to the monitor."""

from typing import Any

import pytest
from msgspec.structs import replace as replaced

from node.monitor.core.commands import button_tests
from node.monitor.core.commands.button_tests import NODE_BUTTONS_LIMIT
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.hub import REVIEW_S
from node.monitor.core.model.records import NodeKey, Tally
from node.monitor.core.nodes.events.heard_events import FIRST_UTC
from node.protocol.messages import FAULTS_LIMIT, EventRange
from tests.monitor.core.node_messages import BOOT, ROOM, SITE, START, about, birth, event, heartbeat, moment, press
from tests.monitor.core.play import INCIDENT, Play, record_of


@pytest.mark.parametrize("at_utc", ["9999-12-31T23:59:59.999Z", "2999-01-01T00:00:00.000Z"])
def test_nothing_happens_later_than_now(at_utc: str) -> None:
    """A node without a clock may say any time: a test of the year 9999 ended the monitor, and was never due again."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, replaced(event(1, "tested", input="button", test=True), at_utc=at_utc))
    play.hear(2.0, event(2, "test-confirmed", input="button", test=True, for_s=0.02))

    play.until(2 * REVIEW_S)

    button = play.view(2 * REVIEW_S).buttons[0]
    assert button.last_test == moment(1.0).utc


@pytest.mark.parametrize(
    ("at_utc", "age_ms"), [("0001-01-01T00:00:00.000Z", None), ("2026-11-25T13:00:00.000Z", 60_000_000_000_000)]
)
def test_nothing_happened_before_a_clock_begins(at_utc: str, age_ms: int | None) -> None:
    """A date of the year 1 is none that every zone has: the message about the call could not be made there."""
    play = Play()

    play.hear(3.0, replaced(press(1), at_utc=at_utc, age_ms=age_ms))

    assert play.record().raised_utc == FIRST_UTC


@pytest.mark.parametrize("at_utc", ["0000-00-00T00:00:00.000Z", "----------T::::::::.000Z"])
def test_a_time_that_is_none_is_taken_for_now(at_utc: str) -> None:
    """It is a label: the call counts."""
    play = Play()

    play.hear(3.0, replaced(press(1), age_ms=None, at_utc=at_utc))

    assert play.record().raised_utc == moment(3.0).utc


def test_an_age_beyond_all_time_is_taken_for_none() -> None:
    """Then the node's own label is left."""
    play = Play()

    play.hear(3.0, replaced(press(1), age_ms=2**53))

    assert play.record().raised_utc == START


def test_what_a_node_says_of_numbers_hides_no_call() -> None:
    """Whoever claims that all numbers to come were evicted would have had a receipt for each press, told to nobody."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, event(1, "evicted", ranges=[EventRange(BOOT, 1, 2**53)]))
    play.store = False
    receipts = play.receipts()

    play.hear(2.0, press(2))

    assert play.receipts() == receipts
    assert play.told() == [("alarm", 0)]


def test_what_was_evicted_before_a_restart_hides_no_call() -> None:
    """Nor does what the history holds of numbers."""
    play = Play(Remembered(tallies=(Tally(node=ROOM, boot=BOOT, ranges=((1, 2**53),)),)))
    play.store = False

    play.hear(2.0, press(2))

    assert play.receipts() == []
    assert play.told() == [("alarm", 0)]


@pytest.mark.parametrize(
    "known",
    [
        {"incidents": (record_of(INCIDENT, acknowledged_utc=START, acknowledged_by="desk", answered=1),)},
        {"closed": ((INCIDENT, 1),)},
    ],
    ids=["acknowledged", "ended here"],
)
def test_what_was_evicted_before_a_restart_hides_no_further_call(known: dict[str, Any]) -> None:
    """Whoever was told of the first press took it for answered."""
    play = Play(Remembered(tallies=(Tally(node=ROOM, boot=BOOT, ranges=((1, 2**53),)),), **known))
    play.store = False

    play.hear(2.0, press(2, incident=1, presses=2))

    assert play.receipts() == []
    assert play.told() == [("alarm", 0)]


def test_a_birth_after_evictions_is_answered_with_what_is_held() -> None:
    """A receipt for what was let go would be a lie."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, event(1, "started"))
    play.store = False
    play.hear(2.0, event(9, "evicted", ranges=[EventRange(BOOT, 2, 8)]))

    play.hear(3.0, birth(seq=9, session=2))

    assert play.receipts() == [(BOOT, 1), (BOOT, 1)]


def test_what_a_database_refuses_takes_nothing_else_along() -> None:
    """PostgreSQL takes no NUL, and one commit has what many nodes said: names become what it takes."""
    play = Play()

    play.hear(0.0, heartbeat(faults=(("F020", "re\x00cord"), ("X\x00", "")), buttons=("but\x00ton", "button")))
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="de\x00sk" * 50))
    play.hear(3.0, about(3, "reset", 1, by="\x00", reason="\x00"))

    text = repr((play.all.raised, play.all.notices, play.all.buttons, play.all.incidents))
    assert "x00" not in text
    assert [each.key.subject for each in play.all.raised if each.key.code == "F020"] == ["re\ufffdcord"]
    assert len(play.record().acknowledged_by or "") == 63


def test_a_node_lists_no_more_faults_than_a_heartbeat_has() -> None:
    """Whoever invents some is heard as far as that."""
    play = Play()

    play.hear(0.0, heartbeat(faults=tuple(("F020", f"s-{number}") for number in range(200))))

    assert len(play.found()) == FAULTS_LIMIT


def test_who_invents_buttons_takes_no_other_nodes_room() -> None:
    """By heartbeats nor by tests."""
    play = Play()
    for turn in range(3):
        names = tuple(f"b-{turn}-{number}" for number in range(50))
        play.hear(float(turn), heartbeat(buttons=names))
    for seq in range(1, 51):
        play.hear(9.0, event(seq, "tested", input=f"t-{seq}", test=True))
    size = play.size()
    for seq in range(51, 101):
        play.hear(9.0, event(seq, "tested", input=f"t-{seq}", test=True))

    assert len(play.view().buttons) == NODE_BUTTONS_LIMIT
    assert len(play.all.tests) == 100
    assert play.size() < size + 50


def test_all_buttons_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many nodes somebody invents."""
    monkeypatch.setattr(button_tests, "BUTTONS_LIMIT", 3)
    play = Play()

    for number in range(5):
        node = NodeKey(SITE, f"n-{number}")
        play.hear(0.0, heartbeat(node=node), node)

    assert len(play.view().buttons) == 3
