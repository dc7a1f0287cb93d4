"""While the history is away events wait for it: of a mad node while there is room, of all others each once."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.findings.self_check import SelfCheck
from node.monitor.core.model.records import EventKey, NodeKey, NoticeKind
from node.monitor.core.nodes.events.receipts import CALLS_ROOM, ROOM, STORING_S
from node.protocol.messages import Event
from tests.monitor.core.node_messages import BOOT, SITE, about, event, press
from tests.monitor.core.node_messages import ROOM as NODE
from tests.monitor.core.play import Play

OTHER = NodeKey(SITE, "room-7")


def away() -> Play:
    """A hub whose history is away."""
    play = Play()
    play.store = False
    play.report(0.0, SelfCheck.history_failed, "away")
    return play


def waiting(play: Play, node: NodeKey = NODE) -> list[int]:
    """The numbers of a node's events that the history was given."""
    return [each.key.seq for each in play.all.events if each.key.of == node]


def flooding(play: Play) -> list[tuple[str, str]]:
    """Whom M012 is about, and what."""
    return [(key.node, key.subject) for key in play.findings if key.code == "M012"]


def recover(play: Play, at: float) -> None:
    """All that waits is stored."""
    play.store = True
    play.report(at, SelfCheck.history_works)
    play.stored(at, Stored(events=tuple(each.key for each in play.all.events)))
    play.until(at + 1.0)


@pytest.mark.parametrize(
    "said",
    [
        lambda seq: about(seq, "acknowledged", seq - 1, by="x"),
        lambda seq: about(seq, "reset", seq - 1, by="x"),
        lambda seq: replace(press(seq), test=True),
        lambda seq: event(seq, "restored", input="button"),
    ],
    ids=["acknowledgements", "ends", "tests", "telemetry"],
)
def test_a_mad_node_has_room_for_no_more(said: Callable[[int], Event]) -> None:
    """What is beyond has no receipt and is found; its real call is told all the same, and so is another node's."""
    play = away()
    for seq in range(2, 2 * ROOM):
        play.hear(1.0, said(seq))
    mad = waiting(play)

    play.hear(2.0, press(5_000))
    play.hear(2.0, press(1, OTHER), OTHER)
    called = [(each.node, each.test) for each in play.all.notices if each.kind is NoticeKind.ALARM][-2:]

    assert mad == list(range(2, 2 + ROOM))
    assert waiting(play)[ROOM:] == [5_000]
    assert waiting(play, OTHER) == [1]
    assert called == [(NODE.node, False), (OTHER.node, False)]
    assert play.receipts() == []
    assert (NODE.node, "events") in flooding(play)


def test_what_found_no_room_is_held_once_the_history_is_back() -> None:
    """Its node sends it again; the finding is over then."""
    play = away()
    for seq in range(1, ROOM + 2):
        play.hear(1.0, event(seq, "restored", input="button"))
    refused = ROOM + 1

    recover(play, 10.0)
    play.hear(12.0, event(refused, "restored", input="button"))

    assert (BOOT, refused) in play.receipts()
    assert flooding(play) == []


def test_calls_that_somebody_invents_have_an_end_too() -> None:
    """Each is of one more press than was known: more than a node's alarms find room for."""
    play = away()
    for seq in range(1, ROOM + 2):
        play.hear(1.0, event(seq, "restored", input="button"))
    first = press(1_000)

    for number in range(2 * CALLS_ROOM):
        play.hear(2.0, replace(press(1_000 + number, incident=1_000, presses=1 + number), at_utc=first.at_utc))

    assert waiting(play)[ROOM:] == list(range(1_000, 1_000 + CALLS_ROOM))


def test_an_event_that_comes_again_in_an_outage_waits_once() -> None:
    """However long it is: a building whose nodes repeat for a day fills no memory. Then it is taken again."""
    play = away()
    call = press(1)
    for at in range(1, 3_600, 10):
        play.hear(float(at), call)
    once = waiting(play)

    play.report(3_600.0, SelfCheck.history_works)
    play.until(3_602.0 + STORING_S)
    play.hear(3_603.0 + STORING_S, call)

    assert once == [1]
    assert waiting(play) == [1, 1]


def test_a_flood_of_before_a_restart_is_over() -> None:
    """Nothing waits then."""
    play = away()
    for seq in range(1, ROOM + 2):
        play.hear(1.0, event(seq, "restored", input="button"))
    before = flooding(play)

    play = Play(Remembered(findings=tuple(play.findings.values())))
    play.hear(0.5, event(1, "restored", input="button"))
    play.until(2.0)

    assert before == [(NODE.node, "events")]
    assert flooding(play) == []


def test_what_the_history_refuses_leaves_its_room() -> None:
    """Its node sends it again, and it is taken again."""
    play = away()
    for seq in range(1, ROOM + 2):
        play.hear(1.0, event(seq, "restored", input="button"))

    play.unstored(EventKey(*NODE, BOOT, 1), EventKey(*NODE, BOOT, 1))
    play.hear(1.5, event(1, "restored", input="button"))

    assert waiting(play)[ROOM:] == [1]


def test_what_is_stored_waits_no_longer() -> None:
    """Of its events a node's number is all that is kept."""
    play = Play()
    for seq in range(1, 101):
        play.hear(1.0, event(seq, "restored", input="button"))
    size = play.size()

    for seq in range(101, 201):
        play.hear(1.0, event(seq, "restored", input="button"))

    assert play.size() < size + 100
