"""What the tests start is ended, even where it never gets ready: else it would run on beside all later tests."""

import os
from pathlib import Path

import pytest

from tests.support import monitor
from tests.support.monitor import RunningMonitor, write_monitor


def test_a_monitor_that_does_not_get_ready_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``with`` never runs ``__exit__`` where ``__enter__`` fails."""
    monkeypatch.setattr(monitor, "READY_S", 0.1)
    config = write_monitor(tmp_path, 1)
    running = RunningMonitor(config, program=("-c", "import time; time.sleep(600)"))
    started: list[int] = []

    def health() -> str:
        started.append(running.pid)
        return ""

    monkeypatch.setattr(running, "health", health)

    with pytest.raises(AssertionError, match="ready"), running:
        pass

    assert started
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
