"""One list of a broker with incidents of several kinds: each is judged by itself."""

from typing import Any

import pytest
from msgspec.structs import replace

from node.core.events import AlarmHeard
from node.core.model import Key, ListedIncident, Step
from node.core.settings import AlarmClass
from tests.core.outside import OLD_BOOT
from tests.core.playbook import BOOT, LINK, UTC_OFFSET, Stage

FOREIGN = "0000000f"


@pytest.mark.parametrize(
    "before",
    [{"id": f"{BOOT}-99"}, {"id": f"{FOREIGN}-1"}, {"id": f"{FOREIGN}-3", "test": True}],
    ids=["of this boot", "known already", "not plausible"],
)
def test_what_is_not_adopted_hides_nothing_that_stands_behind_it(stage: Stage, before: dict[str, Any]) -> None:
    """A call that is only at the broker is found, whatever comes first in its list."""
    play = stage()
    play >> AlarmHeard(play.now, LINK, OLD_BOOT, (_listed(1),), retained=True)
    play.link_down().connect()

    play >> AlarmHeard(play.now, LINK, OLD_BOOT, (replace(_listed(1), **before), _listed(2)), retained=True)

    assert {each.id for each in play.state.incidents} == {f"{FOREIGN}-1", f"{FOREIGN}-2"}
    play.skip()


def test_what_was_reset_hides_nothing_that_stands_behind_it(stage: Stage) -> None:
    """The broker was away when it was reset."""
    play = stage()
    play >> AlarmHeard(play.now, LINK, OLD_BOOT, (_listed(1),), retained=True)
    play.command("reset", incident=f"{FOREIGN}-1").link_down().connect()

    play >> AlarmHeard(play.now, LINK, OLD_BOOT, (_listed(1), _listed(2)), retained=True)

    assert [each.id for each in play.state.incidents] == [f"{FOREIGN}-2"]
    play.skip()


def _listed(number: int) -> ListedIncident:
    key = Key(FOREIGN, number)
    return ListedIncident(str(key), "button", AlarmClass.ASSIST, Step.PRESSED, 1, UTC_OFFSET, key)
