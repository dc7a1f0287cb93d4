"""The life of an incident where things go wrong: what is forgotten, told twice, or taken for over."""

from typing import Any

import pytest
from msgspec.structs import replace as replaced

from node.core.model import Phase
from node.monitor.core.commands.requests import Acknowledge, Reset
from node.monitor.core.exchange.batch import Remembered, Stored
from node.monitor.core.exchange.monitor_settings import Target
from node.monitor.core.findings.catalogue import RESET_MISSING
from node.monitor.core.incidents.known import ended_incidents
from node.monitor.core.incidents.known.open_incidents import OPEN_LIMIT
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.incidents.lifecycle import NORMAL_S
from node.monitor.core.model import EventKey, IncidentKey, IncidentRecord, NodeKey, NoticeKind
from node.monitor.core.nodes.events.receipts import STORING_S
from node.protocol.messages import INCIDENTS_LIMIT, Alarm
from tests.monitor.core.node_messages import (
    BOOT,
    ROOM,
    SITE,
    START,
    about,
    alarm,
    birth,
    event,
    heartbeat,
    moment,
    press,
)
from tests.monitor.core.play import ESCALATE_S, INCIDENT, Play, record_of

TWO_GROUPS = (Target("t0", "json://x"), Target("t1", "json://x", level=1))


def ended_here(play: Play) -> None:
    """A node is cut off with an open incident, which a person then ends at the desk alone."""
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.ask(60.0, Reset(INCIDENT, "guard-desk", "real"))


def again(of: IncidentRecord) -> Remembered:
    """What a history knows of an incident that was ended."""
    return Remembered(closed=((of.key, of.presses),))


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_call_after_an_end_that_its_node_does_not_know_is_told(restart: bool) -> None:
    """The node was cut off, its incident was ended here; it is back, goes on with it, and somebody presses there."""
    play = Play()
    ended_here(play)
    if restart:
        play = Play(again(play.record()))

    play.hear(100.0, press(2, incident=1, presses=2))

    assert play.told()[-1] == ("alarm", 0)
    assert INCIDENT in play.hub.incidents.open
    assert play.all.notices[-1].key.endswith(":again:2:0")


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_call_of_before_an_end_stays_ended(restart: bool) -> None:
    """The event that began it came late."""
    play = Play()
    play.hear(1.0, about(3, "reset", 1, by="guard-desk", reason="real"))
    if restart:
        play = Play(again(play.record()))

    play.hear(2.0, press(1))

    assert play.hub.incidents.open == {}
    assert ("alarm", 0) not in play.told()


def test_a_call_of_before_an_end_that_counted_it_stays_ended() -> None:
    """The end came first, and knows how often somebody had pressed."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, replaced(about(3, "reset", 1, by="guard-desk", reason="real"), presses=2))

    play.hear(3.0, press(2, incident=1, presses=2))

    assert play.hub.incidents.open == {}
    assert play.record().presses == 2


def test_an_end_that_the_history_refused_is_an_end_when_it_comes_again() -> None:
    """So is an acknowledgement; and a mistaken call counts once."""
    play = Play()
    play.hear(1.0, press(1))
    play.store = False
    for at in (2.0, 3.0):
        for said in (
            about(2, "acknowledged", 1, by="guard-desk"),
            about(3, "reset", 1, by="guard-desk", reason="mistaken"),
        ):
            play.hear(at, said)
        play.hub.receipts.unstored([EventKey(*ROOM, BOOT, 2), EventKey(*ROOM, BOOT, 3)])

    keys = [each.key for each in play.all.notices]
    assert keys.count(f"reset:{INCIDENT}:1") == 2
    assert play.record().reset_reason == "mistaken"
    assert play.hub.incidents.false_alarms.count(ROOM, "button") == 1


def test_a_call_that_the_history_refused_is_told_when_it_comes_again() -> None:
    """The commit that was refused had the incident and the notice with it."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    refused = len(play.all.notices), len(play.all.incidents)
    play.hub.receipts.unstored([EventKey(*ROOM, BOOT, 1)])

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


def test_who_acknowledged_is_told_although_the_list_comes_first() -> None:
    """The node says its list before the event that changed it, and the list names nobody."""
    play = Play()
    play.hear(1.0, press(1))

    play.hear(2.0, alarm((1, "acknowledged")))
    play.hear(2.1, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.record().acknowledged_by == "guard-desk"
    assert play.all.notices[-1].by == "guard-desk"


def test_an_acknowledgement_whose_event_never_comes_is_taken_from_the_list() -> None:
    """Meanwhile nobody else is called."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))

    play.hear(55.0, alarm((1, "acknowledged")))
    play.until(55.0 + LISTED_S - 0.5)
    before = play.told()
    play.until(200.0)

    assert before == [("alarm", 0)]
    assert play.told() == [("alarm", 0), ("acknowledged", 0)]


def test_a_press_after_a_listed_acknowledgement_takes_it_back() -> None:
    """The list says active again: somebody else may stand there."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))

    play.hear(2.0, alarm((1, "acknowledged")))
    play.hear(3.0, alarm((1, "active")))
    play.until(1.0 + ESCALATE_S)

    assert play.told() == [("alarm", 0), ("alarm", 1)]


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


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_press_after_an_acknowledgement_calls_until_somebody_comes_again(restart: bool) -> None:
    """Whoever said to be coming knew nothing of it: the lamp goes back, and the next group is told as of any call."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.hear(300.0, press(3, incident=1, presses=2))
    shown = play.record().is_answered
    if restart:
        play = Play(Remembered(incidents=(play.record(),)), targets=TWO_GROUPS)
    begun = 0.0 if restart else 300.0  # a restart's time begins with it
    play.until(begun + ESCALATE_S - 1.0)
    early = play.told()
    play.until(begun + ESCALATE_S)
    late = play.told()

    play.hear(400.0, replaced(about(4, "acknowledged", 1, by="second"), presses=2))
    play.until(1000.0)

    assert not shown
    assert early == ([] if restart else [("alarm", 0), ("acknowledged", 0)]) + [("alarm", 0)]
    assert late == [*early, ("alarm", 1)]
    assert play.told() == [*late, ("acknowledged", 1)]
    assert play.record().is_answered


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


@pytest.mark.parametrize("how", ["acknowledged", "ended here"])
def test_no_groups_call_has_the_key_of_one_that_was_answered(how: str) -> None:
    """A further press is told to a group that was told of the first one, whoever of several monitors told it."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    if how == "acknowledged":
        play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    else:
        play.until(2.0 + ESCALATE_S)
        play.ask(70.0, Reset(INCIDENT, "guard-desk", "real"))
    before = {each.key for each in play.all.notices} | {f"alarm:{INCIDENT}:{level}" for level in (0, 1)}

    play.hear(100.0, press(3, incident=1, presses=2))
    play.until(100.0 + ESCALATE_S)

    called = [each for each in play.all.notices if each.kind is NoticeKind.ALARM and each.key not in before]
    assert [each.level for each in called] == [0, 1]


def test_all_that_were_called_by_a_press_are_when_it_comes_again() -> None:
    """The history refused it: the second group took the first call for answered just as the first one did."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.until(1.0 + ESCALATE_S)
    play.hear(70.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.store = False
    play.hear(80.0, press(3, incident=1, presses=2))
    play.hub.receipts.unstored([EventKey(*ROOM, BOOT, 3)])
    refused = len(play.all.notices)

    play.hear(90.0, press(3, incident=1, presses=2))

    assert [each.key for each in play.all.notices[refused:]] == [
        f"alarm:{INCIDENT}:again:2:{level}" for level in (0, 1)
    ]


def test_an_acknowledgement_that_is_heard_again_after_a_further_press_delays_and_says_nothing() -> None:
    """While the history is away it comes again and again: the next group is called all the same."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(3, incident=1, presses=2))
    play.store = False
    play.hear(3.0, about(2, "acknowledged", 1, by="guard-desk"))
    told = play.told()
    for at in (20.0, 40.0, 60.0):
        play.hub.receipts.unstored([EventKey(*ROOM, BOOT, 2)])
        play.hear(at, about(2, "acknowledged", 1, by="guard-desk"))
    before = play.told()

    play.until(3.0 + ESCALATE_S)

    assert told == before == [("alarm", 0), ("alarm", 0), ("acknowledged", 0), ("alarm", 0)]
    assert play.told() == [*told, ("alarm", 1)]


def test_a_late_acknowledgement_is_no_last_word_where_all_were_called_once_more() -> None:
    """It knew of the first press only: whoever hears of it is called again for the second."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(100.0, press(3, incident=1, presses=2))

    play.hear(101.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.told() == [("alarm", 0), ("alarm", 0), ("acknowledged", 0), ("alarm", 0)]


def test_an_acknowledgement_of_before_an_end_that_was_none_is_not_told() -> None:
    """Its event comes late: whoever was called for the press after the end is still to come."""
    play = Play()
    ended_here(play)
    play.hear(100.0, press(3, incident=1, presses=2))
    told = play.told()

    play.hear(101.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.told() == told
    assert not play.record().is_answered


def test_what_the_history_refused_before_a_further_call_is_said_under_its_own_name() -> None:
    """The first call, and that it was answered, which stays as it was."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.hear(3.0, about(4, "acknowledged", 1, by="second"))
    play.hear(4.0, press(3, incident=1, presses=2))
    play.hub.receipts.unstored([EventKey(*ROOM, BOOT, 1)])

    play.hear(5.0, press(1))

    answered, first, again = f"acknowledged:{INCIDENT}:1", f"alarm:{INCIDENT}:0", f"alarm:{INCIDENT}:again:2:0"
    assert [each.key for each in play.all.notices] == [first, answered, answered, again, first]
    assert {each.acknowledged_by for each in play.all.incidents if each.answered} == {"guard-desk"}


def test_a_press_that_is_heard_again_hides_no_further_one() -> None:
    """Its call was long ago, however often its event comes while the history is away."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    play.hub.receipts.unstored([EventKey(*ROOM, BOOT, 1)])
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


def test_an_acknowledgement_that_comes_before_its_press_answers_it() -> None:
    """The node says how often somebody had pressed: the press that comes late calls nobody."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, replaced(about(3, "acknowledged", 1, by="guard-desk"), presses=2))

    play.hear(3.0, press(2, incident=1, presses=2))
    play.until(200.0)

    assert play.told() == [("alarm", 0), ("acknowledged", 0)]
    assert play.record().is_answered


def test_who_floods_keeps_no_other_nodes_first_call_from_being_told() -> None:
    """A node that invents incidents has as many as it may list; each other one is heard."""
    play = Play()
    nodes = [NodeKey(SITE, f"n-{number}") for number in range(OPEN_LIMIT // INCIDENTS_LIMIT + 1)]
    for node in nodes:
        for seq in range(1, INCIDENTS_LIMIT + 5):
            play.hub.hear(moment(1.0), "broker-a:1883", node, press(seq, node=node), retained=False)
    at_limit = len(play.hub.incidents.open)

    play.hear(2.0, press(1))

    assert at_limit == OPEN_LIMIT
    assert INCIDENT in play.hub.incidents.open
    assert len(play.hub.incidents.of(nodes[0])) == INCIDENTS_LIMIT
    assert "M012" in play.found()


def test_a_flood_of_incidents_is_over_once_one_of_them_ends() -> None:
    """Then there is room again."""
    play = Play()
    for seq in range(1, INCIDENTS_LIMIT + 2):
        play.hear(1.0, press(seq))
    flooded = play.found()

    play.hear(2.0, about(100, "reset", 1, by="guard-desk", reason="technical"))

    assert (flooded, play.found()) == (["M012", "M017"], ["M017"])


def test_a_press_after_an_acknowledgement_that_comes_late_is_told_again() -> None:
    """The node said it first, but it was lost on the way."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(3, incident=1, presses=2))

    play.hear(3.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert play.told() == [("alarm", 0), ("alarm", 0), ("acknowledged", 0), ("alarm", 0)]


@pytest.mark.parametrize("retained", [False, True], ids=["late", "kept by a broker that the node doesn't reach"])
def test_a_list_of_before_the_newest_press_answers_nothing(retained: bool) -> None:
    """It says acknowledged: the press after that is still to be answered, and the next group is called."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))
    play.hear(300.0, press(3, incident=1, presses=2))

    play.hear(301.0, alarm((1, "acknowledged")), retained=retained)
    play.until(300.0 + ESCALATE_S)

    assert not play.record().is_answered
    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0), ("alarm", 1)]


def test_an_acknowledgement_that_is_only_listed_answers_no_press_that_came_after_it() -> None:
    """Its event never comes, nor the list of the further press: that one is called for as if both had come."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, alarm((1, "acknowledged")))
    play.hear(3.0, press(3, incident=1, presses=2))

    play.until(2.5 + LISTED_S)

    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0)]
    assert not play.record().is_answered


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (alarm((1, "active")), alarm((1, "acknowledged")), True),
        (alarm((1, "acknowledged")), alarm((1, "active"), presses=2), False),
        (alarm((1, "active"), presses=2), alarm((1, "acknowledged")), False),
    ],
    ids=["acknowledged meanwhile", "pressed meanwhile", "a late list"],
)
def test_a_listed_incident_is_taken_as_it_was_listed_last(first: Alarm, then: Alarm, expected: bool) -> None:
    """Its event never comes: whether somebody is coming decides who is called next."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, first)
    play.hear(2.0, then)

    play.until(1.5 + LISTED_S)

    assert play.record().is_answered == expected


def test_who_acknowledged_the_newest_press_is_written() -> None:
    """Of a further press somebody else may take care, and all hear it; the press after that is told once more."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="first"))
    play.hear(3.0, press(3, incident=1, presses=2))

    play.hear(4.0, replaced(about(4, "acknowledged", 1, by="second"), presses=2))
    play.hear(5.0, press(5, incident=1, presses=3))

    assert play.record().acknowledged_by == "second"
    assert play.told() == [("alarm", 0), ("acknowledged", 0)] * 2 + [("alarm", 0)]
    assert len({each.key for each in play.all.notices}) == 5


def test_a_list_that_says_the_same_again_delays_nothing() -> None:
    """Nor does the event of one of two listed calls hide the other."""
    play = Play()
    play.hear(1.0, alarm((1, "active"), (2, "active")))
    play.hear(1.5, press(1))
    for at in (2.0, 8.0):
        play.hear(at, alarm((1, "acknowledged"), (2, "active")))

    play.until(12.5)

    assert play.told() == [("alarm", 0), ("alarm", 0), ("acknowledged", 0)]


def test_a_call_that_is_held_stays_held_whatever_else_the_node_says() -> None:
    """A door's number and a telemetry's are looked up alike."""
    play = Play()
    for _ in range(2):
        play.hear(1.0, event(1, "opened", input="door"))
        play.hear(1.0, event(2, "pressed", input="button", presses=1))

    assert play.receipts() == [(BOOT, 1), (BOOT, 2)] * 2
    assert play.hub.counts.repeated == 2


def test_what_is_no_longer_listed_is_no_incident() -> None:
    """The node ended it before its event was missed."""
    play = Play()

    play.hear(1.0, alarm((1, "active"), (2, "active")))
    play.hear(2.0, alarm((2, "active")))
    play.until(30.0)

    assert [key.incident for key in play.hub.incidents.open] == [f"{BOOT}-2"]


def test_what_is_listed_again_was_not_over() -> None:
    """The finding goes with it."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, alarm())
    play.until(2.0 + NORMAL_S + 1.0)
    found = play.found()

    play.hear(50.0, alarm((1, "active")))
    play.until(100.0)

    assert ("M009" in found, "M009" in play.found()) == (True, False)


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

    assert play.hub.incidents.open == {}


def test_mistaken_calls_are_forgotten_after_a_year() -> None:
    """Those that the history remembers, too."""
    day = 86400.0
    mistaken = tuple((ROOM, "button", moment(-days * day).utc) for days in (364, 300))
    play = Play(Remembered(mistaken=mistaken))
    found = play.found()

    play.hub.time_passed(moment(2 * day))

    assert (found, play.found()) == (["M007"], [])


def test_a_mistaken_call_of_more_than_a_year_ago_is_forgotten() -> None:
    """With its button: it may be gone."""
    play = Play(Remembered(mistaken=((ROOM, "button", moment(-364 * 86400.0).utc),)))
    before = play.hub.incidents.false_alarms.count(ROOM, "button")

    play.hub.time_passed(moment(2 * 86400.0))

    assert (before, play.hub.incidents.false_alarms.count(ROOM, "button")) == (1, 0)
    assert play.hub.incidents.false_alarms._of == {}  # noqa: SLF001


def test_mistaken_calls_of_invented_buttons_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of buttons that are known go on being counted."""
    monkeypatch.setattr("node.monitor.core.incidents.false_alarms.LIMIT", 2)
    play = Play()

    for seq in range(1, 9, 2):
        play.hear(float(seq), replaced(press(seq), input=f"button-{seq % 6}"))
        play.hear(float(seq), about(seq + 1, "reset", seq, by="guard-desk", reason="mistaken"))

    false_alarms = play.hub.incidents.false_alarms
    assert [false_alarms.count(ROOM, f"button-{number}") for number in (1, 3, 5)] == [2, 1, 0]


def test_a_listed_incident_that_finds_no_room_is_no_finding_of_its_own() -> None:
    """That there are too many is one."""
    play = Play()
    for seq in range(1, INCIDENTS_LIMIT + 1):
        play.hear(1.0, press(seq))

    play.hear(2.0, alarm((900, "active")))
    play.until(2.0 + LISTED_S + 1.0)

    assert play.found() == ["M012", "M017"]


def test_the_newest_ends_alone_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever invents ends fills no memory."""
    monkeypatch.setattr(ended_incidents, "CLOSED_KEPT", 2)
    play = Play()

    for seq in range(1, 6):
        play.hear(float(seq), about(10 + seq, "reset", seq, by="guard-desk", reason="real"))

    ended = [play.hub.incidents.ended(IncidentKey(*ROOM, f"{BOOT}-{seq}")) for seq in range(1, 6)]
    assert ended == [None, None, None, 1, 1]


def test_what_is_not_about_a_call_changes_no_incident() -> None:
    """A silenced sound is the node's own matter."""
    play = Play()
    play.hear(1.0, press(1))
    before = dict(play.hub.incidents.open)

    play.hear(2.0, about(2, "silenced", 1, by="guard-desk"))
    play.hear(3.0, event(3, "identified", by="guard-desk"))

    assert play.hub.incidents.open == before


def test_an_incident_that_went_on_ends_as_any_other() -> None:
    """A mistaken call counts, although it had been ended once before."""
    play = Play()
    ended_here(play)
    play.hear(100.0, press(2, incident=1, presses=2))

    play.hear(101.0, replaced(about(3, "reset", 1, by="key", reason="mistaken"), presses=2))

    assert play.hub.incidents.open == {}
    assert play.hub.incidents.false_alarms.count(ROOM, "button") == 1


def test_an_acknowledgement_of_a_call_that_another_monitor_took_is_noted() -> None:
    """That one has died since: the history has the call, and who is coming must not be lost with it."""
    play = Play()

    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))

    assert (play.record().key, play.record().acknowledged_by) == (INCIDENT, "guard-desk")
    assert play.told() == [("acknowledged", 0)]
    assert play.hub.incidents.open == {}


@pytest.mark.parametrize(("full", "known"), [(False, True), (True, False)], ids=["as any", "where there is no room"])
def test_an_acknowledgement_shows_that_an_end_was_none(full: bool, known: bool) -> None:
    """It knew of a further press, whose event comes late: somebody is coming, and nobody is called."""
    others = [record_of(IncidentKey(*ROOM, f"{BOOT}-{seq}")) for seq in range(100, 100 + INCIDENTS_LIMIT * full)]
    play = Play(Remembered(closed=((INCIDENT, 1),), incidents=tuple(others)), targets=TWO_GROUPS)

    play.hear(1.0, replaced(about(3, "acknowledged", 1, by="key"), presses=2))
    shown = INCIDENT in play.hub.incidents.open
    if not full:
        play.hear(2.0, press(2, incident=1, presses=2))
        play.until(200.0)
        assert play.told() == [("acknowledged", 0)]

    assert shown == known
    assert play.record().is_answered


def test_an_acknowledgement_whose_answer_stays_away_until_the_end_is_told_to_nobody() -> None:
    """It is over before it could be noted here."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.ask(2.0, Acknowledge(INCIDENT, "guard-desk"))
    play.hear(3.0, about(2, "reset", 1, by="key", reason="real"))

    play.until(15.0)

    assert play.told() == [("alarm", 0), ("reset", 0)]
    assert play.hub.incidents.open == {}


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
@pytest.mark.parametrize("presses", [2, None], ids=["counted", "uncounted"])
def test_an_acknowledgement_that_comes_after_the_end_is_stored_and_not_told(restart: bool, presses: int | None) -> None:
    """The node sends both again, in any order. Nobody is told that somebody is coming to what is over."""
    play = Play()
    if restart:
        play = Play(Remembered(closed=((INCIDENT, 2),)))
    else:
        play.hear(1.0, replaced(about(3, "reset", 1, by="key", reason="real"), presses=2))
    told = play.told()

    play.hear(2.0, replaced(about(2, "acknowledged", 1, by="guard-desk"), presses=presses))
    play.until(100.0)

    record = play.record()
    assert (record.key, record.acknowledged_by, record.answered) == (INCIDENT, "guard-desk", 2)
    assert record.acknowledged_utc is not None
    assert play.told() == told
    assert play.hub.incidents.open == {}
    assert play.receipts()[-1] == (BOOT, 2)


def test_a_test_that_is_ended_as_mistaken_is_no_mistaken_call() -> None:
    """As it is none after a restart."""
    play = Play()
    play.hear(1.0, replaced(press(1), test=True))

    play.hear(2.0, about(2, "reset", 1, by="key", reason="mistaken", test=True))

    assert play.record().reset_reason == "mistaken"
    assert play.hub.incidents.false_alarms.count(ROOM, "button") == 0


def answered_elsewhere(**fields: Any) -> IncidentRecord:
    """What another monitor was told, and has stored."""
    return record_of(INCIDENT, acknowledged_utc=START, acknowledged_by="other-desk", **fields)


def test_who_is_coming_counts_for_each_monitor_of_a_history() -> None:
    """The node was dead, so that only one of them was told: the other one calls nobody, and shows it."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, alarm((1, "acknowledged")))

    play.hub.stored(moment(10.0), Stored(incidents=(answered_elsewhere(answered=1),)))
    play.until(1000.0)

    assert play.told() == [("alarm", 0)]
    (opened,) = play.hub.incidents.of(ROOM)
    assert (opened.record.is_answered, opened.record.acknowledged_by) == (True, "other-desk")


def test_a_press_is_told_of_which_an_acknowledgement_elsewhere_knew_nothing() -> None:
    """The monitor that took it is gone, and ours heard the press before it heard of the acknowledgement."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(2, incident=1, presses=2))

    play.hub.stored(moment(3.0), Stored(incidents=(answered_elsewhere(answered=1, presses=2),)))
    play.until(3.0 + ESCALATE_S)

    assert play.told() == [("alarm", 0), ("alarm", 0), ("alarm", 0), ("alarm", 1)]


def test_a_press_is_told_that_another_monitor_alone_has_heard() -> None:
    """It knew of no acknowledgement."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))

    play.hub.stored(moment(3.0), Stored(incidents=(record_of(INCIDENT, presses=2),)))
    play.until(4.0)

    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0)]


def test_what_the_history_said_before_a_press_is_old() -> None:
    """The press is still to be stored."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, press(2, incident=1, presses=2))

    for there in (answered_elsewhere(answered=1), record_of(INCIDENT, reset_utc=START)):
        play.hub.stored(moment(3.0), Stored(incidents=(there,)))
    play.until(1.0 + ESCALATE_S)

    assert play.told() == [("alarm", 0), ("alarm", 0), ("alarm", 1)]


@pytest.mark.parametrize("asked_at", [2.0, 1.0 + NORMAL_S], ids=["before", "when somebody is to ask"])
def test_an_end_that_another_monitor_stored_is_one(asked_at: float) -> None:
    """Ours was started just then, and the node has its receipt: the history is asked when the list says normal."""
    play = Play(Remembered(incidents=(record_of(INCIDENT, told_presses=1),)))
    for at in (1.0, 1.5):
        play.hear(at, alarm(), retained=True)
    play.until(asked_at)
    asked = [each.key for each in play.all.incidents]

    play.hub.stored(moment(asked_at), Stored(incidents=(record_of(INCIDENT, reset_utc=START),)))
    play.until(100.0)

    assert asked == [INCIDENT] * (1 if asked_at < NORMAL_S else 2)
    assert play.hub.incidents.open == {}
    assert play.found() == []
    play.hear(101.0, replaced(press(1), age_ms=101_000))
    assert play.told() == []


def test_what_was_ended_here_and_pressed_once_more_goes_on() -> None:
    """Another monitor heard the press, and the history has it as open."""
    play = Play(targets=TWO_GROUPS)
    ended_here(play)
    told = play.told()

    play.hub.stored(moment(61.0), Stored(incidents=(record_of(INCIDENT, presses=2),)))
    play.until(61.0 + ESCALATE_S)

    assert INCIDENT in play.hub.incidents.open
    assert play.told() == [*told, ("alarm", 0), ("alarm", 1)]
    play.hear(200.0, replaced(about(3, "reset", 1, by="key", reason="mistaken"), presses=2))
    assert play.hub.incidents.false_alarms.count(ROOM, "button") == 1


def test_what_was_ended_here_stays_ended_where_the_history_says_the_same() -> None:
    """Its answer comes after the end."""
    play = Play()
    ended_here(play)

    for there in (record_of(INCIDENT), record_of(INCIDENT, reset_utc=START)):
        play.hub.stored(moment(61.0), Stored(incidents=(there,)))

    assert play.hub.incidents.open == {}


@pytest.mark.parametrize("retained", [False, True], ids=["its link stayed", "its link came back"])
def test_a_list_with_more_presses_takes_an_acknowledgement_back(retained: bool) -> None:
    """Another monitor, with a history of its own, had the press alone: its receipt ended the sending."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, press(1))
    play.hear(2.0, about(2, "acknowledged", 1, by="guard-desk"))

    play.hear(300.0, alarm((1, "active"), presses=2), retained=retained)
    before = play.record()
    play.hear(301.0, press(3, incident=1, presses=2))
    play.until(300.0 + ESCALATE_S)

    assert (before.presses, before.is_answered) == (2, False)
    assert play.told() == [("alarm", 0), ("acknowledged", 0), ("alarm", 0), ("alarm", 1)]
    assert play.all.notices[-1].key.endswith(":again:2:1")


def test_a_call_that_comes_after_its_answer_was_listed_calls_nobody_else() -> None:
    """Another monitor has the event that says who is coming: it isn't sent again."""
    play = Play(targets=TWO_GROUPS)
    play.hear(1.0, alarm((1, "acknowledged")))
    play.hear(2.0, press(1))
    play.until(2.0 + 2 * ESCALATE_S)

    assert play.record().is_answered
    assert ("alarm", 1) not in play.told()


@pytest.mark.parametrize("boot", [BOOT, "0000b008"], ids=["of the same boot", "of a later boot"])
def test_a_call_that_comes_after_its_end_was_listed_is_found_to_have_none(boot: str) -> None:
    """Another monitor has the event that ended it: somebody has to look."""
    play = Play()
    play.hear(0.5, birth(boot=boot))
    play.hear(1.0, alarm(boot=boot))
    play.hear(2.0, press(1))
    play.until(2.0 + NORMAL_S + 1.0)

    assert RESET_MISSING.code in play.found()


def test_a_list_of_before_a_call_says_nothing_of_it() -> None:
    """It lists nothing, since there was nothing yet."""
    play = Play()
    play.hear(1.0, replaced(alarm(), seq=1))
    play.hear(2.0, press(2))
    play.until(2.0 + NORMAL_S + 1.0)

    assert RESET_MISSING.code not in play.found()


def test_a_list_with_more_presses_of_an_alarm_that_was_noted_here_takes_that_back() -> None:
    """Somebody said to be coming while the node was away, and hasn't seen the press since."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.ask(100.0, Acknowledge(INCIDENT, "guard-desk"))

    play.hear(200.0, alarm((1, "active"), presses=2))

    assert not play.record().is_answered
    assert play.told()[-1] == ("alarm", 0)


def test_a_list_with_more_presses_calls_once_more_where_nobody_has_come() -> None:
    """As its event would."""
    play = Play()
    play.hear(1.0, press(1))

    play.hear(2.0, alarm((1, "active"), presses=2))
    soon = play.told()
    play.hear(300.0, alarm((1, "received"), presses=3))

    assert soon == [("alarm", 0)] * 2
    assert play.told() == [("alarm", 0)] * 3
    assert play.all.notices[-1].key.endswith(":more:3:0")


@pytest.mark.parametrize("phase", ["active", "acknowledged"])
@pytest.mark.parametrize(("presses", "is_open"), [(1, False), (2, True)])
@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
def test_a_list_with_more_presses_than_an_end_knew_of_opens_it_again(
    restart: bool, presses: int, is_open: bool, phase: Phase
) -> None:
    """Its node was away at the end, and the press after it has its receipt of another monitor."""
    play = Play()
    ended_here(play)
    if restart:
        play = Play(again(play.record()))

    play.hear(100.0, alarm((1, phase), presses=presses))
    play.until(100.5 + LISTED_S)

    assert (INCIDENT in play.hub.incidents.open) == is_open
    if is_open:
        assert play.record().is_answered == (phase == "acknowledged")
        assert play.all.notices[-1].key.endswith(":again:2:0" if phase == "active" else f"{INCIDENT}:0")
