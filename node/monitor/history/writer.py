"""The thread that stores: what waits is one transaction, and only what is on the disk is answered.

Rules

1. Whoever gives it a batch never waits. Each batch is answered by one ``Stored`` or one ``Refused``, in their order.
2. While the database is away everything waits and is tried again. Beyond ``kept`` waiting events telemetry is refused
   at the door (its node sends it again, since it gets no receipt); alarms and whatever else is decided never are: who
   decides takes no more of one node than it has room for (receipts.py).
3. A database that hangs gives no error: who is at one try for ``HANGS_S`` is as good as away, which ``look`` sees.
4. A batch that can't be stored in whatever state the database is doesn't keep the others: it is refused, alone.
   Where there is no memory, that isn't the batch's: it waits as in an outage, and people are told of what it says.

Threads: the writer ("history"). The lock guards the queue alone and is never held during a write.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from node.monitor.core.batch import Batch, Refused, Stored, StoreFailed, StoreRecovered
from node.monitor.errors import HistoryError, UnstorableError

_AT_ONCE = 1_000  # batches in one transaction: an alarm waits for one such at most
_FIRST_RETRY_S = 0.1

HANGS_S = 4.0
"""So long no try takes on a database that works: a thousand batches are a second's work on an SD card."""

HANGS = "hangs"
"""The reason of StoreFailed then (texts.py DETAILS)."""

_NO_MEMORY = "the history at its address can't be used: this machine has no memory left"

_log = logging.getLogger(__name__)


Then = Callable[[bool], None]
"""Hears, on the writer's thread, whether a batch was stored."""


class Storing(Protocol):
    """What the writer needs of a History."""

    def upgrade(self) -> None:
        """See that it has this program's tables."""

    def store_all(self, batches: Sequence[Batch]) -> tuple[Stored, ...]:
        """Store them all, or none."""


class Writer:
    """Stores batches in ``history``; ``put`` takes its answers, from its thread. Every method but ``stop`` is quick.

    In an outage it tries again after 0.1 s, doubling to ``retry_s``. ``kept``: how many events may wait. ``failed``:
    why the history can't be used at the start, which was told; nothing is stored until it has this program's tables.
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
        self._retry_s, self._kept = retry_s, kept
        self.thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._stopping = threading.Event()

        self._lock = threading.Condition()
        self._queued: deque[tuple[Batch, Then]] = deque()
        self._waiting = 0

        self._failed = failed
        self._since: float | None = None

    def start(self) -> None:
        """Begin to store."""
        self.thread.start()

    def store(self, batch: Batch, then: Then = lambda _: None) -> None:
        """Store this as soon as it can be; the answer follows, and ``then`` is called after it."""
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
        """See whether the database hangs; from any thread, again and again."""
        with self._lock:
            is_hanging = self._since is not None and self._clock() - self._since >= HANGS_S
            if is_hanging and self._failed is None:
                _log.error("the history hangs: nothing is stored until its database or disk answers")
                self._failed = HANGS
                self._put(StoreFailed(at=self._clock(), reason=HANGS))

    def stop(self, timeout_s: float) -> bool:
        """Store what waits, in one last try, and end; False if the thread hangs (it dies with the process)."""
        if self.thread.ident is None:
            return True
        self._stopping.set()
        with self._lock:
            self._lock.notify()
        self.thread.join(timeout_s)
        return not self.thread.is_alive()

    # From here on: the writer's thread.

    def _run(self) -> None:
        delay_s = _FIRST_RETRY_S
        while batches := self._take():
            try:
                stored = self._attempt(batches)
            except Exception:  # noqa: BLE001 -- as _say
                # A thread that ended here would be a history that silently holds nothing ever again.
                _log.exception("the history stumbled")
                stored = False
            if stored:
                delay_s = _FIRST_RETRY_S
            elif self._stopping.is_set():
                break
            else:
                self._stopping.wait(delay_s)
                delay_s = min(2 * delay_s, self._retry_s)
        if self._queued:
            _log.error("the monitor ends with %d batches that couldn't be stored", len(self._queued))

    def _take(self) -> list[Batch]:
        """What is to be stored next; nothing where there is nothing and never will be."""
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
                self._history.upgrade()  # another database may stand there now
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
            if isinstance(failure, MemoryError):  # the machine's, and no batch's: what it told is told from memory
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
