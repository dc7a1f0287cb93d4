"""The eight lines of the GPIO chip of QEMU's board "virt", set and seen from outside of the guest.

QEMU's qtest protocol (softmmu/qtest.c) carries a command on each line, answered by OK, and tells each change of an
output. Instants are CLOCK_MONOTONIC of this machine.
"""

import socket
import threading
import time
from contextlib import suppress

from tests.vm.lines import ANSWER_S, LineError, Qmp

_UNATTACHED = "/machine/unattached"


class Wires:
    """From the connection of QEMU's qtest socket on. All inputs are high then: their contacts are open."""

    def __init__(self, connected: socket.socket, qmp: Qmp) -> None:
        (name,) = [each["name"] for each in qmp.do("qom-list", path=_UNATTACHED) if each["type"] == "child<pl061>"]
        self._chip = f"{_UNATTACHED}/{name}"
        self._socket = connected
        self._changed = threading.Condition()
        self._answers: list[str] = []
        self._high: dict[int, bool] = {}
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="wires", daemon=True)
        self._thread.start()
        self._do(f"irq_intercept_out {self._chip}")

    def set(self, line: int, *, high: bool) -> tuple[float, float]:
        """Set the level of an input; the instants before and after that."""
        before = time.monotonic()
        self._do(f"set_irq_in {self._chip} unnamed-gpio-in {line} {int(high)}")
        return before, time.monotonic()

    def is_high(self, line: int) -> bool:
        """The level of an output now."""
        with self._changed:
            return self._high.get(line, False)

    def until(self, line: int, *, high: bool, timeout_s: float) -> float | None:
        """When an output was first seen at this level, from now on; None if it wasn't within so many seconds."""
        with self._changed:
            seen = self._changed.wait_for(lambda: self._high.get(line, False) is high, timeout_s)
            return time.monotonic() if seen else None

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _do(self, command: str) -> None:
        """Give a command, from one thread at a time. Raises LineError when QEMU refuses it or has ended."""
        with self._changed:
            self._answers.clear()
            self._socket.sendall(command.encode() + b"\n")
            if not self._changed.wait_for(lambda: self._answers or self._ended, ANSWER_S) or self._answers != ["OK"]:
                raise LineError(f"{command}: {self._answers or 'QEMU has ended'}")

    def _read(self) -> None:
        with suppress(OSError), self._socket.makefile("r", encoding="ascii") as lines:
            for line in lines:
                with self._changed:
                    match line.split():
                        case ["IRQ", change, number]:
                            self._high[int(number)] = change == "raise"
                        case words:
                            self._answers.append(" ".join(words))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
