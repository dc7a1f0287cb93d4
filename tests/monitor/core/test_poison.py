"""What whoever has one node's login may write on its branch: a real press afterwards is told as real, or isn't held."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.model import EventKind
from node.core.settings import AlarmClass
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import NoticeKind
from node.monitor.core.model.requests import Acknowledge
from node.monitor.core.nodes.events.plausibility import SHOWN_S
from node.protocol.messages import Alarm, Event, EventId, EventRange, OpenIncident
from tests.monitor.core.invented import LATER, calls, entry, listing, real, replace_key
from tests.monitor.core.node_messages import (
    AT_UTC,
    BOOT,
    ROOM,
    about,
    alarm,
    birth,
    event,
    goodbye,
    heartbeat,
    press,
    will,
)
from tests.monitor.core.play import ESCALATE_S, INCIDENT, Play
from tests.support.examples import examples


@pytest.mark.parametrize("age_ms", [1, 300])
def test_a_call_that_passed_for_a_test_is_told_as_real(age_ms: int) -> None:
    """Its incident was listed, and told, as a test that somebody invented."""
    play = Play()
    play.hear(1.0, replace(press(500), test=True))
    assert calls(play) == [(f"{BOOT}-500", True)]

    play.hear(100.0, real(501, 2, incident=500, age_ms=age_ms))

    assert calls(play)[1:] == [(f"{BOOT}-500", False)]
    assert not play.record().test
    assert (BOOT, 501) in play.receipts()
    assert "M024" in play.found()


@pytest.mark.parametrize("fields", [{"test": True}, {"presses": 2**53}, {"presses": 100_001}])
def test_what_no_node_lists_is_refused(fields: dict[str, Any]) -> None:
    """It is found, and is no alarm; the press that gets its number is one."""
    play = Play()
    play.hear(1.0, listing(entry(7, **fields)), retained=True)
    play.until(2.0 + LISTED_S)
    before = calls(play)

    play.hear(20.0, real(7))

    assert (before, calls(play)) == ([], [(f"{BOOT}-7", False)])
    assert play.found() == ["M024"]


def test_a_list_names_no_alarm_of_the_future() -> None:
    """Its node hasn't come to that number yet."""
    play = Play()

    play.hear(1.0, listing(entry(12), entry(11), seq=10))
    play.until(2.0 + LISTED_S)

    assert calls(play) == [(f"{BOOT}-11", False)]
    assert play.found() == ["M024"]


@pytest.mark.parametrize(
    "poison",
    [
        replace(press(2, incident=3, presses=2), at_utc=AT_UTC),
        press(2, presses=100_001),
        press(2, presses=2**53),
        replace(about(2, "acknowledged", 1), presses=2**53),
        replace(about(2, "reset", 1), presses=2**53),
    ],
    ids=["of the future", "too many", "2^53", "an acknowledgement of 2^53", "an end of 2^53"],
)
def test_what_no_node_says_is_refused_and_has_no_receipt(poison: Event) -> None:
    """It is found."""
    play = Play()

    play.hear(1.0, poison)

    assert (play.receipts(), calls(play), play.found()) == ([], [], ["M024"])
    assert play.view().counters.dropped == 1


def test_a_contradiction_is_shown_for_a_while() -> None:
    """Also after a restart; a node that is forgotten has none."""
    play = Play()
    play.hear(1.0, press(2, presses=2**53))
    play = Play(Remembered(findings=tuple(play.findings.values())), roster=(Place(ROOM),))
    play.until(SHOWN_S - 1.0)
    before = play.found()

    play.until(SHOWN_S + 1.0)

    assert "M024" in before
    assert "M024" not in play.found()


@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.parametrize(
    "poison",
    [
        replace(about(2, "acknowledged", 1, by="x"), presses=1_000),
        replace(press(2, incident=1), presses=1_000),
        replace(alarm((1, "acknowledged")), incidents=[entry(1, phase="acknowledged", presses=1_000)]),
        replace(alarm((1, "active")), incidents=[entry(1, presses=1_000)]),
    ],
    ids=["an acknowledgement", "a press", "an acknowledged list", "a list"],
)
def test_a_press_that_somebody_has_counted_before_is_told(poison: Event | Alarm, presses: int) -> None:
    """Who claims more presses than there were makes no later one an answered one."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, poison)
    play.until(300.0)
    said = len(play.all.notices)

    for number in range(presses):
        play.hear(300.0 + 10 * number, real(10 + number, 2 + number, incident=1))

    assert calls(play, said)[0] == (INCIDENT.incident, False)
    assert len(calls(play, said)) == presses
    assert not play.record().is_answered
    assert {(BOOT, 10 + number) for number in range(presses)} <= set(play.receipts())
    assert "M024" in play.found()


def test_the_nodes_own_acknowledgement_counts_after_a_contradiction() -> None:
    """Its counts are fewer than ours, and mean the same presses; so do its lists."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(2.0, replace(about(2, "acknowledged", 1, by="x"), presses=1_000))
    play.hear(300.0, real(10, 2, incident=1))
    calling = play.record().is_answered

    play.hear(301.0, replace(about(11, "acknowledged", 1, by="desk"), presses=2))
    answered = play.record().is_answered
    play.hear(302.0, real(12, 3, incident=1))
    taken_back = not play.record().is_answered
    play.hear(303.0, replace(alarm((1, "acknowledged")), incidents=[entry(1, phase="acknowledged", presses=3)]))
    play.until(304.0 + LISTED_S)

    assert (calling, answered, taken_back, play.record().is_answered) == (False, True, True, True)
    assert play.record().presses == 1_002


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
@pytest.mark.parametrize("presses", [1, 100_000])
def test_a_press_after_an_end_that_somebody_invented_is_told(presses: int, restart: bool) -> None:
    """Of an alarm whose number the node hasn't come to yet, say."""
    play = Play()
    play.hear(1.0, replace(about(600, "reset", 500, by="x"), presses=presses))
    if restart:
        play = Play(Remembered(closed=((replace_key(500), presses),)))

    play.hear(100.0, real(500))

    assert calls(play) == [(f"{BOOT}-500", False)]
    assert play.incidents[replace_key(500)].presses == presses + 1


@pytest.mark.parametrize("listed", [False, True], ids=["its event", "its list"])
def test_a_press_while_a_monitor_starts_is_told_though_more_were_counted_before(listed: bool) -> None:
    """What its node counts less than we is kept: an acknowledgement of before answers no press of after it."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(20.0, real(1))
    play.hear(30.0, replace(about(2, "acknowledged", 1, by="desk"), at_utc=LATER))
    assert play.record().is_answered
    play = Play(Remembered(incidents=(play.record(),), tallies=tuple(play.all.tallies)))
    play.hear(0.2, heartbeat(seq=3))

    play.hear(0.5, listing(entry(1, presses=2)))
    if not listed:
        play.hear(0.5, real(3, 2, incident=1, age_ms=1_500))
    for at in range(5, 60, 5):
        play.hear(at, heartbeat(seq=3))

    assert calls(play)[:1] == [(INCIDENT.incident, False)]
    assert not play.record().is_answered
    assert play.commands("acknowledge") == []


def test_a_nodes_acknowledgement_after_a_restart_answers_all_its_presses() -> None:
    """It counts fewer of them than we do."""
    play = Play()
    play.hear(1.0, press(1))
    play.hear(20.0, real(1))
    play = Play(Remembered(incidents=(play.record(),), tallies=tuple(play.all.tallies)))

    play.hear(10.0, replace(about(8, "acknowledged", 1, by="desk"), at_utc=LATER))

    assert play.record().is_answered


@pytest.mark.parametrize("restart", [False, True], ids=["as it is", "after a restart"])
@pytest.mark.parametrize("ended", [False, True])
def test_a_press_whose_number_somebody_has_used_is_told_and_is_not_held(ended: bool, restart: bool) -> None:
    """The history has another event there: a receipt would lie. It is told once, however often it is sent."""
    play = Play()
    play.hear(1.0, press(500))
    if ended:
        play.hear(2.0, about(501, "reset", 500, by="x"))
    if restart:
        known = {"closed": ((replace_key(500), 1),)} if ended else {"incidents": (play.record(),)}
        play = Play(Remembered(tallies=tuple(play.all.tallies), **known))
    receipts, said = play.receipts(), len(play.all.notices)

    for at in (100.0, 110.0, 130.0):
        play.hear(at, real(500))

    assert play.receipts() == receipts
    assert calls(play, said) == [(f"{BOOT}-500", False)]


def test_a_press_that_comes_while_another_event_of_its_number_is_stored_is_told() -> None:
    """Whoever writes events before the node does may have just written it."""
    play = Play()
    play.store = False
    play.hear(1.0, press(500))
    said = len(play.all.notices)

    play.hear(10.0, real(500))

    assert calls(play, said) == [(f"{BOOT}-500", False)]


@pytest.mark.parametrize("store", [True, False], ids=["held", "on its way"])
@pytest.mark.parametrize("fields", [{"at_utc": LATER}, {"age_ms": 1}], ids=["another clock", "a late copy"])
def test_a_repeat_is_no_further_press_whatever_its_clock_or_its_age(fields: dict[str, Any], store: bool) -> None:
    """A clock was set meanwhile, or this copy was on its way for long: nobody is told anew, and nothing is counted."""
    play = Play()
    play.store = store
    first = replace(press(1), age_ms=1)
    play.hear(1.0, first)
    said = len(play.all.notices)

    play.hear(12.0, replace(first, **{"age_ms": 11_001, **fields}))

    assert calls(play, said) == []
    assert play.incidents[INCIDENT].presses == 1
    assert play.found() == []


def test_a_press_of_a_worse_class_or_another_button_is_told() -> None:
    """Somebody has begun its incident as a call for a colleague, elsewhere."""
    play = Play()
    play.hear(1.0, replace(press(500), alarm_class=AlarmClass.ASSIST, input="other"))

    play.hear(1.5, real(501, 2, incident=500))

    assert play.all.notices[-1].alarm_class is AlarmClass.THREAT
    assert play.all.notices[-1].input == "button"


NUMBERS = st.sampled_from([0, 1, 2, 5, 9, 10, 11, 12, 500, 100_000, 100_001, 2**53])


BOOTS = st.sampled_from([BOOT, "0000beef"])


INPUTS = st.sampled_from(["button", "other"])


CLASSES = st.sampled_from(list(AlarmClass))


KINDS: st.SearchStrategy[EventKind] = st.sampled_from(
    ["pressed", "opened", "held-open", "adopted", "acknowledged", "reset", "nobody", "tested", "restored", "identified"]
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event in the node's name."""
    kind = draw(KINDS)
    boot = draw(BOOTS)
    return event(
        draw(NUMBERS),
        kind,
        boot=boot,
        input=draw(INPUTS),
        alarm_class=draw(CLASSES),
        incident=f"{draw(BOOTS)}-{max(1, draw(NUMBERS))}",
        presses=draw(NUMBERS),
        test=draw(st.booleans()),
        by="x",
        age_ms=draw(st.sampled_from([0, 1_000, 2**53, None])),
    )


@st.composite
def lists(draw: st.DrawFn) -> Alarm:
    """Any list of it."""
    entries = [
        OpenIncident(
            incident=f"{draw(BOOTS)}-{max(1, draw(NUMBERS))}",
            alarm_class=draw(CLASSES),
            input=draw(INPUTS),
            phase=draw(st.sampled_from(["active", "received", "acknowledged"])),
            presses=draw(NUMBERS),
            since=AT_UTC,
            press=EventId(BOOT, draw(NUMBERS)),
            test=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    return replace(alarm(boot=draw(BOOTS)), seq=draw(NUMBERS), incidents=entries)


def others() -> st.SearchStrategy[Any]:
    """Births, ends, heartbeats, and what was let go."""
    ranges = [EventRange(BOOT, 1, 2**53)]
    return st.one_of(
        st.builds(lambda seq: birth(seq=seq), NUMBERS),
        st.builds(lambda seq: heartbeat(seq=seq), NUMBERS),
        st.builds(lambda seq: event(seq, "evicted", ranges=ranges), NUMBERS),
        st.just(goodbye()),
        st.just(will()),
    )


POISON = st.lists(
    st.tuples(st.sampled_from([0.1, 2.0, 15.0, 70.0]), st.one_of(events(), lists(), others()), st.booleans()),
    max_size=8,
)


def written(play: Play, poison: Iterable[tuple[float, Any, bool]]) -> float:
    """All of it is heard; when that was."""
    at = 1.0
    for pause_s, message, retained in poison:
        at += pause_s
        play.hear(at, message, retained=retained)
    return at


@pytest.mark.timeout(300)
@settings(max_examples=examples(400))
@given(
    before=st.booleans(),
    poison=POISON,
    seq=st.sampled_from([10, 11, 12, 500]),
    again=st.booleans(),
    asks=st.booleans(),
)
def test_whatever_was_written_a_real_press_is_told_as_real(
    before: bool, poison: list[tuple[float, Any, bool]], seq: int, again: bool, asks: bool
) -> None:
    """Or it has no receipt. It is the first of its incident, or a further one of an alarm that was open before."""
    play = Play()
    if before:
        play.hear(1.0, replace(press(9), at_utc=LATER))
    at = written(play, poison) + 10.0
    number = 9 if again and before else seq
    if asks:
        play.ask(at - 1.0, Acknowledge(replace_key(number), "desk"))
    said, receipts = len(play.all.notices), len(play.receipts())

    play.hear(at, real(seq, 2 if number == 9 else 1, incident=number))
    play.until(at + 2.0)

    fresh = [each for each in play.all.notices[said:] if each.kind is NoticeKind.ALARM and not each.test]
    opened = play.incidents.get(replace_key(number))
    calling = opened is not None and not (opened.test or opened.is_answered)
    told = any(each.incident == f"{BOOT}-{number}" for each in fresh) or (calling and number in _called(play))
    assert told or (BOOT, seq) not in play.receipts()[receipts:], "held, and nobody was told"
    if calling:
        play.until(at + 3 * ESCALATE_S)


def _called(play: Play) -> set[int]:
    """The numbers of the incidents of this boot that people were told of as real."""
    return {
        int(each.incident.partition("-")[2])
        for each in play.all.notices
        if each.kind is NoticeKind.ALARM and not each.test and each.incident.startswith(BOOT)
    }
