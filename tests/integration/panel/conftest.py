"""A started panel, and a factory on gpiod."""

import sys
from collections.abc import Iterator

import pytest

from node.io.panel.gpiod_factory import GPIODFactory
from tests.integration.panel.room import (
    Room,
)
from tests.integration.panel.wired import CHIP, NAMES
from tests.support.gpio_kernel import FakeChip, Kernel, standing_in


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


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """A machine with one chip."""
    with standing_in() as kernel:
        kernel.chips[CHIP] = FakeChip()
        yield kernel


@pytest.fixture
def chip(kernel: Kernel) -> FakeChip:
    """Its chip."""
    return kernel.chips[CHIP]


@pytest.fixture
def factory(chip: FakeChip) -> Iterator[GPIODFactory]:
    """A factory on it."""
    assert not chip.removed
    made = GPIODFactory(CHIP, "alarm-node", NAMES)
    yield made
    made.close()
