"""Messages to systemd, its journal and the machine's watchdog, and what a service does at a SIGHUP.

This is the only file that imports systemd.

If $NOTIFY_SOCKET, $WATCHDOG_USEC or $JOURNAL_STREAM is missing, nothing is sent there, and logs are text.

Rules:

1. The watchdog is fed on evidence only: after a call of ``sampled`` (the loop has read the levels), and not before, the
   loop may feed it. Half of WATCHDOG_USEC lies between two feeds.
2. The loop never waits for the service manager or for a reader of the log: each has its own thread, which may wait. A
   journal that hangs on a dead SD card delays no alarm and no feed.

    sampled   _|||||||||||||||||_______________________|||||||
    fed       _|_______|_______|________________________|_____
                                 no level is read: no feed, and systemd restarts the node

Threads:

- ``notify`` talks to the service manager.
- ``log`` writes the log; a line without room is dropped, and the drop is logged.
"""

import logging
import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

from node.errors import AlarmNodeError
from node.io.systemd_sockets import JOURNAL, journal_entry, send
from node.sanitize import plain
from node.threads import new_thread

WANTS_HARDWARE_WATCHDOG = "ALARM_NODE_HARDWARE_WATCHDOG"
"""The environment variable by which an installation says that it has armed the machine's watchdog."""

_HARDWARE_WATCHDOG = Path("/sys/class/watchdog/watchdog0")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_STATUS_MAX = 1000
_LINES_MAX = 1000
_STANDARD_ERROR = 2
_FLUSH_S = 1.0

log = logging.getLogger(__name__)


class Notifier:
    """Sends the node's status to the service manager, in order and without waiting; does nothing without a manager.

    ``tell`` sends one message of sd_notify(3), on a thread of its own. ``watchdog_s``: how long the manager waits for a
    feed, inf if it doesn't watch.
    """

    def __init__(self, tell: Callable[[str], object] | None = None, watchdog_s: float = math.inf) -> None:
        self.feed_every_s = watchdog_s / 2
        self._status = ""
        self._stopping = False
        self._messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if tell is not None:
            self._thread = new_thread("notify", self._run, tell)
            self._thread.start()

    def ready(self) -> None:
        """The node works as it should: from here on the manager's watchdog counts."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is read again; ``ready`` says when that is over."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def status(self, text: str) -> None:
        """Send the status, shortened to one line of limited length. The same status isn't sent again."""
        line = " ".join(plain(text).split())[:_STATUS_MAX]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def fed(self) -> None:
        """The loop made progress: the manager needn't restart the node."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The node was asked to end; sent once."""
        if not self._stopping:
            self._stopping = True
            self._send("STOPPING=1")

    def close(self) -> None:
        """Wait a second at most until all messages are sent; a second call does nothing."""
        self._messages.put(None)
        if self._thread is not None:
            self._thread.join(_FLUSH_S)

    def _send(self, message: str) -> None:
        if self._thread is not None:
            self._messages.put(message)

    def _run(self, tell: Callable[[str], object]) -> None:
        failing = False
        while (message := self._messages.get()) is not None:
            try:
                tell(message)
                failing = False
            except Exception as problem:  # noqa: BLE001 - the node goes on; without feeds the manager restarts it
                if not failing:
                    log.warning("the service manager can't be told %s (%s)", message, problem)
                failing = True


class Feed:
    """When the watchdog is fed; for the loop's thread only. ``feed`` feeds it, at most every ``every_s`` seconds."""

    def __init__(self, feed: Callable[[], None], every_s: float) -> None:
        self._feed = feed
        self._every_s = every_s
        self._next = -math.inf if every_s < math.inf else math.inf
        self._progress = False

    def sampled(self) -> None:
        """The loop has read the levels, whatever could be read."""
        self._progress = True

    def turn(self, now: float) -> float:
        """Feed, if it is time and there was progress since the last feed.

        Returns when the loop has to call again (monotonic seconds); inf without progress, which wakes the loop anyway.
        """
        if self._progress and now >= self._next:
            self._progress = False
            self._next = now + self._every_s
            self._feed()
        return self._next if self._progress else math.inf


def outlast_hangups() -> None:
    """Let SIGHUP not end the process: its sender means "read your configuration again", which only a restart does."""
    signal.signal(signal.SIGHUP, _hung_up)


def _hung_up(_number: int, _frame: object) -> None:
    log.info("SIGHUP is ignored: a changed configuration is read at the next start")


@contextmanager
def notifying(environ: Mapping[str, str]) -> Iterator[Notifier]:
    """The notifier to this process's service manager, by the environment; it also reports what ends the context.

    Without a service manager the notifier does nothing.
    """
    notifier = _notifier(environ)
    try:
        yield notifier
    except AlarmNodeError as error:
        notifier.status(error.with_first_problem)
        raise
    except Exception as error:
        notifier.status(f"ended by {type(error).__name__}: {error}. Next: look at the log.")
        raise
    finally:
        notifier.close()


def _notifier(environ: Mapping[str, str]) -> Notifier:
    if not environ.get("NOTIFY_SOCKET"):
        return Notifier()
    return Notifier(lambda message: send(environ["NOTIFY_SOCKET"], message.encode()), _watchdog_s(environ))


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """How long the manager waits for a feed of this process (sd_watchdog_enabled(3)); inf if it doesn't watch."""
    usec = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not usec.isdecimal() or int(usec) == 0:
        return math.inf
    return int(usec) / 1_000_000


def keeps_state(environ: Mapping[str, str]) -> bool:
    """Whether this service has its state directory from systemd, as for what must last (StateDirectory=).

    A node that somebody starts by hand, a simulated one too, may store where it likes.
    """
    return bool(environ.get("STATE_DIRECTORY"))


def why_unarmed(environ: Mapping[str, str], device: Path = _HARDWARE_WATCHDOG) -> str | None:
    """Why the hardware watchdog isn't armed though this installation wants it; None if it is armed, or isn't wanted.

    If the kernel doesn't say, it doesn't count as armed.
    """
    if environ.get(WANTS_HARDWARE_WATCHDOG) != "1":
        return None
    try:
        state = (device / "state").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as problem:
        return f"{device.name} can't be read ({problem})"
    if state != "active":
        return f"{device.name} is {state}"
    log.info("the hardware watchdog is armed: %s s", _timeout(device))
    return None


def _timeout(device: Path) -> str:
    try:
        return (device / "timeout").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return "?"


@contextmanager
def logging_to(level: int, environ: Mapping[str, str], program: str = "alarm-node") -> Iterator[None]:
    """Log to the journal if standard error leads there, else to standard error as text; at the end all is written.

    ``program``: the name under which the journal stores the lines.
    """
    handler = Unhurried(_journal(environ, program) or _text())
    root = logging.getLogger()
    root.setLevel(level)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


class Unhurried(logging.Handler):
    """Passes each line to ``sink`` on its own thread; while ``room`` lines wait, others are dropped and counted."""

    def __init__(self, sink: logging.Handler, room: int = _LINES_MAX) -> None:
        super().__init__()
        self._sink = sink
        self._room = room
        self._lines: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = new_thread("log", self._run)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line. Its text is made here, before its arguments can change."""
        if self._lines.qsize() >= self._room:
            self._dropped += 1
            return
        try:
            line = copy(record)
            line.msg, line.args, line.exc_text = plain(record.getMessage()), None, None
        except Exception:  # noqa: BLE001 - as logging's own handlers do: a bad line is reported, and ends nothing
            self.handleError(record)
        else:
            self._lines.put(line)

    def close(self) -> None:
        """Write the remaining lines, for a second at most."""
        self._lines.put(None)
        self._thread.join(_FLUSH_S)
        super().close()

    def _run(self) -> None:
        # Not ``handle``: while nobody takes a line it would hold the sink's lock, for which logging waits at the end.
        told = 0
        while (line := self._lines.get()) is not None:
            self._sink.emit(line)
            dropped = self._dropped
            if dropped > told:
                text = f"{dropped - told} lines of the log were dropped: nobody took them in time"
                self._sink.emit(logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None))
                told = dropped


def journal_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a log record that the journal takes as fields. Names in lower case are Python's own."""
    told = {name: value for name, value in fields.items() if name.isupper() and value is not None}
    return {name: _plain_lines(value) if isinstance(value, str) else value for name, value in told.items()}


def leads_to_journal(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether this is the stream that systemd connected to its journal (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _journal(environ: Mapping[str, str], program: str) -> logging.Handler | None:
    if not leads_to_journal(environ, _STANDARD_ERROR):
        return None
    try:
        from systemd import journal  # noqa: PLC0415 - not every machine has or needs it
    except ImportError:
        return None

    def tell(message: str, /, **fields: Any) -> None:
        send(JOURNAL, journal_entry({"MESSAGE": message, **journal_fields(fields)}))

    handler: logging.Handler = journal.JournalHandler(sender_function=tell, SYSLOG_IDENTIFIER=program)
    handler.setFormatter(_Lines())
    return handler


def _text() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(_TEXT))
    return handler


class _Lines(logging.Formatter):
    """Makes each log entry one line, and each line of a traceback, whatever text an exception contains."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """As logging does, without characters that control a terminal."""
        return _plain_lines(super().formatException(ei))


def _plain_lines(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))
