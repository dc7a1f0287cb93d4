"""Which buttons have no test left in a walk test, and what becomes of a test whose button is gone meanwhile."""

import pytest

from node.core.walk_test import RECENT_S
from node.monitor.core.model.requests import Answer, Forget, StartWalkTest
from tests.monitor.core.node_messages import ROOM, SITE, event, goodbye, heartbeat, press
from tests.monitor.core.play import Play


@pytest.mark.parametrize(("ago_s", "real"), [(RECENT_S - 0.5, ("room-214/button",)), (RECENT_S, ())])
def test_a_button_that_was_pressed_within_5_minutes_before_is_real(ago_s: float, real: tuple[str, ...]) -> None:
    """Somebody may still need help there; the node decides the same."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.hear(1.0 + ago_s, heartbeat())

    play.ask(1.0 + ago_s, StartWalkTest(SITE, "guard-desk", 600.0))

    assert play.view(1.0 + ago_s).walk_tests[0].real == real


def test_the_test_of_a_node_that_was_forgotten_is_never_confirmed() -> None:
    """Another node has its name now: what comes from it is no answer to that test."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.ask(1.0, StartWalkTest(SITE, "guard-desk", 600.0))
    play.hear(2.0, event(1, "tested", input="button", test=True, age_ms=0))
    play.hear(3.0, goodbye())
    answer = play.answer(play.ask(4.0, Forget(ROOM, "facilities")))
    before = len(play.all.tests)

    play.hear(5.0, heartbeat(boot="0000b009"))
    play.hear(6.0, event(2, "test-confirmed", boot="0000b009", input="button", test=True, for_s=0.021))

    assert (answer, len(play.all.tests)) == (Answer("done"), before)
