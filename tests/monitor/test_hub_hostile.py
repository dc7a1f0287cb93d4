"""Numbers and names that no building says: what one node may not do to the others, nor to the monitor."""

import pytest
from msgspec.structs import replace as replaced

from node.monitor.hub import REVIEW_S
from node.monitor.viewing import view
from tests.monitor.nodes import START, event, heartbeat, moment, press
from tests.monitor.play import Play


@pytest.mark.parametrize("at_utc", ["9999-12-31T23:59:59.999Z", "2999-01-01T00:00:00.000Z"])
def test_nothing_happens_later_than_now(at_utc: str) -> None:
    """A node without a clock may say any time: a test of the year 9999 ended the monitor, and was never due again."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, replaced(event(1, "tested", input="button", test=True), at_utc=at_utc))
    play.hear(2.0, event(2, "test-confirmed", input="button", test=True, for_s=0.02))

    play.until(2 * REVIEW_S)

    button = view(play.hub, moment(2 * REVIEW_S), "1", {}).buttons[0]
    assert button.last_test == moment(1.0).utc


@pytest.mark.parametrize("at_utc", ["0000-00-00T00:00:00.000Z", "----------T::::::::.000Z"])
def test_a_time_that_is_none_is_taken_for_now(at_utc: str) -> None:
    """It is a label: the call counts."""
    play = Play()

    play.hear(3.0, replaced(press(1), age_ms=None, at_utc=at_utc))

    assert play.record().raised_utc == moment(3.0).utc


def test_an_age_beyond_all_time_is_taken_for_none() -> None:
    """Then the node's own label is left."""
    play = Play()

    play.hear(3.0, replaced(press(1), age_ms=2**53))

    assert play.record().raised_utc == START
