"""A started panel."""

import sys
from collections.abc import Iterator

import pytest

from tests.integration.panel.room import (
    Room,
)


@pytest.fixture
def room() -> Iterator[Room]:
    """A wall at rest."""
    room = Room()
    yield room
    for panel in room.panels:
        panel.close()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
