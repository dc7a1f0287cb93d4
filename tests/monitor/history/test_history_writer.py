"""The writer's thread: what it answers, what it keeps while the database is away, and what it lets go."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import pytest
from msgspec import structs

from node.monitor.core.model.records import Status
from node.monitor.errors import HistoryUnreachableError
from node.monitor.history.history import Batch, History, Refused, Stored, StoreFailed, StoreRecovered
from node.monitor.history.writer import HANGS, HANGS_S, Writer
from tests.support.history import at, event, finding, flip, incident
from tests.support.notices import alarm

TIMEOUT_S = 20.0


class Away:
    """A history whose database can be away; ``transactions`` are the batches of each that was committed."""

    def __init__(self) -> None:
        self.is_away = False
        self.tries = threading.Semaphore(0)
        self.asked = threading.Event()
        self.transactions: list[tuple[Batch, ...]] = []
        self.mistake: Exception = RuntimeError("a mistake")
        self.bad: Callable[[Batch], bool] = lambda _batch: False
        self.gate = threading.Event()
        self.gate.set()

    def upgrade(self) -> None:
        """It is there, or not."""
        self.tries.release()
        self._be_there()

    def store_all(self, batches: Sequence[Batch]) -> tuple[Stored, ...]:
        """Store them once the gate is open."""
        self.asked.set()
        self.gate.wait(TIMEOUT_S)
        self._be_there()
        if any(map(self.bad, batches)):
            raise self.mistake
        self.transactions.append(tuple(batches))
        return tuple(Stored(events=tuple(each.key for each in batch.events)) for batch in batches)

    def _be_there(self) -> None:
        if self.is_away:
            raise HistoryUnreachableError("the database is away", "wait")


class ToldCalls:
    """What a writer answers, taken in its order."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[object] = SimpleQueue()

    def take(self, count: int) -> list[object]:
        """The next answers; waits for them."""
        try:
            return [self.queue.get(timeout=TIMEOUT_S) for _ in range(count)]
        except Empty:
            raise AssertionError("the writer doesn't answer") from None


@contextmanager
def writing(history: Away | History, *, kept: int = 10_000, start: bool = True) -> Iterator[tuple[Writer, ToldCalls]]:
    """A writer whose clock stands at 7.0."""
    told = ToldCalls()
    writer = Writer(history, told.queue.put, clock=lambda: 7.0, retry_s=0.02, kept=kept)
    if start:
        writer.start()
    yield writer, told
    assert writer.stop(TIMEOUT_S)


def one(seq: int, *, urgent: bool = False) -> Batch:
    """A batch of one event."""
    return Batch(events=[event(seq, urgent=urgent)])


def test_what_is_stored_is_answered(history: History) -> None:
    """Each batch has its answer, with what held in it."""
    change = flip(Status.NEW, Status.UP)

    with writing(history) as (writer, told):
        writer.store(one(1))
        writer.store(Batch(flips=[change]))
        answers = told.take(2)

    assert answers == [Stored(events=(event(1).key,)), Stored(flips=(change,))]


def test_what_waits_is_one_transaction() -> None:
    """While one commit lasts the next ones gather."""
    history = Away()
    history.gate.clear()

    with writing(history, start=False) as (writer, told):
        for seq in range(1, 6):
            writer.store(one(seq))
        writer.start()
        history.gate.set()
        answers = told.take(5)

    assert history.transactions == [tuple(one(seq) for seq in range(1, 6))]
    assert answers == [Stored(events=(event(seq).key,)) for seq in range(1, 6)]


def test_an_outage_is_told_once_and_nothing_is_lost() -> None:
    """However often it is tried; and once it is over everything is answered, in its order."""
    history = Away()
    history.is_away = True

    with writing(history) as (writer, told):
        writer.store(one(1))
        failed = told.take(1)
        writer.store(one(2))
        tried = [history.tries.acquire(timeout=TIMEOUT_S) for _ in range(3)]
        waiting = writer.waiting
        history.is_away = False
        recovered = told.take(3)

    assert all(tried)
    assert (waiting, writer.waiting) == (2, 0)
    assert failed == [StoreFailed(at=7.0, reason="the database is away")]
    assert recovered == [StoreRecovered(at=7.0), Stored(events=(event(1).key,)), Stored(events=(event(2).key,))]


def test_a_history_that_cannot_be_used_at_the_start_gets_its_tables_before_anything_is_stored() -> None:
    """That was told, and isn't told again; only its end is."""
    history = Away()
    told: SimpleQueue[object] = SimpleQueue()
    writer = Writer(history, told.put, clock=lambda: 7.0, failed="E025 of a newer program")
    writer.store(one(1))
    writer.start()

    answers = [told.get(timeout=TIMEOUT_S) for _ in range(2)]
    writer.stop(TIMEOUT_S)

    assert history.tries.acquire(blocking=False)
    assert answers == [StoreRecovered(at=7.0), Stored(events=(event(1).key,))]


def test_who_waits_for_a_batch_hears_whether_it_is_stored(history: History) -> None:
    """Of each by itself, once it is on the disk or never will be."""
    heard: SimpleQueue[tuple[str, bool]] = SimpleQueue()
    impossible = Batch(events=[event(2**70)])

    with writing(history) as (writer, _):
        writer.store(one(1), lambda stored: heard.put(("good", stored)))
        writer.store(impossible, lambda stored: heard.put(("impossible", stored)))
        answers = [heard.get(timeout=TIMEOUT_S) for _ in range(2)]

    assert answers == [("good", True), ("impossible", False)]


@pytest.mark.parametrize(
    ("batch", "kept"),
    [
        (one(9), False),
        (one(9, urgent=True), True),
        (Batch(events=[event(9)], raised=[finding()]), True),
        (Batch(incidents=[incident()]), True),
    ],
    ids=["telemetry", "alarm", "finding", "decision"],
)
def test_in_an_outage_telemetry_alone_is_refused(batch: Batch, kept: bool) -> None:
    """Beyond its limit: its node sends it again. Everything else waits, however much there is."""
    history = Away()
    history.is_away = True

    with writing(history, kept=2) as (writer, told):
        for seq in (1, 2):
            writer.store(one(seq))
        told.take(1)
        writer.store(batch)
        refused = [] if kept else told.take(1)
        history.is_away = False
        told.take(3 + kept)

    assert refused == ([] if kept else [Refused(events=(event(9).key,), reason="too much waits")])
    assert [each for batches in history.transactions for each in batches] == [
        one(1),
        one(2),
        *([batch] if kept else []),
    ]


def test_a_batch_that_cannot_be_stored_does_not_keep_the_others(history: History) -> None:
    """It gets no receipt; those before and behind it are stored."""
    bad = Batch(events=[event(2**70)], incidents=[incident(2)])

    with writing(history, start=False) as (writer, told):
        writer.store(one(1))
        writer.store(bad)
        writer.store(Batch(incidents=[incident(3)]))
        writer.start()
        first, second, third = told.take(3)

    assert first == Stored(events=(event(1).key,))
    assert isinstance(second, Refused)
    assert second.events == (bad.events[0].key,)
    assert third == Stored(incidents=(incident(3),))
    assert history.remember(at()).incidents == (incident(3),)


def test_a_mistake_of_the_program_costs_one_batch(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with where it happened, and the writer lives."""
    history = Away()
    history.bad = lambda batch: batch == one(2)

    with writing(history, start=False) as (writer, told):
        for seq in (1, 2, 3):
            writer.store(one(seq))
        writer.start()
        answers = told.take(3)

    assert answers[1] == Refused(events=(event(2).key,), reason="RuntimeError")
    assert history.transactions == [(one(1),), (one(3),)]
    assert "a mistake" in caplog.text


def test_a_machine_without_memory_is_an_outage_and_no_fault_of_the_batch() -> None:
    """It was refused before: whoever called for help in it was told to nobody, and nothing was found."""
    history = Away()
    history.bad = lambda _batch: True
    history.mistake = MemoryError()

    with writing(history, start=False) as (writer, told):
        writer.store(one(1, urgent=True))
        writer.store(one(2, urgent=True))
        writer.start()
        failed = told.take(1)
        history.bad = lambda _batch: False
        answers = told.take(3)

    assert failed == [
        StoreFailed(at=7.0, reason="the history at its address can't be used: this machine has no memory left")
    ]
    assert answers == [StoreRecovered(at=7.0), Stored(events=(event(1).key,)), Stored(events=(event(2).key,))]


def test_an_end_stores_what_waits() -> None:
    """A stop is one last try."""
    history = Away()
    history.gate.clear()

    with writing(history) as (writer, told):
        writer.store(one(1))
        writer.store(one(2))
        history.gate.set()
        assert writer.stop(TIMEOUT_S)

    assert told.take(2) == [Stored(events=(event(1).key,)), Stored(events=(event(2).key,))]


def test_an_end_in_an_outage_does_not_hang(caplog: pytest.LogCaptureFixture) -> None:
    """What couldn't be stored is counted in the log; the nodes still hold its events."""
    history = Away()
    history.is_away = True

    with writing(history) as (writer, told):
        writer.store(one(1))
        told.take(1)
        assert writer.stop(TIMEOUT_S)

    assert "1 batches that couldn't be stored" in caplog.text


def test_a_database_that_hangs_is_told_as_one_that_fails() -> None:
    """It raises no error: whoever looks sees how long one try lasts, tells it once, and that it is over."""
    history, told = Away(), ToldCalls()
    history.gate.clear()
    now = [7.0]
    writer = Writer(history, told.queue.put, clock=lambda: now[0], retry_s=0.02)
    writer.start()
    writer.look()
    writer.store(one(1))
    assert history.asked.wait(TIMEOUT_S)

    writer.look()
    assert told.queue.empty()
    now[0] += HANGS_S
    writer.look()
    writer.look()
    history.gate.set()
    answers = told.take(3)
    assert writer.stop(TIMEOUT_S)

    assert answers == [
        StoreFailed(at=11.0, reason=HANGS),
        StoreRecovered(at=11.0),
        Stored(events=(event(1).key,)),
    ]


def test_a_batch_that_is_refused_names_its_notices() -> None:
    """They never will be stored: whoever holds them in memory lets go of them."""
    history = Away()
    history.bad = lambda _: True

    with writing(history) as (writer, told):
        writer.store(Batch(events=[event(1)], notices=[alarm()]))
        [refused] = told.take(1)

    assert refused == Refused(events=(event(1).key,), reason="RuntimeError", notices=(alarm().key,))


def test_the_writer_outlives_whatever_is_made_of_its_answers() -> None:
    """A mistake there must not end the one thread that stores: nothing would be held any more, and nobody told why."""
    history, told = Away(), ToldCalls()

    def stumble(answer: object) -> None:
        told.queue.put(answer)
        raise RuntimeError("a mistake")

    writer = Writer(history, stumble, retry_s=0.02)
    writer.start()
    writer.store(one(1))
    writer.store(one(2))
    answers = told.take(2)
    history.is_away = True
    writer.store(one(3))
    [failed] = told.take(1)
    history.is_away = False
    [recovered] = told.take(1)
    writer.store(one(4))
    assert writer.stop(TIMEOUT_S)

    assert answers == [Stored(events=(event(1).key,)), Stored(events=(event(2).key,))]
    assert isinstance(failed, StoreFailed)
    assert isinstance(recovered, StoreRecovered)
    assert history.transactions[-1][-1] == one(4)


def test_only_telemetry_may_be_refused() -> None:
    """A batch with anything that its node doesn't say again is kept."""
    telemetry = one(1)

    assert telemetry.may_be_refused
    assert not structs.replace(telemetry, flips=(flip(Status.UP, Status.LATE),)).may_be_refused
    assert not Batch().may_be_refused
