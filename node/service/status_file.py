"""What a running service leaves for other commands on its machine: a lock, and its status as a file.

The file holds the newest heartbeat, and how far each open call had got at that moment.

So ``alarm-node check`` reads the findings of the service instead of disturbing it, and two services can't share a state
directory. A thread of its own writes the file, and only the newest status: a directory that stalls holds up no other
thread.
"""

import fcntl
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from node.config import files
from node.core.model import Step
from node.errors import AlreadyRunningError, StateDirectoryError
from node.threads import new_thread

_LOCK = "alarm-node.lock"
_STATUS = "status.json"
_MODE = 0o600

log = logging.getLogger(__name__)


class Call(msgspec.Struct, frozen=True):
    """An open incident, and which step its call for help has reached: more detailed than on the ``alarm`` topic."""

    incident: str
    input: str
    step: Step
    test: bool


class Status(Struct, frozen=True):
    """The status of a service ``age_s`` seconds ago: its heartbeat as published, and the open calls, worst first."""

    age_s: float
    heartbeat: Mapping[str, Any]
    calls: Sequence[Call] = ()


class _File(msgspec.Struct, frozen=True):
    at: float
    kernel_boot: str
    heartbeat: msgspec.Raw
    calls: tuple[Call, ...]


def runtime_directory(environ: Mapping[str, str]) -> Path | None:
    """The service's directory in memory, which outlives a restart by systemd; None without systemd."""
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(runtime) if runtime else None


def directory(state_directory: Path, environ: Mapping[str, str]) -> Path:
    """Where the status file lies: in the runtime directory, else beside the record."""
    return runtime_directory(environ) or state_directory


def lock(state_directory: Path) -> Path:
    """The file that a service locks while it runs."""
    return state_directory / _LOCK


def make(state_directory: Path) -> None:
    """Make the state directory, as far as that works: a dead disk is a fault of the record.

    Raises StateDirectoryError if it is a file.
    """
    try:
        state_directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StateDirectoryError(
            f"the state directory {state_directory} is a file",
            "move the file away, or choose another state_directory in [node]",
        ) from error
    except OSError as error:
        log.warning("no state directory %s: %s", state_directory, error.strerror)


def hold(state_directory: Path) -> int | None:
    """Take the lock until the process ends; returns its file descriptor.

    Raises AlreadyRunningError if another service has it. Returns None if writing or locking isn't possible at all: a
    dead disk is a fault of the record, and the service starts all the same.
    """
    descriptor, path = None, lock(state_directory)
    try:
        # Read-only: on a card that went read-only, `alarm-node check` must still see that the service runs.
        descriptor = files.open_file(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, _MODE)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        release(descriptor)
        raise AlreadyRunningError(
            f"another alarm-node runs with the state directory {state_directory}",
            "stop it first (sudo systemctl stop alarm-node), or give this one a state_directory of its own",
        ) from None
    except OSError as error:
        release(descriptor)
        log.warning("%s can't be locked: %s", path, error.strerror)
        return None
    return descriptor


def release(descriptor: int | None) -> None:
    """Give the lock back before the process ends."""
    if descriptor is not None:
        os.close(descriptor)


def is_running(state_directory: Path) -> bool:
    """Whether a service holds the lock. OSError if that can't be told: PermissionError if this user may not check."""
    try:
        descriptor = files.open_file(lock(state_directory), os.O_RDONLY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read(where: Path, now: float, kernel_boot: str) -> Status | None:
    """What the service last wrote; None if there is nothing readable from this boot of the machine."""
    try:
        found = files.json_of(where.absolute() / _STATUS, _File)
        heartbeat = msgspec.json.decode(found.heartbeat, type=dict[str, Any])
    except (files.FileError, UnicodeError, RecursionError, msgspec.MsgspecError):
        return None
    if found.kernel_boot != kernel_boot:
        return None
    return Status(max(0.0, now - found.at), heartbeat, found.calls)


class Writer:
    """Writes the newest status that it was given; ``write`` never waits."""

    def __init__(self, where: Path, kernel_boot: str, clock: Callable[[], float]) -> None:
        self._path = where / _STATUS
        self._kernel_boot = kernel_boot
        self._clock = clock
        self._newest: deque[bytes] = deque(maxlen=1)
        self._wake = threading.Event()
        self._ending = False
        self._failing = False
        self._thread = new_thread("status", self._run)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, heartbeat: bytes, calls: Sequence[Call] = ()) -> None:
        """Write this heartbeat and these open calls; a status that still waits is dropped."""
        file = _File(self._clock(), self._kernel_boot, msgspec.Raw(heartbeat), tuple(calls))
        self._newest.append(msgspec.json.encode(file))
        self._wake.set()

    def stop(self, timeout_s: float) -> None:
        """End, and delete the file: it would describe a service that no longer runs."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait()
            self._wake.clear()
            if self._newest:
                self._replace(self._newest.popleft())
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s stays behind: %s", self._path, error.strerror)

    def _replace(self, content: bytes) -> None:
        try:
            files.replace(self._path, content, _MODE, synced=False)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("no status in %s: %s", self._path, error.strerror)
            self._failing = True
