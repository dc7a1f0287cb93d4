"""Runs a program on gpiozero's mock pins and presses its button; it needs nothing but gpiozero.

    python driver.py BUTTON BUZZER script.py ARGUMENT...
    python driver.py BUTTON BUZZER -m MODULE ARGUMENT...

``tap MS`` on standard input connects the pin BUTTON to ground for so long. JSON lines on standard output, with instants
in monotonic seconds: ``{"armed":at}`` once the program listens to the button, and of each tap ``{"pressed":at,
"buzzer":at}`` (null if the program hasn't switched its buzzer on before gpiozero's callback returned) and
``{"released":at}``. What the program itself prints goes to standard error.
"""

import json
import os
import runpy
import sys
import threading
import time
from typing import Any

from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPin

BUTTON, BUZZER = map(int, sys.argv[1:3])
ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)


class Pin(MockPin):  # type: ignore[misc] # gpiozero has no types
    """A mock pin that keeps the instant of its newest edge, and says when somebody begins to listen to it."""

    changed_at = None

    def _change_state(self, value: bool) -> bool:
        changed: bool = super()._change_state(value)
        if changed:
            self.changed_at = self._last_change
        return changed

    def _enable_event_detect(self) -> None:
        if self.info.name == f"GPIO{BUTTON}":
            tell(armed=time.monotonic())


def tell(**instants: float | None) -> None:
    """Write a line."""
    ANSWERS.write(json.dumps(instants) + "\n")


def drive(button: Any, buzzer: Any) -> None:
    """Carry out one line after the other."""
    for line in sys.stdin:
        buzzer.changed_at = None
        button.drive_low()
        tell(pressed=button.changed_at, buzzer=buzzer.changed_at)
        time.sleep(int(line.split()[1]) / 1000)
        button.drive_high()
        tell(released=button.changed_at)


def main() -> None:
    """Be the program."""
    os.dup2(2, 1)
    Device.pin_factory = MockFactory(pin_class=Pin)
    pins = Device.pin_factory.pin(BUTTON), Device.pin_factory.pin(BUZZER)
    threading.Thread(target=drive, args=pins, daemon=True).start()
    del sys.argv[:3]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
