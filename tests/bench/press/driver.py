"""Runs a program on gpiozero's mock pins and presses its button; it needs nothing but gpiozero.

    python driver.py BUTTON BUZZER script.py ARGUMENT...
    python driver.py BUTTON BUZZER -m MODULE ARGUMENT...

The module ``node`` gets its mock pins where it would open the kernel's, and gpiozero as it imports it.

``tap MS DEBOUNCE_MS`` on standard input connects the pin BUTTON to ground for so long. The program is told of the press
after the debounce, as lgpio's thread tells a program that asked for one; 0 for a program that does this itself. JSON
lines on standard output, with instants
in monotonic seconds: ``{"armed":at}`` once the program listens to the button, and of each tap ``{"pressed":at}`` and
``{"released":at,"buzzer":at}``: when the buzzer was first switched on since the press, null if it wasn't. Nothing is
written in between, so that nobody is woken while the program is busy with the press. What the program itself prints
goes to standard error.
"""

import json
import os
import runpy
import sys
import threading
import time
from typing import Any

BUTTON, BUZZER = map(int, sys.argv[1:3])
ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)


def mock_factory() -> Any:
    """Mock pins, whose button does what standard input says from now on."""
    from gpiozero.pins.mock import MockFactory, MockPin  # noqa: PLC0415 - once the program has it

    class Pin(MockPin):  # type: ignore[misc] # gpiozero has no types
        """A mock pin that keeps the instant of its newest edge, and of the first one to high."""

        changed_at = high_at = None

        def _change_state(self, value: bool) -> bool:
            changed: bool = super()._change_state(value)
            if changed:
                self.changed_at = self._last_change
                if value and self.high_at is None:
                    self.high_at = self._last_change
            return changed

        def _enable_event_detect(self) -> None:
            if self.info.name == f"GPIO{BUTTON}":
                tell(armed=time.monotonic())

    factory = MockFactory(pin_class=Pin)
    pins = factory.pin(BUTTON), factory.pin(BUZZER)
    threading.Thread(target=drive, args=pins, daemon=True).start()
    return factory


def tell(**instants: float | None) -> None:
    """Write a line."""
    ANSWERS.write(json.dumps(instants) + "\n")


def drive(button: Any, buzzer: Any) -> None:
    """Carry out one line after the other."""
    for line in sys.stdin:
        tap_s, debounce_s = (int(each) / 1000 for each in line.split()[1:])
        buzzer.high_at = None
        began = time.monotonic()
        if debounce_s:
            time.sleep(debounce_s)
        button.drive_low()
        pressed = began if debounce_s else button.changed_at
        time.sleep(tap_s)
        tell(pressed=pressed)
        button.drive_high()
        tell(released=button.changed_at, buzzer=buzzer.high_at)


def main() -> None:
    """Be the program."""
    os.dup2(2, 1)
    del sys.argv[:3]
    if sys.argv[:2] == ["-m", "node"]:
        from node.io.panel import pin_factory  # noqa: PLC0415
        from node.stand_ins import stand_ins  # noqa: PLC0415

        def open_factory(settings: object) -> Any:
            with stand_ins("importlib.metadata"):  # which mock pins alone import
                return mock_factory()

        pin_factory.open_factory = open_factory
    else:
        from gpiozero import Device  # noqa: PLC0415

        Device.pin_factory = mock_factory()
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
