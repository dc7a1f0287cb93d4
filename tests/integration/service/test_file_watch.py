"""The thread that looks at node.toml while the node runs, and keeps its last good copy."""

import logging
import queue
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from node import config
from node.config import last_good
from node.core.events import ConfigurationRead, ConfigurationSeen, Event, StopRequested
from node.service.upkeep.file_watch import BACK_IN_S, SETTLED_S, FileWatch
from node.service.upkeep.safe_mode import simplified
from tests.support.node import wait_until, write_config

WAIT_LIMIT_S = 20.0
OFTEN_S = 0.01


class Watched:
    """A node.toml, its watch, and the loop that gets its events."""

    def __init__(self, directory: Path, *, in_safe_mode: bool = False) -> None:
        self.path = write_config(directory, 1)
        self.good = self.path.read_bytes()
        self.state = directory / "state"
        self.copy = self.state / last_good.NAME
        self.noted: list[tuple[int, ...]] = []
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.settled: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.ahead_s = 0.0
        loaded = config.load(self.path)
        self.watch = FileWatch(
            simplified(loaded, 0) if in_safe_mode else loaded,
            self.state,
            environ={},
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


def _read(watched: Watched) -> ConfigurationRead:
    watched.watch.reload()
    event = watched.events.get(timeout=WAIT_LIMIT_S)
    assert isinstance(event, ConfigurationRead)
    return event


def test_a_reload_hands_the_settings_over_and_keeps_the_file(watched: Watched) -> None:
    """With what the links have to know; the copy is of the new file."""
    watched.write(watched.good.replace(b"port = 1\n", b"port = 2\n"))

    event = _read(watched)

    assert event.problem == ""
    assert event.settings is not None
    assert event.settings.links == ("127.0.0.1:2",)
    assert [each.name for each in event.brokers] == ["127.0.0.1:2"]
    wait_until(lambda: b"port = 2" in watched.copy.read_bytes() if watched.copy.exists() else False)


def test_what_wants_a_restart_is_not_the_last_good_configuration_yet(watched: Watched) -> None:
    """Nobody has seen a node that was ready with it."""
    watched.watch.keep()
    wait_until(watched.copy.exists)
    watched.write(watched.good.replace(b"pin = 17", b"pin = 18"))

    due = _read(watched)
    watched.write(watched.good)
    back = _read(watched)

    assert due.settings is not None
    assert back.settings is not None
    assert (due.settings.restart_due, back.settings.restart_due) == ("inputs", "")
    assert watched.good in watched.copy.read_bytes()


def test_a_bad_file_is_refused_as_a_whole(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """Each problem is logged, and the loop hears the first one, once."""
    watched.write(watched.good.replace(b"pin = 17", b"pin = 99").replace(b"port = 1\n", b"port = 2\n"))

    event = _read(watched)
    watched.write(watched.good)
    watched.expect("")

    assert event.settings is None
    assert event.problem.startswith(f"{watched.path}: [[button]] 1 pin = 99: ")
    assert watched.events.empty()
    assert "node.toml isn't taken: the node goes on with the settings that it has" in caplog.text


@pytest.mark.parametrize("changed", [True, False])
def test_in_safe_mode_a_changed_file_is_a_reason_to_start_anew(tmp_path: Path, changed: bool) -> None:
    """Everything is tried again then; the same file changes nothing."""
    watched = Watched(tmp_path, in_safe_mode=True)
    if changed:
        watched.write(watched.good + b"# corrected\n")
    watched.watch.reload()
    watched.watch.start()

    event = watched.events.get(timeout=WAIT_LIMIT_S)
    watched.watch.stop(WAIT_LIMIT_S, clean=True)

    if changed:
        assert isinstance(event, StopRequested)
        assert (event.reason, event.back_in_s) == ("safe mode is left", BACK_IN_S)
    else:
        assert isinstance(event, ConfigurationRead)
        assert (event.problem, event.settings) == ("", None)
