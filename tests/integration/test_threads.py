"""Threads, as the kernel calls them."""

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from node.threads import new_thread, wake_on_time

WAIT_LIMIT_S = 20.0


def _own_name() -> str:
    return Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.parametrize(
    ("name", "comm"), [("player", "player"), ("link broker-a.example.org:8883", "link broker-a.e")]
)
def test_the_kernel_knows_a_thread_by_its_name(name: str, comm: str) -> None:
    """As far as it has room for it; Python knows the whole."""
    said: Future[tuple[str, str, tuple[int, ...]]] = Future()

    def work(*arguments: int) -> None:
        said.set_result((_own_name(), threading.current_thread().name, arguments))

    thread = new_thread(name, work, 1, 2)
    thread.start()
    thread.join(WAIT_LIMIT_S)

    assert said.result(WAIT_LIMIT_S) == (comm, name, (1, 2))
    assert thread.daemon


def test_a_machine_without_proc_runs_the_thread_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is for people who look; the work is what counts."""
    done = threading.Event()
    monkeypatch.setattr(threading, "get_native_id", lambda: 0)

    new_thread("player", done.set).start()

    assert done.wait(WAIT_LIMIT_S)


def test_a_thread_that_must_wake_on_time_is_not_put_together_with_others() -> None:
    """The kernel may put its wake-up off by 1 us in place of 50."""
    slacks: Future[tuple[int, int]] = Future()

    def work() -> None:
        _slack().write_text("50000", encoding="ascii")  # whoever began this thread may have less
        before = int(_slack().read_text(encoding="ascii"))
        wake_on_time()
        slacks.set_result((before, int(_slack().read_text(encoding="ascii"))))

    new_thread("precise", work).start()

    assert slacks.result(WAIT_LIMIT_S) == (50_000, 1_000)


def test_a_machine_without_proc_wakes_threads_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 us later is no reason to end."""
    monkeypatch.setattr(threading, "get_native_id", lambda: 0)

    wake_on_time()


def _slack() -> Path:
    return Path(f"/proc/{threading.get_native_id()}/timerslack_ns")
