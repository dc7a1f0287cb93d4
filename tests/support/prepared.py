"""Starts our programs as processes of their own, without each of them having to import what all import.

tests/support/fork_server.py has imported them, and forks. What it forks is a process as any other: it is killed,
frozen and measured, has its own files, environment, signals and exit code. What depends on how an interpreter starts
(another locale, another Python path, a preloaded library) is started as usual; so are all programs in tests/deploy and
the demo.
"""

import atexit
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from io import FileIO
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Self, TypeAlias

ROOT = Path(__file__).parents[2]
NODE, MONITOR, PLUGIN = "alarm-node", "alarm-monitor", "check_alarm_node"
MODULE = "-m"

LENGTH = struct.Struct("!I")
STATUS = struct.Struct("!i")

_OF_THE_INTERPRETER = re.compile(r"LANG$|LC_|LD_|PYTHON")  # LANGUAGE is read by the programs

_ONE_AT_A_TIME = Lock()


class Prepared:
    """A forked process, used as a ``subprocess.Popen`` whose pipes are text."""

    def __init__(self, pid: int, pidfd: int, answer: socket.socket, pipes: Sequence[IO[str] | None]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = pipes
        self._pidfd, self._answer = pidfd, answer

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises ``subprocess.TimeoutExpired`` after so many seconds."""
        code = self._ended(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def _ended(self, timeout_s: float | None) -> int | None:
        if self.returncode is None:
            self._answer.settimeout(timeout_s)
            try:
                (self.returncode,) = STATUS.unpack(self._answer.recv(STATUS.size))
            except (BlockingIOError, TimeoutError):
                return None
            self._answer.close()
            os.close(self._pidfd)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """End it as a service manager would."""
        self.send_signal(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in (self.stdin, self.stdout, self.stderr):
            if each is not None:
                each.close()
        self.wait()


Running: TypeAlias = Prepared | subprocess.Popen[str]


def start(
    program: str,
    *arguments: str,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: int | IO[bytes] | FileIO | None = None,
    stdout: int | IO[bytes] | FileIO | None = None,
    stderr: int | IO[bytes] | FileIO | None = None,
    prefix: Sequence[str] = (),
) -> Running:
    """Start one of our programs: forked, or as usual where its environment wants another interpreter.

    ``program`` may also be -m with a module's name behind it, or -c with a text, as for Python; a text isn't forked.
    ``prefix`` is a command that starts Python (for a network of its own): nothing is forked then.
    """
    if prefix or program == "-c" or _differs(environ):
        python = [sys.executable, program] if program.startswith("-") else [Path(sys.executable).with_name(program)]
        return subprocess.Popen(
            [*prefix, *python, *arguments],
            cwd=cwd,
            env=dict(environ),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            errors="surrogateescape",
        )
    pipes = [_pipe(given, is_input=number == 0) for number, given in enumerate((stdin, stdout, stderr))]
    theirs = [
        number if given is None else _number(given if pipe is None else pipe[1])
        for number, (given, pipe) in enumerate(zip((stdin, stdout, stderr), pipes, strict=True))
    ]
    answer, far = socket.socketpair()
    request = {"program": program, "arguments": arguments, "cwd": str(cwd), "environ": dict(environ)}
    content = json.dumps(request).encode()
    link = _server(environ.get("TZ"))
    with _ONE_AT_A_TIME:
        socket.send_fds(link, [LENGTH.pack(len(content))], [*theirs, far.fileno()])
        link.sendall(content)
    far.close()
    for pipe in pipes:
        if pipe is not None:
            os.close(pipe[1])
    head, files, _, _ = socket.recv_fds(answer, LENGTH.size, 1)
    return Prepared(LENGTH.unpack(head)[0], files[0], answer, [None if each is None else each[0] for each in pipes])


def _pipe(given: int | IO[bytes] | FileIO | None, *, is_input: bool) -> tuple[IO[str] | None, int] | None:
    """Our end and theirs, where one is wanted; of nothing there is only theirs."""
    if given == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_RDWR)
    if given != subprocess.PIPE:
        return None
    reading, writing = os.pipe()
    ours, theirs = (writing, reading) if is_input else (reading, writing)
    return os.fdopen(ours, "w" if is_input else "r", encoding="utf-8", errors="surrogateescape"), theirs


def _number(file: int | IO[bytes] | FileIO) -> int:
    return file if isinstance(file, int) else file.fileno()


def run(
    program: str,
    *arguments: str,
    cwd: Path,
    environ: Mapping[str, str],
    timeout_s: float,
    into: int | IO[bytes] | FileIO = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run one of our programs to its end; ``into`` takes what it prints."""
    with _Memory() as said, _Memory() as complained:
        to = said if into == subprocess.PIPE else into
        with start(program, *arguments, cwd=cwd, environ=environ, stdout=to, stderr=complained) as process:
            try:
                code = process.wait(timeout_s)
            finally:
                process.kill()
        return subprocess.CompletedProcess([program, *arguments], code, said.text, complained.text)


class _Memory(FileIO):
    """A file in memory: a program that fills it never waits for who reads it."""

    def __init__(self) -> None:
        super().__init__(os.memfd_create("said"), "r+")

    @property
    def text(self) -> str:
        """All that was written."""
        self.seek(0)
        return self.read().decode(errors="surrogateescape")


def _differs(environ: Mapping[str, str]) -> bool:
    def wanted(variables: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in variables.items() if _OF_THE_INTERPRETER.match(name)}

    return wanted(environ) != wanted({**os.environ, "PYTHONPATH": str(ROOT)})


@cache
def _server(zone: str | None) -> socket.socket:
    """One for each time zone: Babel asks for it when it is imported."""
    link, far = socket.socketpair()
    with far:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(far.fileno())],
            env={**os.environ, "PYTHONPATH": str(ROOT), **({} if zone is None else {"TZ": zone})},
            pass_fds=[far.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        link.close()
        server.wait()

    atexit.register(end)
    return link
