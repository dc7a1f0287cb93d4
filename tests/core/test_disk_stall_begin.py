"""From when on a write is slow."""

import pytest

from node.core.disk_stall import CALM_S, STORE_GRACE_S
from tests.core.playbook import Stage


@pytest.mark.parametrize(("took_s", "faults"), [(STORE_GRACE_S - 0.001, []), (STORE_GRACE_S, [("F020", "")])])
def test_a_write_of_3_s_is_a_stall_and_a_shorter_one_is_none(
    alone: Stage, took_s: float, faults: list[tuple[str, str]]
) -> None:
    """The fault then stands for a minute, although that write was its only one."""
    play = alone().wait(1.0).skip()
    play.stalled = True
    pressed_at = play.press().now
    play.release().until(pressed_at + took_s)
    play.stalled = False

    play.stored().wait(CALM_S - 1.0)

    assert play.faults() == faults
    play.skip()
