"""What the record is handed of the core's effects, as it comes back from a real record."""

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from node.core import effects
from node.core.events import Event, EventsStored, RecordLoaded
from node.core.model import Key, KeyRange, Snapshot
from node.io.record.record import Record, read_log
from node.protocol import record_codec
from node.service.recorder import Recorder
from node.service.upkeep.watcher import LogWatcher
from tests.support.sayings import BOOT, NOON, NOW, WIRE

WAIT_LIMIT_S = 60.0
AFTER = Snapshot(at=NOW)


class Shelf:
    """A recorder and its record; each effect that it performs is stored before it goes on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._told: SimpleQueue[Event] = SimpleQueue()
        self._record = Record(
            directory,
            boot=BOOT,
            kernel_boot="kernel",
            put=self._told.put,
            decode_snapshot=record_codec.decode_snapshot,
            is_event=record_codec.is_event,
        )
        self._recorder = Recorder(WIRE, self._record, LogWatcher(), "kernel", wall=lambda: NOON)
        self._record.start()
        self._wait_for(RecordLoaded)

    def append(self, kind: str, seq: int, **fields: object) -> None:
        """Keep an event, and wait until it is on the disk."""
        event = effects.LoggedEvent(Key(BOOT, seq), kind, NOW, NOON, True, **fields)  # type: ignore[arg-type]
        self._perform(effects.Append(event, AFTER))
        self._wait_for(EventsStored)

    def receive(self, seq: int) -> None:
        """Keep a receipt; it is on the disk when the record has ended."""
        self._perform(effects.MarkReceived(Key(BOOT, seq), "guard-desk"))

    def close(self) -> None:
        """End the record."""
        assert self._record.stop(WAIT_LIMIT_S)

    def _perform(self, effect: effects.RecordEffect) -> None:
        self._recorder.perform(effect)
        self._recorder.flush()

    def _wait_for(self, kind: type[Event]) -> None:
        while not isinstance(self._told.get(timeout=WAIT_LIMIT_S), kind):
            pass


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A record that is loaded, and whose end is seen to."""
    made = Shelf(tmp_path)
    yield made
    made.close()


def test_what_an_event_evicts_is_gone_once_it_is_kept(shelf: Shelf) -> None:
    """The record lets go exactly what the event names, so that nothing vanishes untold."""
    shelf.append("opened", 1, input="door")
    shelf.append("closed", 2, input="door")

    shelf.append("evicted", 3, ranges=(KeyRange(BOOT, 1, 1),))
    shelf.close()

    assert [row.key.seq for row in read_log(shelf.directory)] == [2, 3]


def test_a_receipt_is_kept_with_its_holder_and_the_wall_clocks_time(shelf: Shelf) -> None:
    """Who holds an event, and since when, is known after a restart too."""
    shelf.append("opened", 1, input="door")

    shelf.receive(1)
    shelf.close()

    assert [(row.received_by, row.received_at_utc) for row in read_log(shelf.directory)] == [("guard-desk", NOON)]
