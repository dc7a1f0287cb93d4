"""What is shown is made in slices, and messages are decided in between. It is the same as if it were made at once."""

from collections.abc import Sequence

import pytest

from node.monitor.core.model.records import NodeKey
from node.monitor.core.model.requests import Forget
from tests.monitor.core.node_messages import SITE, heartbeat, press
from tests.monitor.core.play import Play

KEYS = [NodeKey(SITE, f"room-{number}") for number in range(7)]
FAULT = (("F001", "button"),)


def peopled(keys: Sequence[NodeKey] = KEYS) -> Play:
    """Nodes with one button each; every other one has a fault, and the first one calls."""
    play = Play()
    for number, key in enumerate(keys):
        play.hear(1.0, heartbeat(key, faults=FAULT if number % 2 else ()), key)
    play.hear(2.0, press(1, node=keys[0]), keys[0])
    return play


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_a_view_in_slices_is_the_same_as_one_made_at_once(most: int) -> None:
    """Whatever the size of a slice, and also where one ends between nodes, buttons and findings."""
    play = peopled()

    sliced = play.go_on_with(play.begin_view(), 3.0, most)

    assert sliced == play.view(3.0)
    assert [len(each) for each in (sliced.nodes, sliced.buttons, sliced.findings)] == [7, 7, 3]


def test_a_slice_is_no_larger_than_it_may_be() -> None:
    """7 nodes, 7 buttons and 3 findings are 17 parts; whether any is left is seen at the next one."""
    play = peopled()
    building = play.begin_view()

    slices = 1
    while not play.make_slice(building, 3.0, 2):
        slices += 1

    assert slices == 9


def test_what_goes_while_a_view_is_made_is_left_out() -> None:
    """A node that was forgotten has neither a row nor buttons."""
    play = peopled()
    building = play.begin_view()
    play.make_slice(building, 3.0, 1)
    play.jump(200.0)
    play.ask(200.0, Forget(KEYS[3], "facilities"))

    made = play.go_on_with(building, 200.0, 1)

    for shown in ([each.node for each in made.nodes], [each.node for each in made.buttons]):
        assert KEYS[3].node not in shown
    assert len(made.nodes) == len(KEYS) - 1


def test_what_comes_while_a_view_is_made_is_in_the_next_one() -> None:
    """The slices that are left are those of the beginning."""
    play = peopled(KEYS[1:])
    building = play.begin_view()
    play.make_slice(building, 3.0, 1)
    play.hear(3.0, heartbeat(KEYS[0]), KEYS[0])

    made = play.go_on_with(building, 3.0, 1)

    assert KEYS[0].node not in {each.node for each in made.nodes}
    assert KEYS[0].node in {each.node for each in play.view(3.0).nodes}
