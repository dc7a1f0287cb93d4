"""The lock and the status file: real files, and a real process that holds the lock."""

import errno
import fcntl
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from node.config import files
from node.core.model import Step
from node.errors import AlreadyRunningError
from node.service import status_file

WAIT_LIMIT_S = 20.0
KERNEL = "kernel-1"
ROOT = Path(__file__).parents[3]

HOLD = """
import sys
from pathlib import Path
from node.service import status_file
status_file.hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock, until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be a user whom directories can be closed to, while a test runs as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does to a file."""
    deadline = time.monotonic() + WAIT_LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it didn't come"
        time.sleep(0.005)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[status_file.Writer]:
    """A started writer in this directory, whose clock stands at 100 s."""
    writer = status_file.Writer(tmp_path, KERNEL, lambda: 100.0)
    writer.start()
    yield writer
    writer.stop(WAIT_LIMIT_S)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/var/lib/alarm-node"),
        ({"RUNTIME_DIRECTORY": ""}, "/var/lib/alarm-node"),
        ({"RUNTIME_DIRECTORY": "/run/alarm-node"}, "/run/alarm-node"),
        ({"RUNTIME_DIRECTORY": "/run/alarm-node:/run/other"}, "/run/alarm-node"),
    ],
)
def test_the_status_lies_in_memory_under_systemd(environ: dict[str, str], expected: str) -> None:
    """The first runtime directory is used where there is one, the state directory otherwise."""
    assert status_file.directory(Path("/var/lib/alarm-node"), environ) == Path(expected)


def test_a_lock_is_seen_and_respected_by_other_processes(tmp_path: Path) -> None:
    """While another process holds the lock it runs, and nobody else gets the lock; the answer says what to do."""
    with holder(tmp_path):
        running = status_file.is_running(tmp_path)
        with pytest.raises(AlreadyRunningError, match=r"^E003 .*Next: stop it first"):
            status_file.hold(tmp_path)

    assert running


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    """A lock ends with its process, however that ends, and the next one gets it."""
    with holder(tmp_path) as process:
        process.kill()
        process.wait(WAIT_LIMIT_S)

    assert not status_file.is_running(tmp_path)
    descriptor = status_file.hold(tmp_path)
    assert descriptor is not None
    status_file.release(descriptor)


def test_a_lock_can_be_given_back(tmp_path: Path) -> None:
    """A service that has ended isn't running any more, though its process may be."""
    descriptor = status_file.hold(tmp_path)
    held = status_file.is_running(tmp_path)

    status_file.release(descriptor)

    assert held
    assert not status_file.is_running(tmp_path)


@pytest.mark.parametrize("blocked", ["missing", "file"])
def test_a_dead_disk_is_no_reason_not_to_start(blocked: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where no lock file can be made there is no lock, a line in the log says why, and nobody runs."""
    directory = tmp_path / blocked
    if blocked == "file":
        directory.write_text("in the way", encoding="ascii")

    descriptor = status_file.hold(directory)

    assert descriptor is None
    assert f"{status_file.lock(directory)} can't be locked: " in caplog.text
    assert not status_file.is_running(directory)
    status_file.release(descriptor)


def test_a_disk_without_locks_is_no_reason_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system that knows no locks is told in the log, and the descriptor isn't kept."""
    opened = []

    def refuse(descriptor: int, _operation: int) -> None:
        opened.append(descriptor)
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    held = status_file.hold(tmp_path)

    assert held is None
    assert "No locks available" in caplog.text
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_who_may_not_look_is_told_so(tmp_path: Path) -> None:
    """Whether a service runs in a directory that is closed to this user can't be told, and isn't guessed."""
    closed = tmp_path / "state"
    closed.mkdir()
    status_file.release(status_file.hold(closed))
    closed.chmod(0)

    with unprivileged(), pytest.raises(PermissionError):
        status_file.is_running(closed)


def test_the_newest_heartbeat_can_be_read(writer: status_file.Writer, tmp_path: Path) -> None:
    """A reader gets the message as it was published, how far each open call has got, and how old that is."""
    call = status_file.Call("0badcafe-5", "desk", Step.NOBODY, test=False)
    writer.write(b'{"v":1,"seq":7}', [call])

    until((tmp_path / "status.json").exists)
    assert status_file.read(tmp_path, 107.5, KERNEL) == status_file.Status(7.5, {"v": 1, "seq": 7}, (call,))


def test_an_age_is_never_negative(writer: status_file.Writer, tmp_path: Path) -> None:
    """A heartbeat that is written between the reader's look at the clock and at the file is fresh."""
    writer.write(b"{}")

    until((tmp_path / "status.json").exists)
    assert status_file.read(tmp_path, 99.0, KERNEL) == status_file.Status(0.0, {})


def test_a_status_from_before_the_reboot_is_none(writer: status_file.Writer, tmp_path: Path) -> None:
    """What another boot of the machine left behind says nothing about now."""
    writer.write(b"{}")

    until((tmp_path / "status.json").exists)
    assert status_file.read(tmp_path, 107.5, "kernel-2") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b'{"at": 1.0, "kernel_boot": "\xff", "heartbeat": {}, "calls": []}',
        b'{"at": 1.0, "kernel_boot": "kernel-1"}',
        b'{"at": 1.0, "kernel_boot": "kernel-1", "heartbeat": 5, "calls": []}',
        b'{"at": 1.0, "kernel_boot": "kernel-1", "heartbeat": {}, "calls": [{"step": "flown"}]}',
    ],
)
def test_an_unreadable_status_is_none(content: bytes, tmp_path: Path) -> None:
    """A file that was cut or garbled is no status, and nothing is raised."""
    (tmp_path / "status.json").write_bytes(content)

    assert status_file.read(tmp_path, 1.0, KERNEL) is None


def test_a_directory_without_a_status_has_none(tmp_path: Path) -> None:
    """Where nothing was left there is nothing to read."""
    assert status_file.read(tmp_path, 1.0, KERNEL) is None


def test_the_file_goes_with_the_service(writer: status_file.Writer, tmp_path: Path) -> None:
    """After a stop nothing is left that looks like a service that still speaks."""
    writer.write(b"{}")
    until((tmp_path / "status.json").exists)

    writer.stop(WAIT_LIMIT_S)

    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    """Nothing is waited for that was never begun."""
    status_file.Writer(tmp_path, KERNEL, time.monotonic).stop(WAIT_LIMIT_S)

    assert list(tmp_path.iterdir()) == []


def test_a_stalled_directory_holds_up_nobody(
    writer: status_file.Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk hangs ``write`` returns at once; afterwards only the newest heartbeat is written."""
    replace, stalls, goes_on = files.replace, threading.Event(), threading.Event()

    def stall(*arguments: Any, **options: Any) -> None:
        stalls.set()
        assert goes_on.wait(WAIT_LIMIT_S)
        replace(*arguments, **options)

    monkeypatch.setattr(files, "replace", stall)
    writer.write(b"{}")
    assert stalls.wait(WAIT_LIMIT_S)
    for number in range(1, 4):
        writer.write(b'{"number":%d}' % number)
    goes_on.set()

    until(lambda: status_file.read(tmp_path, 100.0, KERNEL) == status_file.Status(0.0, {"number": 3}))


def test_each_outage_is_told_once_and_ends_by_itself(
    writer: status_file.Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that takes nothing is one line in the log; once it takes something again, the next outage is another."""
    tried: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def refuse(_path: Path, content: bytes, *_: object, **__: object) -> None:
        tried.put(content)
        raise OSError(errno.ENOSPC, "No space left on device")

    def fail_twice() -> None:
        with monkeypatch.context() as full:
            full.setattr(files, "replace", refuse)
            for _ in range(2):
                writer.write(b"{}")
                tried.get(timeout=WAIT_LIMIT_S)

    fail_twice()
    writer.write(b'{"number":1}')
    until((tmp_path / "status.json").exists)
    first = caplog.text.count("No space left on device")
    fail_twice()
    writer.stop(WAIT_LIMIT_S)

    assert (first, caplog.text.count("No space left on device")) == (1, 2)


def test_a_file_that_cannot_go_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What stays behind at the end is named in the log."""
    (tmp_path / "status.json").mkdir()
    writer = status_file.Writer(tmp_path, KERNEL, time.monotonic)
    writer.start()

    with caplog.at_level(logging.WARNING):
        writer.stop(WAIT_LIMIT_S)

    assert f"{tmp_path / 'status.json'} stays behind: Is a directory" in caplog.text
