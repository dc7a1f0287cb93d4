"""What the history is asked about calls that nobody was told of, and what its answer changes."""

from datetime import timedelta

from msgspec.structs import replace

from node.monitor.core.decisions.batch import Stored
from tests.monitor.core.node_messages import BOOT, event, heartbeat, press
from tests.monitor.core.play import INCIDENT, Play


def test_a_history_is_asked_every_2_s_and_after_a_minute_every_5_s() -> None:
    """Another monitor may have told people; questions about old calls shall not be a burden."""
    play = Play()
    play.tell = False
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    counts = []
    for at in (11.0, 31.0, 100.0, 160.0):
        play.until(at)
        counts.append(len(play.all.incidents))

    assert (counts[1] - counts[0], counts[3] - counts[2]) == (10, 12)


def test_of_two_that_told_people_of_the_same_press_the_own_moment_stays() -> None:
    """The history may have that of the other monitor."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    own = play.incidents[INCIDENT]
    assert own.told_utc is not None

    there = replace(own, told_utc=own.told_utc + timedelta(seconds=30))
    play.stored(60.0, Stored(incidents=(there,)))

    assert play.incidents[INCIDENT].told_utc == own.told_utc


def test_an_answer_to_a_call_that_ended_before_it_came_opens_nothing() -> None:
    """Neither the end nor the answer says how many presses there were."""
    play = Play()
    play.hear(0.0, heartbeat())
    play.hear(1.0, event(1, "reset", input="button", incident=f"{BOOT}-1", by="guard-desk", reason="real"))

    play.hear(2.0, event(2, "acknowledged", input="button", incident=f"{BOOT}-1", by="guard-desk"))

    assert INCIDENT not in play.incidents
