"""The thread that stores batches: all that wait become one transaction, and an answer comes once they are on the disk.

Rules

1. Whoever hands over a batch never waits. Each batch is answered by one ``Stored`` or one ``Refused``, in their order.
2. While the database is away everything waits and is tried again. Once more than ``kept`` events would wait, telemetry
   is refused at once; it gets no receipt, so its node sends it again. Alarms and all other decisions are never refused
   for this reason: the deciding thread limits how much it takes from one node (receipts.py).
3. A database that hangs raises no error. If one try takes ``HANGS_S``, the database counts as away; ``look`` finds that
   out.
4. A batch that can never be stored, whatever the state of the database, doesn't hold up the others: it alone is
   refused. A lack of memory isn't the batch's fault: then the batch waits as in an outage, and people are told of its
   calls from memory.

Threads: the writer ("history"). The lock guards only the queue, and is never held during a write.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from node.core.back_off import BackOff
from node.monitor.core.decisions.batch import Batch, Refused, Stored, StoreFailed, StoreRecovered
from node.monitor.errors import HistoryError, UnstorableError
from node.threads import new_thread

_AT_ONCE = 1_000  # batches in one transaction: an alarm waits for one such transaction at most
_FIRST_RETRY_S = 0.1

HANGS_S = 4.0
"""No try takes so long on a database that works: a thousand batches are a second's work on an SD card."""

HANGS = "hangs"
"""The reason of StoreFailed if the database hangs (notify/texts/vocabulary.py)."""

_NO_MEMORY = "the history at its address can't be used: this machine has no memory left"

_log = logging.getLogger(__name__)


Then = Callable[[bool], None]
"""Called on the writer's thread with whether the batch was stored."""


class Storing(Protocol):
    """The methods of a History that the writer needs."""

    def upgrade(self) -> None:
        """Make sure that the database has this program's tables."""

    def store_all(self, batches: Sequence[Batch]) -> tuple[Stored, ...]:
        """Store all of them, or none."""


class Writer:
    """Stores batches in ``history``. ``put`` gets the answers, on its thread. All methods but ``stop`` return at once.

    In an outage it tries again after 0.1 s, doubling to ``retry_s``. ``kept``: how many events may wait. ``failed``:
    why the history couldn't be used at the start, if that was reported. Nothing is then stored until the database has
    this program's tables.
    """

    def __init__(
        self,
        history: Storing,
        put: Callable[[Stored | Refused | StoreFailed | StoreRecovered], None],
        *,
        failed: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        retry_s: float = 2.0,
        kept: int = 10_000,
    ) -> None:
        self._history, self._put, self._clock = history, put, clock
        self._retry, self._kept = BackOff(_FIRST_RETRY_S, retry_s), kept
        self.thread = new_thread("history", self._run)
        self._stopping = threading.Event()

        self._lock = threading.Condition()
        self._queued: deque[tuple[Batch, Then]] = deque()
        self._waiting = 0

        self._failed = failed
        self._since: float | None = None

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def store(self, batch: Batch, then: Then = lambda _: None) -> None:
        """Store this batch as soon as possible. Its answer goes to ``put``; after that ``then`` is called."""
        with self._lock:
            refused = batch.may_be_refused and self._waiting + len(batch.events) > self._kept
            if not refused:
                self._queued.append((batch, then))
                self._waiting += len(batch.events)
                self._lock.notify()
        if refused:
            self._put(Refused(events=tuple(event.key for event in batch.events), reason="too much waits"))
            then(False)

    @property
    def waiting(self) -> int:
        """How many events aren't stored yet."""
        return self._waiting

    def look(self) -> None:
        """Report a database that hangs; to be called again and again, from any thread."""
        with self._lock:
            is_hanging = self._since is not None and self._clock() - self._since >= HANGS_S
            if is_hanging and self._failed is None:
                _log.error("the history hangs: nothing is stored until its database or disk answers")
                self._failed = HANGS
                self._put(StoreFailed(at=self._clock(), reason=HANGS))

    def stop(self, timeout_s: float) -> bool:
        """Store what waits in one last try, and end. False if the thread hangs; it then dies with the process."""
        if self.thread.ident is None:
            return True
        self._stopping.set()
        with self._lock:
            self._lock.notify()
        self.thread.join(timeout_s)
        return not self.thread.is_alive()

    # From here on: the writer's thread.

    def _run(self) -> None:
        failures = 0
        while batches := self._take():
            try:
                stored = self._attempt(batches)
            except Exception:  # noqa: BLE001 -- as _say
                # If this thread ended, the history would hold nothing ever again, and nobody would notice.
                _log.exception("the history stumbled")
                stored = False
            if stored:
                failures = 0
            elif self._stopping.is_set():
                break
            else:
                failures += 1
                self._stopping.wait(self._retry.wait_s(failures))
        if self._queued:
            _log.error("the monitor ends with %d batches that couldn't be stored", len(self._queued))

    def _take(self) -> list[Batch]:
        """Wait for batches, and return those to store next. Empty if there are none and the thread must end."""
        with self._lock:
            while not self._queued and not self._stopping.is_set():
                self._lock.wait()
            return [self._queued[place][0] for place in range(min(len(self._queued), _AT_ONCE))]

    def _attempt(self, batches: Sequence[Batch]) -> bool:
        with self._lock:
            must_be_seen = self._failed is not None
            self._since = self._clock()
        try:
            if must_be_seen:
                self._history.upgrade()  # there may be another database now
            answers: Sequence[Stored | Refused] = self._history.store_all(batches)
        except UnstorableError as failure:
            if len(batches) > 1:
                return all(self._attempt((batch,)) for batch in batches)
            answers = [self._refuse(batches[0], failure.text)]
        except HistoryError as failure:
            self._fail(failure)
            return False
        except Exception as failure:  # noqa: BLE001 -- whatever it was, the writer lives, and the other batches are stored
            if len(batches) > 1:
                return all(self._attempt((batch,)) for batch in batches)
            if isinstance(failure, MemoryError):  # no fault of this batch: its calls are told from memory
                self._fail(HistoryError(_NO_MEMORY, "see what takes the memory; the monitor goes on by itself"))
                return False
            _log.exception("a batch can't be stored")
            answers = [self._refuse(batches[0], type(failure).__name__)]
        finally:
            with self._lock:
                self._since = None
        calls: list[Then] = []
        with self._lock:
            for batch in batches:
                calls.append(self._queued.popleft()[1])
                self._waiting -= len(batch.events)
        self._recover()
        for answer, then in zip(answers, calls, strict=True):
            self._say(answer)
            then(isinstance(answer, Stored))
        return True

    def _refuse(self, batch: Batch, reason: str) -> Refused:
        _log.error("a batch of %d events is let go: %s", len(batch.events), reason)
        return Refused(
            events=tuple(event.key for event in batch.events),
            reason=reason,
            notices=tuple(notice.key for notice in batch.notices),
        )

    def _fail(self, failure: HistoryError) -> None:
        if self._failed is None:
            self._say(StoreFailed(at=self._clock(), reason=failure.text))
        if self._failed != failure.text:
            _log.error("%s", failure)
        self._failed = failure.text

    def _recover(self) -> None:
        if self._failed is not None:
            self._failed = None
            _log.info("the history can be written again")
            self._say(StoreRecovered(at=self._clock()))

    def _say(self, answer: Stored | Refused | StoreFailed | StoreRecovered) -> None:
        try:
            self._put(answer)
        except Exception:  # noqa: BLE001 -- the writer lives, whatever is made of its answers
            _log.exception("what became of a batch can't be taken")
