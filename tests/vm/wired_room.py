"""A room on QEMU's board "virt": its wires are set and seen from outside of the guest, through tests/vm/wires.py.

A machine whose wires are seen from outside can't go back to an earlier moment: QEMU tells changes of a line only. So
each try ends by a reset of its alarm.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.support.desk import incidents
from tests.vm.boards import CHIP
from tests.vm.lines import ANSWER_S
from tests.vm.machine import Machine
from tests.vm.room import BUZZER, COUNTER, DESK, LAMP, Room

LINES = {DESK: 5, COUNTER: 6, BUZZER: 1, LAMP: 2}
"""The line of the chip that stands in for each pin of a Pi."""


class WiredRoom(Room):
    """Its instants are CLOCK_MONOTONIC of this machine."""

    def __init__(self, machine: Machine, factory: str) -> None:
        super().__init__(machine, factory)
        self._waiting = ThreadPoolExecutor(len(LINES), thread_name_prefix="until")
        for pin in (DESK, COUNTER):
            self.release(pin)

    def go_back(self) -> None:
        """End the alarm of the try before this one."""
        with self.desk() as desk:
            desk.beat()
            for incident in incidents(desk.expect("alarm")):
                assert desk.order("reset", incident=incident)["outcome"] == "done"
        self.expect("StatusText", "ready")

    def wire(self, pin: int, wave: Sequence[tuple[bool, float]]) -> list[tuple[float, float]]:
        """Do this to a wire: levels, each for so many seconds; when each was set."""
        set_at = []
        for high, seconds in wave:
            set_at.append(self.machine.wires.set(LINES[pin], high=high))
            time.sleep(seconds)
        return set_at

    def level(self, pin: int) -> bool:
        """Whether a line is high now."""
        return self.machine.wires.is_high(LINES[pin])

    def until(self, pin: int, *, high: bool, timeout_s: float = ANSWER_S) -> "Future[Any]":
        """When a line is seen at a level, from now on; None if it never is."""
        return self._waiting.submit(self.machine.wires.until, LINES[pin], high=high, timeout_s=timeout_s)

    def _panel(self) -> Mapping[str, object]:
        return {"chip": CHIP}

    def _at_its_place(self, line: str) -> str:
        key, _, value = line.strip().partition(" = ")
        return f"pin = {LINES[int(value)]}\n" if key == "pin" else line
