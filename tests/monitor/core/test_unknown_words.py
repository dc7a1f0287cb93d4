"""What a newer node says and this version doesn't know: nothing is lost for it, and somebody is told to upgrade."""

from typing import Any

import pytest

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.findings import unknown_words
from node.monitor.core.findings.unknown_words import NAMED
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.model.records import FindingKey, NodeRecord, Status
from tests.monitor.core.node_messages import BOOT, ROOM, START, about, alarm, event, heartbeat
from tests.monitor.core.play import Play

KIND = ("kind shouted",)
SHOWN_S = 60.0
"""In the place of a day, whose every half second would be played."""

FOUND = FindingKey("M023", *ROOM, "messages")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_words, "SHOWN_S", SHOWN_S)


def test_an_event_of_an_unknown_kind_is_held_and_found_and_no_call() -> None:
    """Its node needn't send it for ever, and nobody is called for what nobody here understands."""
    play = Play()

    play.hear(1.0, about(1, "shouted", 1), unknown=KIND)
    play.hear(2.0, about(1, "shouted", 1), unknown=KIND)

    assert play.receipts() == [(BOOT, 1), (BOOT, 1)]
    assert (play.told(), play.told_receipts()) == ([], [])
    assert [(each.kind, each.incident) for each in play.all.events] == [("shouted", f"{BOOT}-1")]
    assert {key: each.detail for key, each in play.findings.items()} == {FOUND: "kind shouted"}


def test_an_alarm_whose_call_is_of_an_unknown_kind_is_told_all_the_same() -> None:
    """Its node lists it, whatever its event is called."""
    play = Play()
    play.hear(1.0, alarm((1, "active")))
    play.hear(1.0, about(1, "shouted", 1), unknown=KIND)

    play.until(1.0 + LISTED_S + 1.0)

    assert play.told() == [("alarm", 0)]
    assert play.told_receipts()[:1] == [(BOOT, 1)]


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [({"input": "door"}, False), ({"input": "door", "incident": f"{BOOT}-1"}, True), ({"reason": "why"}, True)],
)
def test_what_may_tell_where_people_are_isnt_kept(fields: dict[str, Any], is_kept: bool) -> None:
    """An unknown kind about an input may be one about a door; in an incident that is known."""
    play = Play()

    play.hear(1.0, event(1, "slammed", **fields), unknown=("kind slammed",))

    (kept,) = play.all.events
    assert (kept.kind, bool(kept.body)) == ("slammed", is_kept)
    assert kept.input == (fields.get("input") if is_kept else None)


def test_invented_words_are_one_finding_that_names_few() -> None:
    """And people are told of it once."""
    play = Play()

    for number in range(1, 200):
        play.hear(number / 100, event(number, f"kind-{number}"), unknown=(f"kind kind-{number}",))

    (finding,) = play.findings.values()
    assert finding.detail.count("kind-") == NAMED
    assert len(play.all.notices) == 1


def test_it_is_over_a_while_after_the_last() -> None:
    """The monitor was upgraded meanwhile, or the node was brought back. Then the next words are named anew."""
    play = Play()
    play.hear(1.0, event(1, "shouted"), unknown=KIND)
    play.hear(30.0, event(2, "sung"), unknown=("kind sung",))

    play.until(30.0 + SHOWN_S - 1.0)
    before = play.found()
    play.until(30.0 + SHOWN_S + 1.0)
    after = play.found()
    play.hear(31.0 + SHOWN_S, event(3, "hummed"), unknown=("class hum",))

    assert ("M023" in before, "M023" in after) == (True, False)
    assert play.findings[FOUND].detail == "class hum"


def test_neither_a_heartbeat_nor_a_restart_ends_it() -> None:
    """Its faults are another matter, although their finding has the same code."""
    play = Play()
    play.hear(1.0, event(1, "shouted"), unknown=KIND)
    play.hear(2.0, heartbeat())
    restarted = Play(
        Remembered(
            findings=tuple(play.findings.values()),
            nodes=(NodeRecord(node=ROOM, status=Status.UP, since_utc=START, boot=BOOT),),
        )
    )

    restarted.hear(1.0, heartbeat())
    restarted.until(2.0)

    assert FOUND in play.findings
    assert FOUND in restarted.findings
