"""One line, step by step: what its integrator and its samples make of single edges and readings."""

import pytest

from node.core import line
from node.core.line import UNREADABLE_S, ContactState, Line

DEBOUNCE_S = 0.020
AT_REST = Line(state=ContactState.NORMAL, level=False)


def _edges(*edges: tuple[float, bool]) -> Line:
    known = AT_REST
    for at, actuated in edges:
        known = line.edge(known, actuated, at, DEBOUNCE_S)
    return known


def test_a_bounce_of_1_ms_delays_a_press_by_5_ms() -> None:
    """It takes back 4 ms and lasts one (``LEAK``)."""
    bounced = _edges((0.000, True), (0.008, False), (0.009, True))

    assert line.sample(bounced, True, 0.0249, DEBOUNCE_S).state is ContactState.NORMAL
    pressed = line.sample(bounced, True, 0.0251, DEBOUNCE_S)
    assert pressed.state is ContactState.ACTIVE
    assert pressed.changed_at == pytest.approx(0.025)


def test_a_line_that_can_not_be_read_forgets_its_level_although_it_was_never_decided() -> None:
    """Otherwise its old edge would be taken for its level once it can be read again."""
    undecided = Line(level=True, since=1.0, unread_since=1.0)

    assert line.expire(undecided, 1.0 + UNREADABLE_S).level is None
    assert line.expire(undecided, 1.0 + UNREADABLE_S - 0.001) is undecided


def test_a_line_of_which_nothing_is_known_expires_once() -> None:
    """There is nothing to forget."""
    forgotten = Line(unread_since=1.0)

    assert line.expire(forgotten, 1.0 + UNREADABLE_S) is forgotten


def test_a_press_whose_release_edge_is_lost_is_released_when_it_is_read_as_pressed_again() -> None:
    """The samples said "released" for longer than the debounce, so the new level is another press's."""
    known = _edges((0.000, True))
    for at in (0.002, 0.012, 0.030):
        known = line.sample(known, False, at, DEBOUNCE_S)
        assert (known.lost_since is None) is (at < 0.022), "an edge is missing once samples dissent for the debounce"
    assert known.level, "only the release edge may say how long the press was"

    again = line.sample(known, True, 0.040, DEBOUNCE_S)

    assert (again.state, again.level, again.integral) == (ContactState.NORMAL, False, 0.0)
    assert again.dissent_since == 0.040
