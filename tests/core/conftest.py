"""The stage: plays that fail when a scene was never checked."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from node.core.settings import InputSettings, Receipts
from tests.core.house import make_settings
from tests.core.playbook import Playbook, Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Begins plays: ``stage(button(…), …, links=…, connected=False, **settings)``; each must have been looked at."""
    plays: list[Playbook] = []

    def begin(*inputs: InputSettings, connected: bool = True, **settings: Any) -> Playbook:
        play = Playbook(make_settings(*inputs, **settings)).begin()
        if connected:
            for link in play.settings.links:
                play.connect(link)
        plays.append(play.skip())
        return play

    yield begin
    for play in plays:
        play.end()


@pytest.fixture
def alone(stage: Stage) -> Stage:
    """As ``stage``, in a building without a monitor: that none is heard is no fault there."""
    return partial(stage, receipts=Receipts.NONE)


@pytest.fixture
def pressed(stage: Stage) -> Playbook:
    """A node that was pressed once and let go, with a monitor that has said nothing about it yet."""
    return stage().monitor().tap().stored().skip()
