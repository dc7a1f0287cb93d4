"""Who is told, when messages join, what is left out, and how long it is tried: pure, in virtual time."""

from math import inf
from typing import Literal

import pytest

from node.core.settings import AlarmClass
from node.monitor.core.decisions.deliveries import Delivery, Waiting
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import Notice, NoticeKind
from node.monitor.notify.grouping import ALARM_TRIES, FINDING_TRIES, RETRY, GatherWindow, is_given_up, left_out
from node.monitor.notify.routing import targets_of
from tests.support.notices import alarm, finding


def delivery(number: int, notice: Notice, attempts: int = 0, *, uncertain: bool = False) -> Delivery:
    """One that waits."""
    return Delivery(id=number, notice=notice, attempts=attempts, uncertain=uncertain)


def test_few_findings_are_one_message_five_seconds_after_the_first() -> None:
    """What comes later joins, and doesn't begin the wait anew."""
    window = GatherWindow(5.0)

    assert window.left(100.0, Waiting(gathered=1, down=1)) == 5.0
    assert window.left(104.0, Waiting(gathered=3, down=3)) == 1.0
    assert window.left(105.0, Waiting(gathered=3, down=3)) == 0.0


def test_more_than_three_nodes_down_wait_for_those_that_went_with_them() -> None:
    """Until 25 s after the first."""
    window = GatherWindow(5.0)

    assert window.left(100.0, Waiting(gathered=1, down=1)) == 5.0
    assert window.left(105.0, Waiting(gathered=4, down=4)) == 20.0
    assert window.left(125.0, Waiting(gathered=9000, down=9000)) == 0.0


def test_many_findings_that_are_no_lost_nodes_do_not_wait_longer() -> None:
    """Only a node's deadline makes the longer wait worth it."""
    window = GatherWindow(5.0)
    window.left(100.0, Waiting(gathered=1))

    assert window.left(105.0, Waiting(gathered=500, down=3)) == 0.0


def test_a_window_begins_anew_with_the_next_message() -> None:
    """After it was sent, and where another monitor sent it."""
    window = GatherWindow(5.0)
    window.left(100.0, Waiting(gathered=1))

    assert window.left(105.0, Waiting(gathered=1)) == 0.0
    assert window.left(105.0, Waiting(gathered=1)) == 5.0
    assert window.left(106.0, Waiting()) == inf
    assert window.left(110.0, Waiting(gathered=1)) == 5.0


def test_what_was_over_before_it_was_told_is_left_out() -> None:
    """The finding and its end, and nothing else."""
    deliveries = [
        delivery(1, finding("a")),
        delivery(2, finding("b")),
        delivery(3, finding("a", over=True)),
        delivery(4, finding("c", over=True)),
    ]

    assert left_out(deliveries) == {1, 3}


def test_what_is_found_again_after_its_end_is_told() -> None:
    """The order counts, not the number."""
    deliveries = [delivery(1, finding("a", over=True)), delivery(2, finding("a"))]

    assert left_out(deliveries) == frozenset()


@pytest.mark.parametrize(("attempts", "uncertain"), [(1, False), (0, True)])
def test_what_somebody_may_have_read_is_not_left_out(attempts: int, uncertain: bool) -> None:
    """Whoever read that a node is down has to read that it isn't any more."""
    deliveries = [
        delivery(1, finding("a"), attempts, uncertain=uncertain),
        delivery(2, finding("a", over=True)),
    ]

    assert left_out(deliveries) == frozenset()


def test_an_alarm_is_never_left_out() -> None:
    """Not even one that was ended before anybody could be told."""
    assert left_out([delivery(1, alarm()), delivery(2, alarm(kind=NoticeKind.RESET))]) == frozenset()


def test_tries_double_from_two_seconds_to_five_minutes() -> None:
    """However many have failed."""
    assert [RETRY.wait_s(attempts) for attempts in (1, 2, 3, 8, 9, 10_000)] == [2.0, 4.0, 8.0, 256.0, 300.0, 300.0]


@pytest.mark.parametrize(("notice", "hours", "most"), [(alarm(), 24, ALARM_TRIES), (finding(), 6, FINDING_TRIES)])
def test_alarms_are_tried_for_a_day_and_findings_for_six_hours(notice: Notice, hours: int, most: int) -> None:
    """Then they are given up: the waits between the tries add up to that."""
    waited_s = sum(RETRY.wait_s(attempts) for attempts in range(1, most))

    assert hours * 3600 - 300 <= waited_s < hours * 3600
    assert not is_given_up(delivery(1, notice, most - 2))
    assert is_given_up(delivery(1, notice, most - 1))


def target(
    name: str = "desk",
    *,
    level: int = 0,
    classes: frozenset[AlarmClass] = frozenset(),
    sites: frozenset[str] = frozenset(),
    findings: Literal["all", "critical", "none"] = "all",
    tests: bool = False,
) -> Target:
    """One of monitor.toml."""
    return Target(name, "json://x", level=level, classes=classes, sites=sites, findings=findings, tests=tests)


@pytest.mark.parametrize(
    ("notice", "of", "told"),
    [
        (alarm(), target(), True),
        (alarm(), target(level=1), False),
        (alarm(level=1), target(level=1), True),
        (alarm(level=1), target(), False),
        (alarm(), target(classes=frozenset({AlarmClass.AMOK})), False),
        (alarm(), target(classes=frozenset({AlarmClass.THREAT})), True),
        (alarm(), target(sites=frozenset({"nord"})), False),
        (alarm(), target(sites=frozenset({"mitte"}), findings="none"), True),
        (alarm(test=True), target(), False),
        (alarm(test=True), target(tests=True), True),
        (alarm(kind=NoticeKind.RESET, level=1), target(), True),
        (alarm(kind=NoticeKind.ACKNOWLEDGED, level=1), target(level=1), True),
        (alarm(kind=NoticeKind.ACKNOWLEDGED), target(level=1), False),
        (finding(), target(level=3, classes=frozenset({AlarmClass.AMOK})), True),
        (finding(), target(findings="critical"), True),
        (finding(code="M006"), target(findings="critical"), False),
        (finding(), target(findings="none"), False),
        (finding(over=True), target(findings="none"), False),
        (finding(), target(sites=frozenset({"nord"})), False),
        (finding("", "M011", site=""), target(sites=frozenset({"nord"})), True),
        (finding("", "M010", site="", subject="guard-desk/desk"), target(), False),
        (finding("", "M010", site="", subject="guard-desk/mail"), target(), True),
    ],
)
def test_a_notice_goes_to_whom_it_concerns(notice: Notice, of: Target, told: bool) -> None:
    """By level, class, site, severity, and whether it is a test; a target that fails isn't told so itself."""
    assert targets_of(notice, [of]) == (("desk",) if told else ())
