"""Group after group, where something else happens between two of them."""

from msgspec.structs import replace

from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import NoticeKind
from tests.monitor.core.node_messages import press
from tests.monitor.core.play import ESCALATE_S, Play

THREE_GROUPS = tuple(Target(f"t{level}", "json://x", level=level) for level in range(3))


def test_only_those_that_were_called_before_are_called_anew() -> None:
    """A press contradicts what was told: the first two groups hear that, the third one is called for the first time."""
    play = Play(targets=THREE_GROUPS)
    play.hear(1.0, press(1))
    play.until(70.0)
    play.hear(70.0, replace(press(1), input="other"))

    play.until(70.0 + ESCALATE_S)

    calls = [each for each in play.all.notices if each.kind is NoticeKind.ALARM]
    assert [(each.level, ":anew:" in each.key) for each in calls] == [
        (0, False),
        (1, False),
        (0, True),
        (1, True),
        (2, False),
    ]
