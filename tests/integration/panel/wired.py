"""Inputs on a chip that stands in for the kernel's, through the factory on gpiod."""

import queue
from typing import Any

from gpiozero import InputDevice

from node.io.panel.gpiod_factory import GPIODFactory
from tests.integration.panel.room import WAIT_LIMIT_S

CHIP = "/dev/gpiochip0"
BUTTON, DOOR, BUZZER, LAMP = 17, 27, 22, 23
NAMES = {BUTTON: "button", DOOR: "door", BUZZER: "buzzer", LAMP: "lamp"}


class Input:
    """An input with a pull-up, and a listener that keeps what it hears."""

    def __init__(self, factory: GPIODFactory, number: int) -> None:
        self.heard: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()
        self.device = InputDevice(number, pull_up=True, pin_factory=factory)
        self.pin: Any = self.device.pin

    def listen(self) -> "Input":
        """From now on edges are heard."""
        self.pin.edges = "both"
        self.pin.when_changed = self.hear
        return self

    def hear(self, ticks: float, state: int) -> None:
        """An edge."""
        self.heard.put((ticks, state))

    def next(self) -> tuple[float, int]:
        """The next edge."""
        return self.heard.get(timeout=WAIT_LIMIT_S)
