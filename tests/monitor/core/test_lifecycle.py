"""The life of an incident where things go wrong: what is forgotten, told twice, or taken for over."""

from typing import Any

import pytest
from msgspec.structs import replace as replaced

from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.incidents import false_alarms
from node.monitor.core.incidents.known import ended_incidents
from node.monitor.core.incidents.known.open_incidents import OPEN_LIMIT
from node.monitor.core.incidents.lifecycle import NORMAL_S
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import EventKey, NodeKey
from node.monitor.core.nodes.events.receipts import STORING_S
from node.protocol.messages import INCIDENTS_LIMIT
from tests.monitor.core.node_messages import (
    BOOT,
    ROOM,
    SITE,
    START,
    about,
    alarm,
    event,
    heartbeat,
    moment,
    press,
)
from tests.monitor.core.play import ESCALATE_S, INCIDENT, TWO_GROUPS, Play, again, ended_here, record_of


def mistaken(play: Play) -> dict[str, int]:
    """By button: how many calls of the last year were mistaken."""
    return {each.input: each.mistaken_calls for each in play.view().buttons}


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_call_after_an_end_that_its_node_does_not_know_is_told(restart: bool) -> None:
    """The node was cut off, its incident was ended here; it is back, goes on with it, and somebody presses there."""
    play = Play()
    ended_here(play)
    if restart:
        play = Play(again(play.record()))

    play.hear(100.0, press(2, incident=1, presses=2))

    assert play.told()[-1] == ("alarm", 0)
    assert INCIDENT in play.incidents
    assert play.all.notices[-1].key.endswith(":again:2:0")


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_call_of_before_an_end_stays_ended(restart: bool) -> None:
    """The event that began it came late."""
    play = Play()
    play.hear(1.0, about(3, "reset", 1, by="guard-desk", reason="real"))
    if restart:
        play = Play(again(play.record()))

    play.hear(2.0, press(1))

    assert play.incidents == {}
    assert ("alarm", 0) not in play.told()


def test_a_call_of_before_an_end_that_counted_it_stays_ended() -> None:
    """The end came first, and knows how often somebody had pressed."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, replaced(about(3, "reset", 1, by="guard-desk", reason="real"), presses=2))

    play.hear(3.0, press(2, incident=1, presses=2))

    assert play.incidents == {}
    assert play.record().presses == 2


def test_an_end_that_the_history_refused_is_an_end_when_it_comes_again() -> None:
    """So is an acknowledgement; and a mistaken call counts once."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.store = False
    for at in (2.0, 3.0):
        for said in (
            about(2, "acknowledged", 1, by="guard-desk"),
            about(3, "reset", 1, by="guard-desk", reason="mistaken"),
        ):
            play.hear(at, said)
        play.unstored(EventKey(*ROOM, BOOT, 2), EventKey(*ROOM, BOOT, 3))

    keys = [each.key for each in play.all.notices]
    assert keys.count(f"reset:{INCIDENT}:1") == 2
    assert play.record().reset_reason == "mistaken"
    assert mistaken(play) == {"button": 1}


def test_a_call_that_the_history_refused_is_told_when_it_comes_again() -> None:
    """The commit that was refused had the incident and the notice with it."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    refused = len(play.all.notices), len(play.all.incidents)
    play.unstored(EventKey(*ROOM, BOOT, 1))

    play.hear(11.0, press(1))

    assert [each.key for each in play.all.notices[refused[0] :]] == [f"alarm:{INCIDENT}:0"]
    assert [each.key for each in play.all.incidents[refused[1] :]] == [INCIDENT]


def test_a_further_call_that_the_history_refused_is_told_when_it_comes_again() -> None:
    """Under the name that it had."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.store = False
    for at in (3.0, 3.0 + STORING_S + 1.0):
        play.hear(at, press(3, incident=1, presses=2))

    assert [each.key for each in play.all.notices if "again" in each.key] == [f"alarm:{INCIDENT}:again:2:0"] * 2


def test_a_further_press_is_told_to_whoever_was_called_and_puts_no_group_off() -> None:
    """Nobody has come: all that were called so far hear of it, and the next group is called when it was to be."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(30.0, press(2, incident=1, presses=2))
    soon = play.told()
    play.until(1.0 + ESCALATE_S)
    later = play.told()

    play.hear(3600.0, press(3, incident=1, presses=3))
    play.until(4000.0)

    assert soon == [("alarm", 0), ("alarm", 0)]
    assert later == [*soon, ("alarm", 1)]
    assert play.told() == [*later, ("alarm", 0), ("alarm", 1)]
    assert [each.presses for each in play.all.notices if each.is_call] == [1, 2, 2, 3, 3]


def test_two_monitors_name_the_same_call_alike_whichever_came_first() -> None:
    """For one the further press came before the next group's turn, for the other after it: people are told once."""
    one, other = Play(targets=TWO_GROUPS), Play(targets=TWO_GROUPS)
    for play, at in ((one, 0.5 * ESCALATE_S), (other, 1.5 * ESCALATE_S)):
        play.hear(1.0, press(1))
        play.hear(at, press(2, incident=1, presses=2))
        play.until(2 * ESCALATE_S)

    told = {(each.level, each.presses, each.key) for play in (one, other) for each in play.all.notices if each.is_call}
    assert sorted(told) == [
        (0, 1, f"alarm:{INCIDENT}:0"),
        (0, 2, f"alarm:{INCIDENT}:more:2:0"),
        (1, 1, f"alarm:{INCIDENT}:1"),
        (1, 2, f"alarm:{INCIDENT}:more:2:1"),
    ]


def test_a_restart_says_again_what_another_monitor_may_have_told_nobody() -> None:
    """That one took the press, and knew nothing of the acknowledgement here: the key says whether it was told."""
    called = Play(targets=TWO_GROUPS)
    called.hear(1.0, press(1))
    called.until(1.0 + ESCALATE_S)
    called.hear(100.0, about(2, "acknowledged", 1, by="guard-desk"))
    called.hear(200.0, press(3, incident=1, presses=2))

    play = Play(Remembered(incidents=(called.record(),)), targets=TWO_GROUPS)

    assert [each.key for each in play.all.notices] == [f"alarm:{INCIDENT}:again:2:{level}" for level in (0, 1)]
    assert [each.key for each in called.all.notices[-2:]] == [each.key for each in play.all.notices]


def test_a_restart_says_nothing_again_of_what_is_answered() -> None:
    """The press that is heard again was told as the first one, whoever answered it."""
    called = Play()
    called.hear(1.0, press(1))
    called.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play = Play(Remembered(incidents=(called.record(),)))
    at_once = play.told()

    play.hear(3.0, press(1))

    assert at_once == []
    assert [each.key for each in play.all.notices] == [f"alarm:{INCIDENT}:0"]


def test_a_press_right_after_a_restart_is_told_where_all_were_told_before() -> None:
    """When that was nobody knows: who is called once too often is better than nobody."""
    play = Play(Remembered(incidents=(record_of(INCIDENT, told_level=1),)), targets=TWO_GROUPS)

    play.hear(1.0, press(2, incident=1, presses=2))

    assert play.told() == [("alarm", 0), ("alarm", 1)]


def test_all_that_were_called_by_a_press_are_when_it_comes_again() -> None:
    """The history refused it: the second group took the first call for answered just as the first one did."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.until(1.0 + ESCALATE_S)
    play.hear(70.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.store = False
    play.hear(80.0, press(3, incident=1, presses=2))
    play.unstored(EventKey(*ROOM, BOOT, 3))
    refused = len(play.all.notices)

    play.hear(90.0, press(3, incident=1, presses=2))

    assert [each.key for each in play.all.notices[refused:]] == [
        f"alarm:{INCIDENT}:again:2:{level}" for level in (0, 1)
    ]


def test_what_the_history_refused_before_a_further_call_is_said_under_its_own_name() -> None:
    """The first call, and that it was answered, which stays as it was."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.hear(3.0, about(4, "acknowledged", 1, by="second"))
    play.hear(4.0, press(3, incident=1, presses=2))
    play.unstored(EventKey(*ROOM, BOOT, 1))

    play.hear(5.0, press(1))

    answered, first, again = f"acknowledged:{INCIDENT}:1", f"alarm:{INCIDENT}:0", f"alarm:{INCIDENT}:again:2:0"
    assert [each.key for each in play.all.notices] == [first, answered, answered, again, first]
    assert {each.acknowledged_by for each in play.all.incidents if each.answered} == {"guard-desk"}


def test_a_press_that_is_heard_again_hides_no_further_one() -> None:
    """Its call was long ago, however often its event comes while the history is away."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    play.unstored(EventKey(*ROOM, BOOT, 1))
    play.hear(100.0, press(1))

    play.hear(101.0, press(2, incident=1, presses=2))

    assert play.told() == [("alarm", 0), ("alarm", 0)]


def test_whoever_was_called_before_is_called_at_once() -> None:
    """Both groups took it for answered."""
    play = Play(targets=(*TWO_GROUPS, Target("t2", "json://x", level=2)))
    play.hear(1.0, press(1))
    play.until(1.0 + ESCALATE_S)
    play.hear(70.0, about(2, "acknowledged", 1, by="guard-desk"))
    before = play.told()

    play.hear(100.0, press(3, incident=1, presses=2))
    at_once = play.told()
    play.until(100.0 + ESCALATE_S)

    assert at_once == [*before, ("alarm", 0), ("alarm", 1)]
    assert play.told() == [*at_once, ("alarm", 2)]
    assert len({each.key for each in play.all.notices}) == len(play.all.notices)


def test_who_floods_keeps_no_other_nodes_first_call_from_being_told() -> None:
    """A node that invents incidents has as many as it may list; each other one is heard."""
    play = Play()
    nodes = [NodeKey(SITE, f"n-{number}") for number in range(OPEN_LIMIT // INCIDENTS_LIMIT + 1)]
    for node in nodes:
        for seq in range(1, INCIDENTS_LIMIT + 5):
            play.hear(1.0, press(seq, node=node), node)
    at_limit = len(play.incidents)

    play.hear(2.0, press(1))

    assert at_limit == OPEN_LIMIT
    assert INCIDENT in play.incidents
    assert [key.of for key in play.incidents].count(nodes[0]) == INCIDENTS_LIMIT
    assert "M012" in play.found()


def test_a_flood_of_incidents_is_over_once_one_of_them_ends() -> None:
    """Then there is room again."""
    play = Play()
    for seq in range(1, INCIDENTS_LIMIT + 2):
        play.hear(1.0, press(seq))
    flooded = play.found()

    play.hear(2.0, about(100, "reset", 1, by="guard-desk", reason="technical"))

    assert (flooded, play.found()) == (["M012", "M017"], ["M017"])


def test_a_call_that_is_held_stays_held_whatever_else_the_node_says() -> None:
    """A door's number and a telemetry's are looked up alike."""
    play = Play()
    for _ in range(2):
        play.hear(1.0, event(1, "opened", input="door"))
        play.hear(1.0, event(2, "pressed", input="button", presses=1))

    assert play.receipts() == [(BOOT, 1), (BOOT, 2)] * 2
    assert play.view().counters.repeated == 2


def test_an_incident_that_was_acknowledged_before_it_was_heard_wakes_no_next_group() -> None:
    """The list says that somebody is coming."""
    play = Play(targets=TWO_GROUPS)

    play.hear(1.0, alarm((1, "acknowledged")), retained=True)
    play.until(200.0)

    assert play.told() == [("alarm", 0)]


@pytest.mark.parametrize("fields", [{"incident": None}, {"presses": None}, {"presses": 0}], ids=str)
def test_an_event_that_is_no_call_begins_nothing(fields: dict[str, Any]) -> None:
    """A door that is opened calls nobody."""
    play = Play()

    play.hear(1.0, replaced(press(1), **fields))

    assert play.incidents == {}


def test_mistaken_calls_are_forgotten_after_a_year() -> None:
    """Those that the history remembers, too."""
    day = 86400.0
    mistaken = tuple((ROOM, "button", moment(-days * day).utc) for days in (364, 300))
    play = Play(Remembered(mistaken=mistaken))
    found = play.found()

    play.jump(2 * day)

    assert (found, play.found()) == (["M007"], [])


def test_a_mistaken_call_of_more_than_a_year_ago_is_forgotten() -> None:
    """With its button: it may be gone."""
    buttons = ["button", *(f"gone-{number}" for number in range(1_000))]
    calls = tuple((ROOM, name, moment(-364 * 86400.0).utc) for name in buttons)
    play = Play(Remembered(mistaken=calls))
    play.hear(0.0, heartbeat())
    before, size = mistaken(play), play.size()

    play.jump(2 * 86400.0)

    assert (before, mistaken(play)) == ({"button": 1}, {"button": 0})
    assert play.size() < size - len(buttons)


def test_mistaken_calls_of_invented_buttons_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of buttons that are known go on being counted."""
    monkeypatch.setattr(false_alarms, "LIMIT", 2)
    play = Play()
    play.hear(0.0, heartbeat(buttons=("button-1", "button-3", "button-5")))

    for seq in range(1, 9, 2):
        play.hear(float(seq), replaced(press(seq), input=f"button-{seq % 6}"))
        play.hear(float(seq), about(seq + 1, "reset", seq, by="guard-desk", reason="mistaken"))

    assert mistaken(play) == {"button-1": 2, "button-3": 1, "button-5": 0}


def test_the_newest_ends_alone_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever invents ends fills no memory. A call that comes after its end is over only if that is remembered."""
    monkeypatch.setattr(ended_incidents, "CLOSED_KEPT", 2)
    play = Play()
    for seq in range(1, 6):
        play.hear(float(seq), about(10 + seq, "reset", seq, by="guard-desk", reason="real"))

    for seq in range(1, 6):
        play.hear(10.0, replaced(press(seq), age_ms=10_000))

    assert [key.incident for key in play.incidents] == [f"{BOOT}-{seq}" for seq in (1, 2, 3)]


def test_what_is_not_about_a_call_changes_no_incident() -> None:
    """A silenced sound is the node's own matter."""
    play = Play()
    play.hear(1.0, press(1))
    before = dict(play.incidents)

    play.hear(2.0, about(2, "silenced", 1, by="guard-desk"))
    play.hear(3.0, event(3, "identified", by="guard-desk"))

    assert play.incidents == before


def test_an_incident_that_went_on_ends_as_any_other() -> None:
    """A mistaken call counts, although it had been ended once before."""
    play = Play()
    ended_here(play)
    play.hear(100.0, press(2, incident=1, presses=2))

    play.hear(101.0, replaced(about(3, "reset", 1, by="key", reason="mistaken"), presses=2))

    assert play.incidents == {}
    assert mistaken(play) == {"button": 1}


def test_a_test_that_is_ended_as_mistaken_is_no_mistaken_call() -> None:
    """As it is none after a restart."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, replaced(press(1), test=True))

    play.hear(2.0, about(2, "reset", 1, by="key", reason="mistaken", test=True))

    assert play.record().reset_reason == "mistaken"
    assert mistaken(play) == {"button": 0}


@pytest.mark.parametrize("asked_at", [2.0, 1.0 + NORMAL_S], ids=["before", "when somebody is to ask"])
def test_an_end_that_another_monitor_stored_is_one(asked_at: float) -> None:
    """Ours was started just then, and the node has its receipt: the history is asked when the list says normal."""
    play = Play(Remembered(incidents=(record_of(INCIDENT, told_presses=1),)))
    for at in (1.0, 1.5):
        play.hear(at, alarm(), retained=True)
    play.until(asked_at)
    asked = [each.key for each in play.all.incidents]

    play.stored(asked_at, Stored(incidents=(record_of(INCIDENT, reset_utc=START),)))
    play.until(100.0)

    assert asked == [INCIDENT] * (1 if asked_at < NORMAL_S else 2)
    assert play.incidents == {}
    assert play.found() == []
    play.hear(101.0, replaced(press(1), age_ms=101_000))
    assert play.told() == []


def test_what_was_ended_here_and_pressed_once_more_goes_on() -> None:
    """Another monitor heard the press, and the history has it as open."""
    play = Play(targets=TWO_GROUPS)
    ended_here(play)
    told = play.told()

    play.stored(61.0, Stored(incidents=(record_of(INCIDENT, presses=2),)))
    play.until(61.0 + ESCALATE_S)

    assert INCIDENT in play.incidents
    assert play.told() == [*told, ("alarm", 0), ("alarm", 1)]
    play.hear(200.0, replaced(about(3, "reset", 1, by="key", reason="mistaken"), presses=2))
    assert mistaken(play) == {"button": 1}


def test_what_was_ended_here_stays_ended_where_the_history_says_the_same() -> None:
    """Its answer comes after the end."""
    play = Play()
    ended_here(play)

    for there in (record_of(INCIDENT), record_of(INCIDENT, reset_utc=START)):
        play.stored(61.0, Stored(incidents=(there,)))

    assert play.incidents == {}
