"""Targets are tried by a test message and taken out of service; both are kept, and an isolation always ends."""

from datetime import timedelta

import pytest

from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.decisions.ledger import TellTest
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import IncidentKey, NoticeKind, TargetRecord
from node.monitor.core.model.requests import Answer, IsolateTarget, Replaced, RestoreTarget, TryTarget
from node.monitor.notify.routing import targets_of
from tests.monitor.core.node_messages import BOOT, ROOM, SITE, START, moment, press
from tests.monitor.core.play import Play, record_of

TWO = (Target("mail", "json://x"), Target("sms", "json://x", level=0, findings="none"))
HOUR_S = 3600.0


def isolated(play: Play, name: str = "mail", for_s: float = HOUR_S, at: float = 1.0) -> Answer | None:
    """A target is taken out of service."""
    return play.answer(play.ask(at, IsolateTarget(name, "facilities", "new gateway", for_s)))


def out_of_service(play: Play) -> list[str]:
    """The targets that are isolated now."""
    return [each.name for each in play.view().targets if each.isolated_by]


def told(play: Play) -> list[tuple[str, tuple[str, ...]]]:
    """Each notice about an isolation: its kind, and who is told it."""
    notices = [each for each in play.all.notices if each.finding is not None and each.finding.code == "M022"]
    return [(each.kind.value, targets_of(each, TWO)) for each in notices]


def test_a_test_is_answered_with_what_the_other_side_said_and_its_date_is_kept() -> None:
    """Whether it took the message or not."""
    play = Play(targets=TWO)
    for at, passed, said in ((1.0, True, "Sent"), (2.0, False, "error=503")):
        number = play.ask(at, TryTarget("mail", "facilities"))
        waiting = play.answer(number)

        play.tried(at + 0.5, "mail", said, passed=passed)

        assert waiting is None
        assert play.answer(number) == Answer("done" if passed else "refused", said)
        assert play.all.targets[-1] == TargetRecord(name="mail", tested_utc=moment(at + 0.5).utc, test_passed=passed)
    assert [each.target for each in play.all.says if isinstance(each, TellTest)] == ["mail", "mail"]


def test_a_target_is_tried_once_at_a_time() -> None:
    """Whoever asks twice sends no second message."""
    play = Play(targets=TWO)
    play.ask(1.0, TryTarget("mail", "facilities"))

    again = play.answer(play.ask(2.0, TryTarget("mail", "facilities")))

    assert again == Answer("refused", "being-tried")


def test_an_isolation_is_told_to_the_other_first_targets_once() -> None:
    """With who, for how long and why; and its end."""
    play = Play(targets=TWO)

    answer = isolated(play)
    meanwhile, who = play.found(), out_of_service(play)
    back = play.answer(play.ask(2.0, RestoreTarget("mail", "facilities")))

    assert (answer, back) == (Answer("done", until=moment(3_601.0).utc), Answer("done"))
    assert (meanwhile, who) == (["M022"], ["mail"])
    assert (play.found(), out_of_service(play)) == ([], [])
    assert told(play) == [("finding", ("sms",)), ("cleared", ("sms",))]
    assert [each.detail for each in play.all.notices if each.kind is NoticeKind.FINDING] == [
        "facilities, 60 min: new gateway"
    ]


def test_an_isolation_in_the_place_of_another_says_so() -> None:
    """Whose it was, and until when: somebody else may still be at work there."""
    play = Play(targets=TWO)
    isolated(play)

    answer = play.answer(play.ask(61.0, IsolateTarget("mail", "guards", "tests", 600.0)))

    replaced = Replaced("facilities", moment(3_601.0).utc)
    assert answer == Answer("done", until=moment(661.0).utc, replaces=replaced)


def test_an_isolation_ends_by_itself() -> None:
    """By the monotonic clock."""
    play = Play(targets=TWO)
    isolated(play, for_s=120.0)

    play.until(120.0)
    before = out_of_service(play)
    play.until(122.0)

    assert (before, out_of_service(play)) == (["mail"], [])
    assert play.all.targets[-1] == TargetRecord(name="mail")


def test_calls_that_an_isolated_target_alone_takes_are_told_to_nobody() -> None:
    """At once, not after the next review; and no longer once it is back."""
    play = Play(targets=TWO[:1])

    isolated(play)
    meanwhile = play.found()
    play.ask(2.0, RestoreTarget("mail", "facilities"))
    play.until(130.0)

    assert meanwhile == ["M018", "M022"]
    assert play.found() == []


def test_a_restart_knows_what_is_isolated_and_for_how_long() -> None:
    """Where the rest of the time is over, it is back."""
    first = Play(targets=TWO)
    isolated(first, for_s=120.0)
    known = tuple(first.findings.values())
    kept = first.all.targets[-1]
    over = TargetRecord(name="mail", isolated_by="facilities", isolated_until_utc=START - timedelta(seconds=1))
    gone = TargetRecord(name="no-more", isolated_until_utc=START + timedelta(days=1))

    goes_on = Play(Remembered(findings=known, targets=(kept, gone)), targets=TWO)
    is_over = Play(Remembered(findings=known, targets=(over,)), targets=TWO)
    is_over.until(1.0)
    unknown = Play(Remembered(findings=known), targets=TWO)

    assert (goes_on.found(), out_of_service(goes_on)) == (["M022"], ["mail"])
    assert (is_over.found(), out_of_service(is_over)) == ([], [])
    assert unknown.found() == []
    goes_on.until(122.0)
    assert out_of_service(goes_on) == []


@pytest.mark.parametrize(
    ("request_of", "answer"),
    [
        (TryTarget("fax", "facilities"), Answer("unknown", "no-such-target")),
        (RestoreTarget("mail", "facilities"), Answer("refused", "not-isolated")),
        (
            IsolateTarget("mail", "facilities", "x", 1.0),
            Answer("refused", "for_s must be from 60 to 2.592e+06"),
        ),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    request_of: TryTarget | RestoreTarget | IsolateTarget, answer: Answer
) -> None:
    """It is answered why."""
    play = Play(targets=TWO)

    assert play.answer(play.ask(1.0, request_of)) == answer
    assert (play.all.targets, play.found()) == ([], [])


def test_what_an_isolated_target_tells_of_itself_is_no_site_s_alone() -> None:
    """Whoever is in the first group anywhere hears of it."""
    play = Play(targets=TWO)
    isolated(play)
    (notice,) = [each for each in play.all.notices if each.finding is not None and each.finding.code == "M022"]

    elsewhere = Target("elsewhere", "json://x", sites=frozenset({"nord"}), findings="none")
    later = Target("later", "json://x", level=1, findings="critical")

    assert SITE not in elsewhere.sites
    assert targets_of(notice, [*TWO, elsewhere, later]) == ("sms", "elsewhere")


@pytest.mark.parametrize("how", ["by somebody", "by itself"])
def test_a_call_that_was_left_out_is_told_once_its_target_is_back(how: str) -> None:
    """It is still open, and nobody was told: what waited for the target is gone, so it is called anew."""
    play = Play(targets=TWO[:1])
    play.tell = False
    isolated(play, for_s=120.0)
    play.hear(2.0, press(1))
    before = calls(play)

    if how == "by somebody":
        play.ask(5.0, RestoreTarget("mail", "facilities"))
    else:
        play.until(130.0)

    assert (len(before), len(calls(play))) == (1, 2)
    assert calls(play)[-1] not in before


def test_a_call_that_people_know_of_is_not_told_anew_for_a_target_that_is_back() -> None:
    """Nobody is called twice for it."""
    play = Play(targets=TWO)
    play.hear(0.5, press(1))
    isolated(play)

    play.ask(5.0, RestoreTarget("mail", "facilities"))

    assert len(calls(play)) == 1


def test_a_start_calls_for_what_waits_for_no_target() -> None:
    """Whoever writes a target into monitor.toml because a call was told to nobody, and restarts, is told of it."""
    waits, is_lost, is_told = (IncidentKey(*ROOM, f"{BOOT}-{number}") for number in (1, 2, 3))
    known = (record_of(waits), record_of(is_lost), record_of(is_told, told_presses=1))

    play = Play(Remembered(incidents=known, uncalled=(is_lost, is_told)), targets=TWO)
    again = Play(Remembered(incidents=known, uncalled=(is_lost, is_told)), targets=TWO)

    assert [each.incident for each in play.all.notices if each.kind is NoticeKind.ALARM] == [is_lost.incident]
    assert calls(play) == calls(again)  # two monitors with one history call once


def calls(play: Play) -> list[str]:
    """The keys of the calls for help."""
    return [each.key for each in play.all.notices if each.kind is NoticeKind.ALARM]
