"""The thread that looks at node.toml while the node runs, and keeps its last good copy."""

import logging
import queue
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from node import config
from node.config import last_good
from node.core.events import ConfigurationSeen, Event
from node.service.file_watch import SETTLED_S, FileWatch
from tests.support.node import wait_until, write_config

WAIT_LIMIT_S = 20.0
OFTEN_S = 0.01


class Watched:
    """A node.toml, its watch, and the loop that gets its events."""

    def __init__(self, directory: Path) -> None:
        self.path = write_config(directory, 1)
        self.good = self.path.read_bytes()
        self.state = directory / "state"
        self.copy = self.state / last_good.NAME
        self.noted: list[tuple[int, ...]] = []
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.settled: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.ahead_s = 0.0
        self.watch = FileWatch(
            config.load(self.path),
            self.state,
            put=self.events.put,
            clock=lambda: time.monotonic() + self.ahead_s,
            note_outputs=self.note,
            settle=lambda: self.settled.put(None),
            period_s=OFTEN_S,
        )

    def note(self, pins: Sequence[int]) -> None:
        """These pins are outputs."""
        (self.state / "noted").touch()
        self.noted.append(tuple(pins))

    def write(self, content: bytes) -> None:
        """The file has this content from now on; nobody sees a half of it."""
        draft = self.path.with_suffix(".draft")
        draft.write_bytes(content)
        draft.replace(self.path)

    def expect(self, problem: str) -> None:
        """The next event begins with this problem; "" stands for none."""
        event = self.events.get(timeout=WAIT_LIMIT_S)
        assert isinstance(event, ConfigurationSeen)
        assert event.problem.startswith(problem) if problem else not event.problem


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A file that is in order."""
    made = Watched(tmp_path)
    made.state.mkdir()
    made.watch.start()
    yield made
    made.watch.stop(WAIT_LIMIT_S, clean=True)


def test_a_file_that_cannot_be_used_any_more_is_told_once(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the file and what is wrong; when it is mended, that is told, too."""
    caplog.set_level(logging.INFO)
    watched.write(b"no TOML")
    watched.expect(f"{watched.path}: isn't TOML")
    watched.write(watched.good)
    watched.expect("")
    watched.write(b"")
    watched.expect(f"{watched.path}: [node] is missing")

    assert watched.events.empty()
    assert caplog.text.count("node.toml can't be used: ") == 2
    assert caplog.text.count("node.toml is in order again") == 1


def test_a_configuration_is_the_last_good_one_once_the_node_is_ready(watched: Watched) -> None:
    """The copy is of what the node runs with, whatever the file holds by then."""
    watched.write(b"no TOML")
    watched.expect(f"{watched.path}: isn't TOML")
    before = watched.copy.exists()

    watched.watch.keep()
    wait_until(watched.copy.exists)

    assert not before
    assert last_good.load(watched.path, {"STATE_DIRECTORY": str(watched.state)})[0].content == watched.good


def test_a_copy_that_cannot_be_written_is_tried_again(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """A line in the log, and no more, until it can."""
    watched.state.rmdir()
    watched.watch.keep()
    wait_until(lambda: "no copy of node.toml" in caplog.text)
    watched.write(b"no TOML")
    watched.expect(f"{watched.path}: isn't TOML")

    watched.state.mkdir()
    wait_until(watched.copy.exists)

    assert caplog.text.count("no copy of node.toml") == 1


def test_outputs_that_cannot_be_noted_are_tried_again(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """A line in the log, and no more, until they can; the same pins aren't noted again."""
    watched.state.rmdir()
    watched.watch.drives((22, 23))
    wait_until(lambda: "no note of the outputs" in caplog.text)
    watched.write(b"no TOML")
    watched.expect(f"{watched.path}: isn't TOML")

    watched.state.mkdir()
    wait_until((watched.state / "noted").exists)
    watched.write(watched.good)
    watched.expect("")

    assert caplog.text.count("no note of the outputs") == 1
    assert watched.noted == [(22, 23)]


def test_a_watch_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    """A service that failed before it began ends everything all the same."""
    watched = Watched(tmp_path)

    watched.watch.stop(WAIT_LIMIT_S, clean=True)

    assert watched.events.empty()


def test_a_mistake_does_not_end_the_watch(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Or nobody would look at the file any more."""

    def stumble(_config: object, _directory: object) -> None:
        raise RuntimeError("provoked")

    with monkeypatch.context() as patched:
        patched.setattr(last_good, "keep", stumble)
        watched.watch.keep()
        wait_until(lambda: "provoked" in caplog.text)
    wait_until(watched.copy.exists)

    assert watched.events.empty()


def test_a_run_settles_once_after_a_minute(watched: Watched) -> None:
    """From then on its end is no crash."""
    watched.ahead_s = SETTLED_S - 1.0
    watched.write(b"no TOML")
    watched.expect(f"{watched.path}: isn't TOML")
    early = watched.settled.qsize()

    watched.ahead_s = SETTLED_S
    watched.settled.get(timeout=WAIT_LIMIT_S)
    watched.watch.stop(WAIT_LIMIT_S, clean=True)

    assert early == 0


@pytest.mark.parametrize("clean", [True, False])
def test_a_clean_end_is_no_crash_and_any_other_is_one(watched: Watched, clean: bool) -> None:
    """However short the run was."""
    watched.watch.stop(WAIT_LIMIT_S, clean=clean)

    assert watched.settled.qsize() == int(clean)
