"""A record that has grown to its limit: what goes is named first, and nobody waits for it any more."""

import pytest

from node.core.effects import Append, SendEvent, Spill
from node.core.events import BacklogRead, EvictionDue
from node.core.model import Key, KeyRange, ranges_of
from tests.core.outside import OLD_BOOT, backlog
from tests.core.playbook import LINK, Stage
from tests.core.scenes import Logged


def test_what_goes_is_named_and_not_sent_any_more(stage: Stage) -> None:
    """The event that names it is the record's leave to let it go; alarms stay, whatever the range says."""
    play = stage(connected=False)
    play >> BacklogRead(play.now, backlog(alarms=2, telemetry=3), more=False)
    play.skip()
    ranges = (KeyRange(OLD_BOOT, 2, 4),)

    play >> EvictionDue(play.now, ranges)

    play.only(Append, SendEvent, Spill) << [
        Logged("evicted", ranges=ranges, incident=None),
        Spill(Key(OLD_BOOT, 3)),
        Spill(Key(OLD_BOOT, 4)),
    ]
    waiting = {key.seq for key in play.state.waiting.events if key.boot == OLD_BOOT}
    assert waiting == {1, 2, 5}
    assert play.connect(LINK).skip().state.waiting.events


def test_events_in_a_row_are_one_range() -> None:
    """A gap or another boot begins the next one, in the order in which they come."""
    keys = [Key("a", 1), Key("a", 2), Key("a", 4), Key("b", 5), Key("b", 6), Key("a", 5)]

    found = ranges_of(keys, most=9)

    assert found == (KeyRange("a", 1, 2), KeyRange("a", 4, 4), KeyRange("b", 5, 6), KeyRange("a", 5, 5))
    assert ranges_of(keys, most=2) == found[:2]
    assert ranges_of([], most=2) == ()


@pytest.mark.parametrize(
    ("key", "held"), [(Key("a", 2), False), (Key("a", 3), True), (Key("a", 5), True), (Key("b", 4), False)]
)
def test_a_range_holds_what_is_between_its_ends(key: Key, held: bool) -> None:
    """Both included, of one boot."""
    assert KeyRange("a", 3, 5).holds(key) is held


def test_a_range_is_told_short() -> None:
    """As an event's own number is, and with the last one where there are several."""
    assert (str(KeyRange("0000beef", 3, 5)), str(KeyRange("0000beef", 3, 3))) == ("0000beef-3..5", "0000beef-3")
