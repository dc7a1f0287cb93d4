"""What systemd, its journal and the machine's watchdog are told, and what a service makes of a SIGHUP.

The one file that imports systemd.

Where nobody asks ($NOTIFY_SOCKET, $WATCHDOG_USEC, $JOURNAL_STREAM are missing) nothing is told, and logs are text.

Rules:

1. The watchdog is fed on evidence alone: somebody says that the loop has decided a reading of the inputs (``sampled``),
   and then, and not before, the loop may feed it. Half of WATCHDOG_USEC lies between two feeds.
2. Nobody waits for the service manager, or for whoever reads the log: each has a thread that may wait for it. A journal
   that hangs on a dead SD card delays no alarm and no feed.

    sampled   _|||||||||||||||||_______________________|||||||
    fed       _|_______|_______|________________________|_____
                                 the sampler stands still: no feed, and systemd restarts the node

Threads:

- ``notify`` speaks to the service manager.
- ``log`` writes the log; a line for which there is no room is dropped, and the drop is told.
"""

import logging
import math
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

from node.errors import AlarmNodeError
from node.sanitize import plain

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
    """Tells the service manager how the node is, in its order and without waiting; nothing where there is none.

    ``tell`` sends one message of sd_notify(3), from a thread of its own. ``watchdog_s``: how long the manager waits for
    a feed, inf where it doesn't.
    """

    def __init__(self, tell: Callable[[str], object] | None = None, watchdog_s: float = math.inf) -> None:
        self.feed_every_s = watchdog_s / 2
        self._status = ""
        self._stopping = False
        self._messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if tell is not None:
            self._thread = threading.Thread(target=self._run, args=(tell,), name="notify", daemon=True)
            self._thread.start()

    def ready(self) -> None:
        """The node is what it has to be: from here on its watchdog counts."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """How it is; made one line of bearable length. The same as before isn't told again."""
        line = " ".join(plain(text).split())[:_STATUS_MAX]
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def fed(self) -> None:
        """There was progress: the manager needn't restart the node."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The node ends because it was asked to; told once."""
        if not self._stopping:
            self._stopping = True
            self._send("STOPPING=1")

    def close(self) -> None:
        """Let what was said go out, for a second at most; the second time, nothing."""
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
            except Exception as problem:  # noqa: BLE001 - the node goes on; without feeds the manager will restart it
                if not failing:
                    log.warning("the service manager can't be told %s (%s)", message, problem)
                failing = True


class Feed:
    """When the watchdog is fed; for the loop's thread alone. ``feed`` does it, ``every_s`` seconds are between two."""

    def __init__(self, feed: Callable[[], None], every_s: float) -> None:
        self._feed = feed
        self._every_s = every_s
        self._next = -math.inf if every_s < math.inf else math.inf
        self._progress = False

    def sampled(self) -> None:
        """The sampler has read an input, and the loop has decided it."""
        self._progress = True

    @property
    def due(self) -> float:
        """When the loop has to look again (monotonic seconds); inf without progress, whose arrival wakes it anyway."""
        return self._next if self._progress else math.inf

    def turn(self, now: float) -> None:
        """Feed, if it is time and there was progress since the last time."""
        if now >= self.due:
            self._progress = False
            self._next = now + self._every_s
            self._feed()


def outlast_hangups() -> None:
    """Let SIGHUP end nothing: whoever sends it means "read your configuration anew", which only a start does."""
    signal.signal(signal.SIGHUP, _hung_up)


def _hung_up(_number: int, _frame: object) -> None:
    log.info("SIGHUP is ignored: a changed configuration is read at the next start")


@contextmanager
def notifying(environ: Mapping[str, str]) -> Iterator[Notifier]:
    """The service manager of this process, as the environment names it; it is told what ends the context, if it must.

    Where there is none, the notifier does nothing.
    """
    notifier = _notifier(environ)
    try:
        yield notifier
    except AlarmNodeError as error:
        notifier.status(str(error))
        raise
    finally:
        notifier.close()


def _notifier(environ: Mapping[str, str]) -> Notifier:
    if not environ.get("NOTIFY_SOCKET"):
        return Notifier()
    try:
        from systemd.daemon import notify  # noqa: PLC0415 - it isn't there on every machine, nor needed
    except ImportError as problem:
        log.error("systemd waits to be told how the node is, and can't be (%s)", problem)  # noqa: TRY400
        return Notifier()
    return Notifier(notify, _watchdog_s(environ))


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """How long the manager waits for a feed of this process (sd_watchdog_enabled(3)); inf where it doesn't."""
    usec = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not usec.isdecimal() or int(usec) == 0:
        return math.inf
    return int(usec) / 1_000_000


def why_unarmed(environ: Mapping[str, str], device: Path = _HARDWARE_WATCHDOG) -> str | None:
    """Why the hardware watchdog isn't armed though this installation wants it; None where it is, or isn't wanted.

    What the kernel doesn't say isn't taken for armed.
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
    """Log to the journal where standard error leads there, else to standard error as text; at the end all is out.

    ``program``: how the journal names who says it.
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
    """Hands each line to ``sink`` on a thread of its own; while ``room`` lines wait, others are dropped and counted."""

    def __init__(self, sink: logging.Handler, room: int = _LINES_MAX) -> None:
        super().__init__()
        self._sink = sink
        self._room = room
        self._lines: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; its text is made here, while its arguments are what they were."""
        if self._lines.qsize() >= self._room:
            self._dropped += 1
            return
        try:
            line = copy(record)
            line.msg, line.args, line.exc_text = plain(record.getMessage()), None, None
        except Exception:  # noqa: BLE001 - like all of logging's own handlers: a bad line is told, and ends nothing
            self.handleError(record)
        else:
            self._lines.put(line)

    def close(self) -> None:
        """Write what is left, for a second at most."""
        self._lines.put(None)
        self._thread.join(_FLUSH_S)
        super().close()

    def _run(self) -> None:
        told = 0
        while (line := self._lines.get()) is not None:
            self._sink.handle(line)
            dropped = self._dropped
            if dropped > told:
                text = f"{dropped - told} lines of the log were dropped: nobody took them in time"
                self._sink.handle(logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None))
                told = dropped


def journal_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that a log record carries: what the journal takes as a field. Names in lower case are Python's own."""
    told = {name: value for name, value in fields.items() if name.isupper() and value is not None}
    return {name: _plain_lines(value) if isinstance(value, str) else value for name, value in told.items()}


def leads_to_journal(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether this is the stream that systemd has connected to its journal (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _journal(environ: Mapping[str, str], program: str) -> logging.Handler | None:
    if not leads_to_journal(environ, _STANDARD_ERROR):
        return None
    try:
        from systemd import journal  # noqa: PLC0415 - as above
    except ImportError:
        return None

    def send(message: str, /, **fields: Any) -> None:
        journal.send(message, **journal_fields(fields))

    handler: logging.Handler = journal.JournalHandler(sender_function=send, SYSLOG_IDENTIFIER=program)
    handler.setFormatter(_Lines())
    return handler


def _text() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(_TEXT))
    return handler


class _Lines(logging.Formatter):
    """A line of the log is one line, and so is each of a traceback, whatever an exception says."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """As logging does, without what steers a display."""
        return _plain_lines(super().formatException(ei))


def _plain_lines(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))
