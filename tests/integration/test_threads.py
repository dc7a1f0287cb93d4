"""Threads, as the kernel calls them."""

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from node.threads import new_thread

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
