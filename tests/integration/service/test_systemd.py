"""What systemd and its journal are told, message by message, and that nobody waits for either."""

import io
import logging
import math
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.errors import ConfigError, PanelError
from node.io import systemd
from node.io.systemd import Feed, Notifier, Unhurried, leads_to_journal, logging_to, notifying, why_unarmed
from tests.support.manager import Manager

WAIT_LIMIT_S = 20.0
MANY = 600
"""More messages than a datagram socket has room for: systemd raises net.unix.max_dgram_qlen to 512."""


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """A service manager that this process is told of."""
    with Manager(tmp_path) as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
        yield listening


def test_the_manager_is_told_byte_by_byte(manager: Manager) -> None:
    """READY, STATUS, WATCHDOG and STOPPING reach a real datagram socket, each as systemd reads it, in order."""
    with notifying(os.environ) as notifier:
        notifier.status("starting, 0 of 1 brokers connected")
        notifier.ready()
        notifier.fed()
        notifier.status("ALARM büro: nobody has it")
        notifier.stopping()

    assert manager.take() == [
        b"STATUS=starting, 0 of 1 brokers connected",
        b"READY=1",
        b"WATCHDOG=1",
        "STATUS=ALARM büro: nobody has it".encode(),
        b"STOPPING=1",
    ]


def test_what_was_told_is_not_told_again(manager: Manager) -> None:
    """A status that hasn't changed, and a second stop, are no messages."""
    with notifying(os.environ) as notifier:
        for text in ("ready", "ready", "stopping", "ready"):
            notifier.status(text)
        notifier.stopping()
        notifier.stopping()

    assert manager.take() == [b"STATUS=ready", b"STATUS=stopping", b"STATUS=ready", b"STOPPING=1"]


def test_a_status_is_one_line_and_bounded(manager: Manager) -> None:
    """Nothing in a text can become another message, and no length makes systemd refuse it."""
    with notifying(os.environ) as notifier:
        notifier.status("lgpio says:\n  WATCHDOG=1\r\nREADY=1")
        notifier.status("ü" * 100_000)

    first, second = manager.take()
    assert first == b"STATUS=lgpio says: WATCHDOG=1 READY=1"
    assert second == b"STATUS=" + "ü".encode() * 1000


def test_a_failed_start_is_told_with_its_next_step(manager: Manager) -> None:
    """Whoever asks `systemctl status` reads why the node isn't there."""
    with pytest.raises(PanelError), notifying(os.environ):
        raise PanelError("pin 17 can't be used", "give another")

    assert manager.take() == [b"STATUS=E002 pin 17 can't be used. Next: give another."]


def test_a_refused_configuration_is_told_with_its_first_problem(manager: Manager) -> None:
    """There is room for one line."""
    with pytest.raises(ConfigError), notifying(os.environ):
        raise ConfigError(("node.toml: [lamp] is missing", "node.toml: [node] is missing"), "node.toml")

    (status,) = manager.take()
    assert status.startswith(b"STATUS=E001 node.toml has 2 problems: node.toml: [lamp] is missing. Next: correct ")


def test_an_end_that_nobody_expected_is_told(manager: Manager) -> None:
    """With its name; the log has the rest."""
    with pytest.raises(ZeroDivisionError), notifying(os.environ):
        _ = 1 / 0

    assert manager.take() == [b"STATUS=ended by ZeroDivisionError: division by zero. Next: look at the log."]


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where $NOTIFY_SOCKET is missing the node runs all the same, without a thread for nothing."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    before = threading.active_count()

    with notifying(os.environ) as notifier:
        notifier.status("ready")
        notifier.ready()
        notifier.fed()
        notifier.stopping()
        during = threading.active_count()

    assert during == before
    assert notifier.feed_every_s == math.inf


def test_a_manager_without_room_stops_no_other_thread(manager: Manager) -> None:
    """Its socket is full: the sender waits, and this thread can go on and make room."""
    with notifying(os.environ) as notifier:
        for number in range(MANY):
            notifier.status(f"ready {number}")

        told = manager.until(lambda message: message == f"STATUS=ready {MANY - 1}".encode())

    assert len(told) == MANY


def test_a_manager_that_hangs_makes_nobody_wait() -> None:
    """The loop tells and goes on; what it said goes out once it can, in its order."""
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    goes_on = threading.Event()

    def tell(message: str) -> None:
        assert goes_on.wait(WAIT_LIMIT_S)
        told.put(message)

    notifier = Notifier(tell)
    notifier.ready()
    notifier.fed()
    notifier.close()
    hung = told.empty()
    goes_on.set()

    assert hung
    assert [told.get(timeout=WAIT_LIMIT_S) for _ in range(2)] == ["READY=1", "WATCHDOG=1"]


def test_a_manager_that_is_gone_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """What can't be told is a warning, once for each time that it begins, and what comes later is tried."""
    told: list[str] = []

    def tell(message: str) -> None:
        told.append(message)
        if message == "WATCHDOG=1":
            raise ConnectionRefusedError(111, "Connection refused")

    notifier = Notifier(tell)
    for step in (notifier.fed, notifier.fed, notifier.ready, notifier.fed):
        step()
    notifier.close()

    assert told == ["WATCHDOG=1", "WATCHDOG=1", "READY=1", "WATCHDOG=1"]
    assert caplog.text.count("the service manager can't be told WATCHDOG=1 ([Errno 111] Connection refused)") == 2


@pytest.mark.parametrize(
    ("environ", "every_s"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getppid())}, math.inf),
        ({"WATCHDOG_USEC": "0"}, math.inf),
        ({"WATCHDOG_USEC": "soon"}, math.inf),
        ({}, math.inf),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(environ: dict[str, str], every_s: float) -> None:
    """Half of what systemd waits lies between two feeds; another process's watchdog isn't ours."""
    with notifying({"NOTIFY_SOCKET": "/nowhere", **environ}) as notifier:
        assert notifier.feed_every_s == every_s


class Dog:
    """A watchdog and what feeds it, in virtual time."""

    def __init__(self, every_s: float = 5.0) -> None:
        self.now = 0.0
        self.due = math.inf
        self.fed: list[float] = []
        self.feed = Feed(lambda: self.fed.append(self.now), every_s)

    def turns(self, until: float, step: float = 0.05, sampled: Callable[[float], bool] = lambda now: True) -> None:
        """Let the loop turn so often, with a reading of the inputs before each turn where there is one."""
        while self.now < until:
            if sampled(self.now):
                self.feed.sampled()
            self.due = self.feed.turn(self.now)
            self.now = round(self.now + step, 6)


def test_the_first_feed_is_not_waited_for() -> None:
    """The first reading feeds at once, and then one feed comes each interval."""
    dog = Dog()

    dog.turns(until=12.0)

    assert dog.fed == [0.0, 5.0, 10.0]


def test_a_loop_without_readings_feeds_nothing() -> None:
    """The loop turns on timers and messages, but reads no levels: no feed."""
    dog = Dog()

    dog.turns(until=60.0, sampled=lambda now: 12.0 <= now < 12.1)

    assert dog.fed == [12.0, 17.0]
    assert dog.due == math.inf


def test_one_reading_is_worth_one_feed() -> None:
    """A reading from before the last feed is no progress since then."""
    dog = Dog()

    dog.turns(until=60.0, sampled=lambda now: now == 1.0)

    assert dog.fed == [1.0]


def test_the_loop_wakes_in_time_to_feed() -> None:
    """With progress there is an instant at which the loop has to look again; without, its arrival will wake it."""
    dog = Dog()

    dog.turns(until=0.05, sampled=lambda now: False)
    before = dog.due
    dog.turns(until=0.15)

    assert before == math.inf
    assert dog.due == 5.05


def test_nobody_who_does_not_wait_is_fed() -> None:
    """Without a watchdog there is no feed, however long it runs, and the loop isn't woken for one."""
    dog = Dog(every_s=math.inf)

    dog.turns(until=60.0)

    assert dog.fed == []
    assert dog.due == math.inf


def device(directory: Path, **files: str) -> Path:
    """A watchdog as sysfs shows it."""
    found = directory / "watchdog0"
    found.mkdir()
    for name, content in files.items():
        (found / name).write_text(content, encoding="ascii")
    return found


WANTED = {"ALARM_NODE_HARDWARE_WATCHDOG": "1"}


@pytest.mark.parametrize(
    ("environ", "files", "why"),
    [
        (WANTED, {"state": "active\n", "timeout": "14\n"}, None),
        (WANTED, {"state": "active\n"}, None),
        (WANTED, {"state": "inactive\n", "timeout": "15\n"}, "watchdog0 is inactive"),
        ({}, {"state": "inactive\n", "timeout": "15\n"}, None),
        ({"ALARM_NODE_HARDWARE_WATCHDOG": "0"}, {}, None),
    ],
)
def test_a_watchdog_that_is_wanted_and_not_armed_is_found(
    environ: dict[str, str], files: dict[str, str], why: str | None, tmp_path: Path
) -> None:
    """Only where the installation arms the machine's watchdog is one that isn't armed worth a word."""
    found = why_unarmed(environ, device(tmp_path, **files))

    assert found == why


def test_a_watchdog_that_cannot_be_read_is_not_taken_for_armed(tmp_path: Path) -> None:
    """A machine without a watchdog, where one is wanted, is found."""
    found = why_unarmed(WANTED, tmp_path / "watchdog0")

    assert found is not None
    assert found.startswith("watchdog0 can't be read (")


class Sink(logging.Handler):
    """Takes lines when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, or hang."""
        assert self.goes_on.wait(WAIT_LIMIT_S)
        self.lines.append(record.getMessage())


@pytest.fixture
def sink() -> Sink:
    """A sink that hangs."""
    return Sink()


@pytest.fixture
def quiet_log() -> Iterator[logging.Logger]:
    """A logger of its own."""
    logger = logging.getLogger("tests.quiet")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger
    logger.handlers.clear()


def test_a_log_that_hangs_makes_nobody_wait(sink: Sink, quiet_log: logging.Logger) -> None:
    """Lines beyond the room are dropped, their number is told, and the others come in their order."""
    handler = Unhurried(sink, room=3)
    quiet_log.addHandler(handler)

    for number in range(10):
        quiet_log.info("line %d", number)
    taken = list(sink.lines)
    sink.goes_on.set()
    handler.close()

    assert taken == []
    kept = [line for line in sink.lines if line.startswith("line")]
    assert kept == [f"line {number}" for number in range(len(kept))]
    assert 3 <= len(kept) <= 4
    assert f"{10 - len(kept)} lines of the log were dropped: nobody took them in time" in sink.lines


def test_a_line_says_what_its_arguments_were(sink: Sink, quiet_log: logging.Logger) -> None:
    """What changes after the call doesn't change the line, however late it is written."""
    handler = Unhurried(sink)
    quiet_log.addHandler(handler)
    faults = ["F010"]

    quiet_log.warning("faults: %s", faults)
    faults.clear()
    sink.goes_on.set()
    handler.close()

    assert sink.lines == ["faults: ['F010']"]


def test_a_bad_line_ends_nothing(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """A line whose arguments don't fit is told on standard error, and the next one is written."""
    handler = Unhurried(sink)
    sink.goes_on.set()

    for count in ("two", 2):
        handler.handle(logging.LogRecord("tests", logging.INFO, __file__, 1, "%d brokers", (count,), None))
    handler.close()

    assert sink.lines == ["2 brokers"]
    assert "Logging error" in capsys.readouterr().err


def test_elsewhere_the_log_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a journal a line has its time, level, origin and words, and its exception; all is out at the end."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    logger = logging.getLogger("node.tests")

    with logging_to(logging.INFO, {}):
        logger.debug("not told")
        try:
            int("provoked")
        except ValueError:
            logger.exception("it failed")
        written = sys.stderr

    assert isinstance(written, io.StringIO)
    first, *rest = written.getvalue().splitlines()
    assert first.endswith(" ERROR node.tests: it failed")
    assert rest[-1] == "ValueError: invalid literal for int() with base 10: 'provoked'"
    assert "not told" not in written.getvalue()


def test_the_journal_is_known_by_its_stream(tmp_path: Path) -> None:
    """$JOURNAL_STREAM names the stream that leads to the journal: one that was redirected since isn't it."""
    with (tmp_path / "stream").open("w") as stream, (tmp_path / "other").open("w") as other:
        told = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{told.st_dev}:{told.st_ino}"}

        assert leads_to_journal(environ, stream.fileno())
        assert not leads_to_journal(environ, other.fileno())
        assert not leads_to_journal({}, stream.fileno())
        gone = other.fileno()
    assert not leads_to_journal(environ, gone)


@pytest.fixture
def journal(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> Manager:
    """Standard error leads to the journal, which listens here."""
    monkeypatch.setattr(systemd, "leads_to_journal", lambda environ, descriptor: True)
    monkeypatch.setattr(systemd, "JOURNAL", manager.address)
    return manager


def fields_of(entry: bytes) -> dict[str, str]:
    """An entry as journald reads it: name, length, value."""
    fields = {}
    while entry:
        name, _, rest = entry.partition(b"\n")
        length = int.from_bytes(rest[:8], "little")
        assert rest[8 + length : 9 + length] == b"\n"
        fields[name.decode()] = rest[8 : 8 + length].decode()
        entry = rest[9 + length :]
    return fields


def test_a_journal_without_room_stops_no_other_thread(journal: Manager) -> None:
    """As with a dead SD card: the line waits, and this thread goes on."""
    with logging_to(logging.INFO, {}):
        for number in range(MANY):
            logging.getLogger("node.tests").info("line %d", number)

        told = journal.until(lambda entry: fields_of(entry)["MESSAGE"] == f"line {MANY - 1}")

    assert len(told) == MANY


ENDS_BESIDE_A_FULL_JOURNAL = """
import logging, sys
from node.io import systemd
systemd.JOURNAL, systemd.leads_to_journal = sys.argv[1], lambda environ, descriptor: True
with systemd.logging_to(logging.INFO, {}):
    for number in range(600):
        logging.info("line %d", number)
"""


def test_a_process_ends_though_the_journal_takes_nothing(manager: Manager) -> None:
    """Nobody reads: the lines that wait are given up after a second."""
    subprocess.run([sys.executable, "-c", ENDS_BESIDE_A_FULL_JOURNAL, manager.address], timeout=60, check=True)


def test_an_entry_of_the_journal_is_bounded(journal: Manager) -> None:
    """However long a text is, and whatever its lines say, it is one field of one datagram."""
    with logging_to(logging.INFO, {}):
        try:
            int("x\nPRIORITY=0\n" * 100_000)
        except ValueError:
            logging.getLogger("node.tests").exception("%s", "ü" * 100_000)

    (line,) = [fields_of(each) for each in journal.take()]
    assert line["PRIORITY"] == "3"
    assert set(line["MESSAGE"][:1000]) == {"ü"}


def test_the_journal_gets_fields(journal: Manager) -> None:
    """Where standard error leads to the journal, a line's ALARM_ fields come beside its words, and none of Python's."""
    logger = logging.getLogger("node.tests")

    with logging_to(logging.INFO, {}):
        logger.warning("F010 (%s) away", "broker-b", extra={"ALARM_EVENT": "fault-raised", "ALARM_FAULT": "F010"})

    (line,) = [fields_of(each) for each in journal.take()]
    assert line["MESSAGE"] == "F010 (broker-b) away"
    assert line["PRIORITY"] == "4"
    assert line["SYSLOG_IDENTIFIER"] == "alarm-node"
    assert line["THREAD_NAME"] == "MainThread"
    assert {name: value for name, value in line.items() if name.startswith("ALARM_")} == {
        "ALARM_EVENT": "fault-raised",
        "ALARM_FAULT": "F010",
    }
    assert all(name.isupper() for name in line)
