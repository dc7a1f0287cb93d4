"""Edges: their time, their number, and a queue that fails."""

import gc
import logging
import math
import time
from collections.abc import Callable

import pytest

from node.core.events import EdgesDropped, EdgeSeen
from node.io.panel.devices import EDGES_MAX
from tests.integration.panel.room import (
    DESK,
    Room,
)


def test_edges_arrive_with_their_own_time(room: Room) -> None:
    """A press and a release become two EdgeSeen, dated by the pin and carrying the electrical level."""
    room.started()
    before = time.monotonic()

    room.wall.press("desk")
    between = time.monotonic()
    room.wall.release("desk")

    low = room.inbox.wait(EdgeSeen)
    high = room.inbox.wait(EdgeSeen)
    assert (low.line, low.high, high.line, high.high) == ("desk", False, "desk", True)
    assert before <= low.at <= between <= high.at <= time.monotonic()


def test_edges_survive_the_garbage_collector(room: Room) -> None:
    """An edge handler, which gpiozero refers to weakly, is held by the panel."""
    room.started()

    gc.collect()
    room.wall.press("desk")

    assert room.inbox.wait(EdgeSeen).line == "desk"


def test_a_broken_queue_does_not_end_the_edge_path(room: Room) -> None:
    """An exception never reaches the thread that brings the edges, and the next edge arrives."""
    room.started()
    room.inbox.refused = [EdgeSeen]

    room.wall.press("desk")
    room.wall.release("desk")

    assert room.inbox.wait(EdgeSeen).high is True


def test_a_line_that_hums_stands_before_nobody(room: Room) -> None:
    """Of each line 64 edges wait for the loop; the rest is counted and told, and another line's edge has its place."""
    panel = room.started()
    edges = 2 * EDGES_MAX + 10
    for number in range(edges):
        (room.wall.release if number % 2 else room.wall.press)("desk")
    room.wall.press("door")
    panel.read(time.monotonic())

    dropped = room.inbox.wait(EdgesDropped)

    assert (dropped.line, dropped.count) == ("desk", edges - EDGES_MAX)
    assert room.inbox.seen_edges == ["desk"] * EDGES_MAX + ["door"]


def test_an_edge_that_is_decided_makes_room_for_another(room: Room) -> None:
    """And what was told as dropped isn't told again."""
    panel = room.started()
    for number in range(EDGES_MAX + 1):
        (room.wall.release if number % 2 else room.wall.press)("desk")
    edge = room.inbox.wait(EdgeSeen)
    panel.read(time.monotonic())
    dropped = room.inbox.wait(EdgesDropped)
    assert dropped.count == 1

    panel.decided(edge)
    panel.decided(dropped)
    (room.wall.press if room.pin(DESK).state else room.wall.release)("desk")
    panel.read(time.monotonic())

    assert len(room.inbox.seen_edges) == EDGES_MAX + 1
    assert room.inbox.rest(EdgesDropped) == []


@pytest.mark.parametrize(
    "ticks_of",
    [
        pytest.param(lambda now: now - 61.0, id="too old"),
        pytest.param(lambda now: now + 1.0, id="from the future"),
        pytest.param(lambda now: now + 1.7e9, id="wall time"),
        pytest.param(lambda now: 0.0, id="zero"),
        pytest.param(lambda now: math.nan, id="no number"),
        pytest.param(lambda now: None, id="none"),
    ],
)
def test_an_edge_with_another_clocks_time_counts_as_of_its_arrival(
    room: Room, caplog: pytest.LogCaptureFixture, ticks_of: Callable[[float], float | None]
) -> None:
    """Time stamps that can't be CLOCK_MONOTONIC are replaced, with one line in the log."""
    panel = room.started()
    seen = room.pin(DESK).when_changed
    before = time.monotonic()

    with caplog.at_level(logging.WARNING):
        seen(ticks_of(time.monotonic()), 0)
        seen(ticks_of(time.monotonic()), 1)

    edges = [room.inbox.wait(EdgeSeen), room.inbox.wait(EdgeSeen)]
    assert [edge.high for edge in edges] == [False, True]
    assert before <= edges[0].at <= edges[1].at <= time.monotonic()
    panel.close()
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == ["edges carry another clock's time"]


@pytest.mark.parametrize("late_s", [0.5, 12.0])
def test_a_late_edge_keeps_its_time(room: Room, late_s: float) -> None:
    """It is dated as of when it happened, also after a standstill that is longer than the watchdog allows."""
    room.started()
    ticks = time.monotonic() - late_s

    room.pin(DESK).when_changed(ticks, 0)

    assert room.inbox.wait(EdgeSeen).at == ticks
