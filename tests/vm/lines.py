"""Two lines to a machine: QMP to QEMU itself, and one to the agent in the guest. Both carry a JSON object per line."""

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

Message = dict[str, Any]

ANSWER_S = 300.0
"""So long an answer may take: a busy machine isn't a broken one."""


class LineError(Exception):
    """The other end refused, or the line has ended."""


class Line:
    """A socket with a thread that hands over each message. ``ended`` is called once, when the line has ended."""

    def __init__(self, connected: socket.socket, heard: Callable[[Message], None], ended: Callable[[], None]) -> None:
        self._heard, self._ended = heard, ended
        self._lock = threading.Lock()
        self._socket = connected
        self._thread = threading.Thread(target=self._read, name="line", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Send a message. Raises LineError when nobody is there any more."""
        try:
            with self._lock:
                self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as failure:
            raise LineError(f"the line has ended: {failure}") from failure

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        with suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                with suppress(ValueError):  # a reset of the guest leaves half a line
                    self._heard(json.loads(line))
        self._ended()


class Asked:
    """Questions with a number, and their answers. A question that can't be answered any more fails."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()

    def new(self) -> tuple[int, Future[Any]]:
        """A number, and what its answer will be."""
        with self._lock:
            number, answer = next(self._numbers), Future[Any]()
            self._open[number] = answer
        return number, answer

    def answered(self, number: int, value: object = None, error: str | None = None) -> None:
        """The answer has come. One that nobody awaits any more is dropped."""
        with self._lock:
            answer = self._open.pop(number, None)
        if answer is not None and error is None:
            answer.set_result(value)
        elif answer is not None:
            answer.set_exception(LineError(error))

    def fail(self, why: str) -> None:
        """No open question will be answered."""
        with self._lock:
            failed = list(self._open)
        for number in failed:
            self.answered(number, error=why)


class Qmp:
    """QEMU's own line (docs/interop/qmp-spec): commands, and events such as RESET and WATCHDOG."""

    def __init__(self, connected: socket.socket) -> None:
        self._asked = Asked()
        self._changed = threading.Condition()
        self._events: list[str] = []
        self._line = Line(connected, self._heard, lambda: self._asked.fail("QEMU has ended"))
        self.do("qmp_capabilities")

    def do(self, command: str, **arguments: object) -> Any:
        """Give a command; what it returns. Raises LineError when QEMU refuses it."""
        number, answer = self._asked.new()
        self._line.send({"execute": command, "arguments": arguments, "id": number})
        return answer.result(ANSWER_S)

    def monitor(self, command: str) -> None:
        """Give a command of the human monitor. Raises LineError when it says anything: those say only errors."""
        said = self.do("human-monitor-command", **{"command-line": command})
        if said.strip():
            raise LineError(f"{command}: {said.strip()}")

    @property
    def events(self) -> list[str]:
        """The names of all events so far."""
        with self._changed:
            return list(self._events)

    def expect_event(self, name: str, since: int, timeout_s: float = ANSWER_S) -> None:
        """Wait for an event of this name beyond the first ``since`` events."""
        with self._changed:
            if not self._changed.wait_for(lambda: name in self._events[since:], timeout_s):
                raise LineError(f"no {name} within {timeout_s:g} s; events: {self._events[since:]}")

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _heard(self, message: Message) -> None:
        if "event" in message:
            with self._changed:
                self._events.append(message["event"])
                self._changed.notify_all()
        elif "id" in message:
            error = message.get("error")
            self._asked.answered(message["id"], message.get("return"), error and error["desc"])


class Agent:
    """The line to tests/vm/agent.py in the guest; its actions by their names."""

    def __init__(self, connected: socket.socket) -> None:
        self._asked = Asked()
        self._changed = threading.Condition()
        self._hellos = 0
        self._line = Line(connected, self._heard, lambda: self._asked.fail("the machine has ended"))

    @property
    def hellos(self) -> int:
        """How often an agent has begun."""
        with self._changed:
            return self._hellos

    def expect_hello(self, since: int, timeout_s: float = ANSWER_S) -> None:
        """Wait until an agent has begun after the first ``since`` ones."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._hellos > since, timeout_s):
                raise LineError(f"the guest's agent didn't begin within {timeout_s:g} s")

    def start(self, action: str, **arguments: object) -> Future[Any]:
        """Ask for something; its answer comes later."""
        number, answer = self._asked.new()
        self._line.send({"id": number, "do": action, "with": arguments})
        return answer

    def do(self, action: str, **arguments: object) -> Any:
        """Ask for something, and wait for the answer. Raises LineError when it failed there."""
        return self.start(action, **arguments).result(ANSWER_S)

    def forget(self) -> None:
        """What was asked so far is never answered: the guest goes back to a moment before it."""
        self._asked.fail("the guest went back to an earlier moment")

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _heard(self, message: Message) -> None:
        if "hello" in message:
            self._asked.fail("the guest has started anew")
            with self._changed:
                self._hellos += 1
                self._changed.notify_all()
        else:
            self._asked.answered(message["id"], message.get("value"), message.get("error"))


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = ANSWER_S) -> None:
    """Look again and again, for what can't be waited for in a better way."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise LineError(f"{what} didn't come true within {timeout_s:g} s")
        time.sleep(0.02)
