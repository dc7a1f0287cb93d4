"""``make fleet`` in small: it works from end to end, and each of its verdicts can fail."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench.figures import GOAL, Kept, Loss, Step, Used, missed, named
from tests.bench.fleet import keep
from tests.bench.house import House
from tests.support.receivers import Posted

NODES = 3
"""As many as are told after five seconds: more wait for still more."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A few nodes, all up."""
    with House(tmp_path, NODES) as standing:
        yield standing


def step(**changes: Any) -> Step:
    """Ten seconds in which all went well."""
    well = Step(
        wanted=1_000.0,
        seconds=10.0,
        sent=10_000,
        accepted=10_000,
        heard=9_990,
        not_up=0,
        overdue=0,
        delays_s=[0.01],
        cpu=Used(0.5, 0.1, 0.1),
        memory_mib=150.0,
        load=1.0,
    )
    return replace(well, **changes)


def loss(**changes: Any) -> Loss:
    """A thousand nodes that were lost as they should be."""
    well = Loss(
        nodes=1_000,
        cut_s=0.1,
        recorded=Counter(will=990, silent=10),
        twice=0,
        early=0,
        first_s=0.1,
        last_s=19.0,
        messages=[posted("site-0 1.000: 1.000 x ein Gerät ist ausgefallen")],
        message_s=25.0,
        load=1.0,
    )
    return replace(well, **changes)


def posted(title: str) -> Posted:
    """What people got."""
    return Posted(0.0, title, "", "failure")


def test_a_small_house_holds_its_rate_and_its_loss_is_told_once(house: House) -> None:
    """Every heartbeat is heard, every event has its receipt, every lost node is recorded."""
    held = house.hold(rate=6.0, seconds=4.0)

    lost = house.lose_all(later_s=1.0)

    assert held.behind == ""
    assert held.heard > 15
    assert min(held.delays_s) > 0.0
    assert lost.problems == []
    assert lost.recorded.total() == NODES


@pytest.mark.parametrize(
    ("changes", "behind"),
    [
        ({}, ""),
        ({"sent": 9_000, "accepted": 9_000, "heard": 9_000}, "the nodes"),
        ({"accepted": 9_000, "heard": 9_000}, "the broker"),
        ({"heard": 9_800}, "the monitor"),
        ({"not_up": 1}, "the monitor"),
        ({"overdue": 1}, "the monitor"),
    ],
)
def test_whoever_does_not_keep_up_is_named(changes: dict[str, Any], behind: str) -> None:
    """The first one from the source on, since what comes after it couldn't."""
    assert step(**changes).behind == behind


def test_calls_are_told_and_events_are_held() -> None:
    """Each call has its message, and each node says another event when the one before is held."""
    kept = keep("SQLite", seconds=2.0, nodes=NODES)

    assert len(kept.told_s) == NODES
    assert min(kept.told_s) > 0.0
    assert len(kept.delays_s) > 2 * NODES


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"wanted": GOAL / 2}, [f"{GOAL / 2:.0f} heartbeats a second are held, not {GOAL}"]),
        ({"delays_s": [0.01] * 90 + [0.06] * 10}, [f"at {GOAL} a second a receipt takes 60 ms (p99)"]),
        ({"wanted": 2.0 * GOAL, "sent": 2 * 10 * GOAL, "accepted": 300_000, "heard": 300_000, "delays_s": [0.06]}, []),
    ],
)
def test_a_goal_that_a_rate_misses_is_a_problem(changes: dict[str, Any], problems: list[str]) -> None:
    """Too few heartbeats, or receipts that are too late at a rate that is a goal."""
    assert missed([step(**_at(GOAL) | changes)]) == problems


def _at(rate: float) -> dict[str, Any]:
    count = round(rate * 10)
    return {"wanted": float(rate), "sent": count, "accepted": count, "heard": count}


@pytest.mark.parametrize(
    ("told_s", "count", "problems"),
    [
        ([0.04, 0.05, 9.0], 30_000, []),
        ([0.04, 0.06, 0.07], 30_000, ["x: a call is told after 60 ms"]),
        ([0.04], 19_000, ["x: 1900 events a second are held, not 2000"]),
    ],
)
def test_a_goal_that_a_database_misses_is_a_problem(told_s: list[float], count: int, problems: list[str]) -> None:
    """The median of the calls, and the events a second."""
    assert Kept("x", told_s, 10.0, [0.1] * count, 1.0).problems == problems


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"recorded": Counter(will=999)}, "999 of 1000"),
        ({"recorded": Counter(will=1_000), "twice": 1}, "1 more than once"),
        ({"early": 2}, "2 times"),
        ({"last_s": 21.0}, "after 21.0 s"),
        ({"messages": []}, "0 messages"),
        ({"messages": [posted("site-0 999: 999 x y"), posted("room-1: y")]}, "2 messages"),
        ({"messages": [posted("site-0 999: 999 x ein Gerät ist ausgefallen")]}, "tells of 999"),
    ],
)
def test_a_loss_that_is_not_as_it_should_be_is_a_problem(changes: dict[str, Any], told: str) -> None:
    """One that misses, doubles, is late, or is told otherwise."""
    (problem,) = loss(**changes).problems

    assert told in problem


def test_a_loss_as_it_should_be_is_none() -> None:
    """By wills or deadlines, told in one message."""
    assert loss().problems == []


@pytest.mark.parametrize(
    ("title", "nodes"),
    [("mitte 10.000: 10.000 x ein Gerät", 10_000), ("a; b 2: 2 x a node", 2), ("room 7: ein Gerät", 1)],
)
def test_a_title_says_how_many_nodes_a_message_tells_of(title: str, nodes: int) -> None:
    """In German and in English; one node isn't counted."""
    assert named(posted(title)) == nodes
