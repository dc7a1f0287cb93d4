"""A node on simulated pins as a process of its own: instructions in, JSON lines and its log out; always reaped."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

from tests.support import prepared

NODE, SITE = "room-214", "mitte"
BUTTON: Mapping[str, object] = {"pin": 17, "wiring": "normally-open", "class": "threat", "sound": "loud"}
TIMEOUT_S = 20.0
PAUSE_S = 0.025

_STARTS = re.compile(r"starts, boot ([0-9a-f]{8})")


def write_config(
    directory: Path,
    *ports: int,
    buttons: Sequence[Mapping[str, object]] = (BUTTON,),
    brokers: Sequence[Mapping[str, object]] = (),
    tables: Sequence[tuple[str, Mapping[str, object]]] = (),
    panel: Mapping[str, object] = MappingProxyType({}),
    **supervision: object,
) -> Path:
    """The path of a node.toml with its state directory beside it; ``panel`` and ``supervision`` more of their keys.

    ``ports`` of plain brokers on this machine, ``brokers`` the keys of others; ``tables`` whatever else it has.
    """
    written: list[tuple[str, Mapping[str, object]]] = [
        ("[node]", {"id": NODE, "site": SITE, "location": "2. OG", "state_directory": str(directory / "state")}),
        ("[panel]", {"pin_factory": "gpiod", **panel}),
        *(("[[button]]", button) for button in buttons),
        ("[buzzer]", {"pin": 22}),
        ("[lamp]", {"pin": 23}),
        *(("[[broker]]", {"host": "127.0.0.1", "port": port}) for port in ports),
        *(("[[broker]]", broker) for broker in brokers),
        ("[supervision]", supervision),
        *tables,
    ]
    lines = [line for name, keys in written for line in (name, *(f"{key} = {json.dumps(keys[key])}" for key in keys))]
    path = directory / "node.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def alarm_node(
    *arguments: str | Path,
    cwd: Path,
    timeout_s: float = 60.0,
    into: int | IO[bytes] = subprocess.PIPE,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """Run one command of alarm-node to its end, in this directory; ``into`` takes what it prints."""
    return prepared.run(
        prepared.NODE,
        *map(str, arguments),
        cwd=cwd,
        environ=_environment(cwd, environ),
        timeout_s=timeout_s,
        into=into,
    )


def wait_until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S, what: str = "it") -> None:
    """Look again and again, for what can't be waited for in a better way."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"{what} didn't come true within {timeout_s:g} s"
        time.sleep(0.02)


def _environment(directory: Path, more: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    # lgpio writes its pipes into its working directory, and importing it may change that directory (HAZARDS.md H6).
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_DIRECTORY")}
    return {**kept, "PYTHONPATH": str(prepared.ROOT), "LG_WD": str(directory), **more}


def as_packaged(directory: Path) -> dict[str, str]:
    """The unit's environment, without typing_extensions: the package has none, and msgspec imports it if it can."""
    hiding = directory / "as-packaged"
    hiding.mkdir(exist_ok=True)
    (hiding / "typing_extensions.py").write_text("raise ImportError\n", encoding="utf-8")
    return {"PYTHONPATH": f"{hiding}:{prepared.ROOT}", "MALLOC_ARENA_MAX": "1"}


def _state(pid: int) -> str:
    """The state of a process, as proc(5) has it; "Z" where there is none any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


@dataclass(slots=True)
class Pages:
    """The lines of a stream as they come, with the instant (monotonic) of their arrival."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    lines: list[tuple[float, str]] = field(default_factory=list)

    def read(self, stream: IO[str]) -> None:
        """Take in the whole stream; the work of a thread."""
        for line in stream:
            with self.changed:
                self.lines.append((time.monotonic(), line.rstrip("\n")))
                self.changed.notify_all()

    def expect(self, fits: Callable[[str], bool], timeout_s: float, since: int = 0) -> tuple[float, str]:
        """The first line from number ``since`` on that fits; waits for it. Raises LookupError when it doesn't come."""
        seen = since

        def found() -> bool:
            nonlocal seen
            while seen < len(self.lines):
                if fits(self.lines[seen][1]):
                    return True
                seen += 1
            return False

        with self.changed:
            if not self.changed.wait_for(found, timeout_s):
                raise LookupError
            return self.lines[seen]


class SimulatedNode:
    """``alarm-node simulate``, from entering it as a context to leaving it; ``arguments`` beside ``--config``.

    ``command`` is "run" for a node on this machine's own pins, which takes no instructions. ``program`` is what Python
    starts in the place of alarm-node, ``prefix`` a command that starts Python (for a network of its own), ``environ``
    more of the environment.
    """

    def __init__(
        self,
        config: Path,
        *arguments: str,
        command: str = "simulate",
        program: Sequence[str] = (prepared.NODE,),
        prefix: Sequence[str] = (),
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._config = config
        self._arguments = (command, "--config", str(config), *arguments)
        self._program, self._prefix, self._environ = program, prefix, environ
        self._told = Pages()
        self._logged = Pages()
        self._changes: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def boot(self) -> str:
        """The boot that it has given itself."""
        found = _STARTS.search(self.expect_log(_STARTS.pattern)[1])
        assert found is not None
        return found[1]

    @property
    def mark(self) -> int:
        """How many JSON lines there are so far: a place to look from."""
        with self._told.changed:
            return len(self._told.lines)

    @property
    def log(self) -> str:
        """What it has logged so far."""
        with self._logged.changed:
            return "\n".join(line for _, line in self._logged.lines)

    def lines(self, since: int = 0, **fields: object) -> list[dict[str, Any]]:
        """The JSON lines with these fields so far, from number ``since`` on."""
        with self._told.changed:
            self._changes += [json.loads(line) for _, line in self._told.lines[len(self._changes) :]]
            changes = self._changes[since:]
        return [change for change in changes if all(change.get(name) == value for name, value in fields.items())]

    def tell(self, *instructions: str) -> None:
        """Hand it instructions, one a line."""
        self._stdin.write("".join(f"{each}\n" for each in instructions))
        self._stdin.flush()

    def tap(self, ms: int = 120) -> None:
        """A whole tap of a node whose lamp isn't dark, and the pause after which a next one is another press."""
        self.expect(output="lamp")
        mark = self.mark
        self.tell(f"button tap {ms}")
        released = self.expect(since=mark, pressed=False)["at"]
        time.sleep(max(0.0, released + PAUSE_S - time.monotonic()))

    def expect(
        self,
        fits: Callable[[dict[str, Any]], bool] = lambda change: True,
        timeout_s: float = TIMEOUT_S,
        *,
        since: int = 0,
        **fields: object,
    ) -> dict[str, Any]:
        """The first JSON line with these fields from number ``since`` on (see ``mark``); waits for it."""

        def wanted(line: str) -> bool:
            change = json.loads(line)
            return all(change.get(name) == value for name, value in fields.items()) and fits(change)

        try:
            change: dict[str, Any] = json.loads(self._told.expect(wanted, timeout_s, since)[1])
        except LookupError:
            raise AssertionError(f"no line with {fields}; its last lines and log:\n{self._ends()}") from None
        return change

    def expect_log(self, pattern: str, timeout_s: float = TIMEOUT_S) -> tuple[float, str]:
        """When (monotonic) the first log line with this pattern arrived, and the line; waits for it."""
        try:
            return self._logged.expect(lambda line: re.search(pattern, line) is not None, timeout_s)
        except LookupError:
            raise AssertionError(f"nothing logged like {pattern!r}; its last lines and log:\n{self._ends()}") from None

    def freeze(self) -> None:
        """Stop its clockwork, as a debugger would; returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: _state(self.pid) in ("T", "Z"), what="a process that stands still")

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """End it as a service manager would; its exit code."""
        self._process.terminate()
        return self._process.wait(TIMEOUT_S)

    def quit(self) -> int:
        """End it by its own instruction; its exit code."""
        self.tell("quit")
        return self._process.wait(TIMEOUT_S)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def __enter__(self) -> Self:
        self._process = self._started(*self._arguments)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin = self._process.stdin
        self._streams = (self._process.stdout, self._process.stderr)
        self._readers = [
            threading.Thread(target=pages.read, args=(stream,), daemon=True)
            for pages, stream in zip((self._told, self._logged), self._streams, strict=True)
        ]
        for reader in self._readers:
            reader.start()
        return self

    def _started(self, *arguments: str) -> prepared.Running:
        directory = self._config.parent
        environ = _environment(directory, self._environ)
        pipe = subprocess.PIPE
        return prepared.start(
            *self._program,
            *arguments,
            cwd=directory,
            environ=environ,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            prefix=self._prefix,
        )

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        for reader, stream in zip(self._readers, self._streams, strict=True):
            reader.join(TIMEOUT_S)
            stream.close()
        with suppress(BrokenPipeError):
            self._stdin.close()

    def _ends(self) -> str:
        with self._told.changed:
            told = [line for _, line in self._told.lines[-20:]]
        return "\n".join([*told, *self.log.splitlines()[-30:]])
