"""Who is measured: each a real process on gpiozero's mock pins, told to press its button by a line of text.

Instants are of CLOCK_MONOTONIC, which all processes share. Those of button and buzzer are by gpiozero's mock pins, in
the contender's own process, and the message's is by the subscriber.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from tests.bench.press import subscriber
from tests.campaigns.card import Card, Fault
from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.flood import Flood, Packet
from tests.support.node import BUTTON, as_packaged, wait_until, write_config
from tests.support.node import Pages as Lines

DEBOUNCE_S = 0.020
"""The node's own, and what the script asks gpiozero for. On a Raspberry Pi lgpio waits so long (lgpio's
gpio_set_debounce_micros). A mock pin ignores it, so the driver waits."""

TAP_MS = 120
BUZZER = 22
DRIVER = Path(__file__).with_name("driver.py")
MEMORY = Path("/dev/shm")  # noqa: S108 - a name by tempfile
TIRELESS = {"chatter_presses": 10_000}
"""No finger presses so often: by the default this would be a contact that chatters."""

BEAT_S = 5.0
_PRESSED = '"kind":"pressed"'

LOST_S = 5.0
"""A press of which nothing came until then is lost."""

TIMEOUT_S = 30.0
"""E.g. for a start on a busy machine."""


@dataclass(frozen=True, slots=True)
class Press:
    """How long one took beyond the debounce, in seconds; None where no message came, or where there is no buzzer."""

    to_subscriber_s: float | None
    to_buzzer_s: float | None = None


class Subscriber:
    """The subscriber's process, from entering it as a context to leaving it."""

    def __init__(self, port: int) -> None:
        self._command = [sys.executable, "-m", subscriber.__name__, str(port)]
        self._lines = Lines()

    @property
    def mark(self) -> int:
        """How many messages there are so far: a place to look from."""
        with self._lines.changed:
            return len(self._lines.lines)

    def expect(
        self, topic: str | tuple[str, ...], fits: Callable[[str], bool], since: int, timeout_s: float = TIMEOUT_S
    ) -> tuple[float, str]:
        """The first message of a topic that ends so, or so, from number ``since`` on: when it came, and its payload.

        Raises LookupError where none comes.
        """

        def wanted(line: str) -> bool:
            _, found, payload = line.split(" ", 2)
            return found.endswith(topic) and fits(payload)

        at, _, payload = self._lines.expect(wanted, timeout_s, since)[1].split(" ", 2)
        return float(at), payload

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()  # "ready"
        self._reader = threading.Thread(target=self._lines.read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Room:
    """What all contenders of a run share. ``ca_file`` signed the broker's certificate."""

    directory: Path
    broker: Broker
    subscriber: Subscriber
    ca_file: Path

    def fresh(self) -> Path:
        """An empty directory."""
        return Path(tempfile.mkdtemp(dir=self.directory))


class Contender(Protocol):
    """What can be pressed."""

    def tap(self) -> Press:
        """Press for ``TAP_MS``; returns once another press would be a new one."""


class Program(ABC):
    """A contender with a process. ``to_armed_s`` and ``to_state_s`` count from its start."""

    pid: int
    to_armed_s: float
    to_state_s: float

    @abstractmethod
    def tap(self) -> Press:
        """As ``Contender.tap``."""

    @abstractmethod
    def press(self) -> float:
        """Press for ``TAP_MS``, and wait for nothing else; when the pin changed."""


@contextmanager
def _beating(desk: Desk) -> Iterator[None]:
    """The desk is there as a monitor is: it says so every few seconds."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.is_set():
            with suppress(AssertionError):  # the broker is frozen
                desk.beat()
            ended.wait(BEAT_S)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Driven(Program):
    """A program that ``driver`` runs. ``arguments`` are its own, behind ``python``.

    ``topics``: where it says that it is there, and that its button was pressed; ``words``: what it says there.
    ``buzzes``: whether it has a buzzer. ``debounce_s``: how long a press has to last; ``debounces``: whether it
    sees to that itself.
    """

    debounces = False

    def __init__(
        self,
        room: Room,
        python: str | Path,
        arguments: Sequence[str | Path],
        *,
        topics: tuple[str, ...],
        words: tuple[str, ...],
        buzzes: bool,
        debounce_s: float = DEBOUNCE_S,
    ) -> None:
        self._room, self._topics, self._words, self._buzzes = room, topics, words, buzzes
        self._debounce_s = debounce_s
        pins = (str(BUTTON["pin"]), str(BUZZER))
        self._command = [str(each) for each in (python, "-P", DRIVER, *pins, *arguments)]
        self._environ: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        directory = self._room.fresh()
        self.log = directory / "log"
        mark, begun = self._room.subscriber.mark, time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=directory,
                env={**os.environ, **self._environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.pid, self._lines = self._process.pid, Lines()
        self._reader = threading.Thread(target=self._lines.read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        try:
            self.to_armed_s = self._told("armed", 0)["armed"] - begun
            state = self._room.subscriber.expect(self._topics[0], lambda payload: self._words[0] in payload, mark)
        except BaseException as failure:
            self.__exit__(None, None, None)
            failure.add_note(self.log.read_text(encoding="utf-8")[-2_000:])
            raise
        self.to_state_s = state[0] - begun
        return self

    def tap(self) -> Press:
        """It stands ready again once it is let go."""
        lines, heard = self._mark, self._room.subscriber.mark
        pressed = self.press() + self._debounce_s
        buzzer = self._told("released", lines)["buzzer"]
        to_buzzer_s = buzzer - pressed if self._buzzes else None
        try:
            at = self._room.subscriber.expect(self._topics[1:], self._tells, heard, LOST_S)[0]
        except LookupError:
            return Press(None, to_buzzer_s)
        self._stand_ready(heard)
        return Press(at - pressed, to_buzzer_s)

    def _tells(self, payload: str) -> bool:
        return any(word in payload for word in self._words[1:])

    def _stand_ready(self, heard: int) -> None:
        """After a press that the subscriber heard from this message on."""

    def press(self) -> float:
        """As ``Program.press``."""
        mark = self._mark
        assert self._process.stdin is not None
        waits_ms = 0 if self.debounces else round(self._debounce_s * 1000)
        self._process.stdin.write(f"tap {TAP_MS} {waits_ms}\n")
        self._process.stdin.flush()
        return float(self._told("pressed", mark)["pressed"])

    @property
    def _mark(self) -> int:
        with self._lines.changed:
            return len(self._lines.lines)

    def _told(self, name: str, since: int) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(
                self._lines.expect(lambda line: f'"{name}"' in line, TIMEOUT_S, since)[1]
            )
        except LookupError:
            raise AssertionError(f"{self._command} said nothing of {name}: {self._lines.lines}") from None
        return found

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


class Node(Driven):
    """This program; the subscriber confirms its events, as a monitor does.

    ``second``: it has another broker, which answers, or is frozen once both links are up. ``stalled``: its disk takes
    nothing. The first message that says who calls and where counts: the event, or the list of open alarms.
    """

    debounces = True

    def __init__(
        self, room: Room, *, tls: bool = False, second: Literal["", "live", "silent"] = "", stalled: bool = False
    ) -> None:
        self._directory = room.fresh()
        self._tls, self._second, self._stalled = tls, second, stalled
        super().__init__(
            room,
            sys.executable,
            ["-m", "node", "run", "--config", self._directory / "node.toml"],
            topics=("/state", "/alarm", "/event"),
            words=('"online"', '"phase":"active"', _PRESSED),
            buzzes=True,
        )

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            brokers: list[Mapping[str, object]] = []
            if self._second:
                second = stack.enter_context(Broker(self._directory / "second"))
                brokers.append({"host": "127.0.0.1", "port": second.port})
            own = self._room.broker
            secure = {"port": own.tls_port, "ca_file": str(self._room.ca_file)}
            brokers.append({"host": "127.0.0.1", **(secure if self._tls else {"port": own.port})})
            card = Card(self._directory) if self._stalled else None
            # systemd gives a service its runtime directory in memory: what it writes there reaches no disk.
            runtime = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None))
            write_config(self._directory, brokers=brokers, panel=TIRELESS)
            self._environ = {
                **as_packaged(self._directory),
                "RUNTIME_DIRECTORY": runtime,
                **({} if card is None else card.environ),
            }
            self._desk = stack.enter_context(Desk(own.port, hears=("state", "reply")))
            super().__enter__()
            stack.push(super().__exit__)
            stack.enter_context(_beating(self._desk))
            for each in brokers:
                self._wait_for(f"127.0.0.1:{each['port']}: session 1 is up")
            if self._second == "silent":
                second.freeze()
            if card is not None:
                card.set(Fault.STALLED)
                stack.callback(card.set, Fault.WELL)
            self._stack = stack.pop_all()
        return self

    def _wait_for(self, logged: str) -> None:
        wait_until(lambda: logged in self.log.read_text(encoding="utf-8"), what=logged)

    def _stand_ready(self, heard: int) -> None:
        """Each is reset, so that the buzzer starts anew with the next."""
        expect = self._room.subscriber.expect
        _, event = expect("/event", lambda payload: _PRESSED in payload, heard)
        expect("/event", lambda payload: '"kind":"restored"' in payload, heard)
        reset = self._desk.order("reset", incident=json.loads(event)["incident"])
        assert reset["outcome"] == "done", reset

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()


class Floor:
    """A message over sockets alone: from before a publish at QoS 1 to the subscriber. Nobody can be faster."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def __enter__(self) -> Self:
        self._flood = Flood(self._room.broker.port)
        self._flood.__enter__()
        return self

    def tap(self) -> Press:
        """Publish once."""
        mark, begun = self._room.subscriber.mark, time.monotonic()
        self._flood.pour([Packet("floor", b"pressed")])
        return Press(self._room.subscriber.expect("floor", lambda payload: True, mark)[0] - begun)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._flood.__exit__(kind, value, traceback)


class WakeUp:
    """A thread that another one wakes by a ``queue.SimpleQueue``."""

    def __enter__(self) -> Self:
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._wake, daemon=True)
        self._thread.start()
        return self

    def tap(self) -> Press:
        """Wake it once."""
        begun = time.monotonic()
        self._asked.put(True)
        return Press(self._answers.get() - begun)

    def _wake(self) -> None:
        while self._asked.get():
            self._answers.put(time.monotonic())

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._asked.put(False)
        self._thread.join()


@contextmanager
def neighbour() -> Iterator[None]:
    """A process that does nothing but calculate, at the same priority."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()
