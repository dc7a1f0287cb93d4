"""Passes to the record what the core wants stored (events, snapshots, receipts), and writes events to the log."""

import logging
from collections.abc import Callable
from typing import assert_never

from node.core import effects
from node.core.model import EventKind
from node.io.record.record import Record, Row
from node.protocol import codec, record_codec
from node.service import status_text

log = logging.getLogger(__name__)


class Recorder:
    """Passes items to the record, on the loop's thread, which never waits for the record.

    ``wall`` returns the seconds since 1970.
    """

    def __init__(self, messages: codec.Wire, record: Record, kernel_boot: str, wall: Callable[[], float]) -> None:
        self._wire = messages
        self._record = record
        self._kernel_boot = kernel_boot
        self._wall = wall

    def perform(self, effect: effects.RecordEffect) -> None:
        """Pass this on to the record."""
        match effect:
            case effects.Append():
                self._append(effect)
            case effects.StoreSnapshot(snapshot):
                self._record.remember(record_codec.encode_snapshot(snapshot))
            case effects.MarkReceived(key, by):
                self._record.mark_received(key, by, self._wall())
            case effects.Spill(key):
                self._record.spill(key)
            case effects.ReadBacklog(known, taken):
                self._record.read_backlog(known, taken=taken)
            case _:
                assert_never(effect)

    def _append(self, effect: effects.Append) -> None:
        """Store an event with what a restart must know after it, and log the event."""
        event = effect.event
        level = logging.WARNING if event.kind is EventKind.FAULT_RAISED else logging.INFO
        log.log(level, "%s", status_text.sentence(event), extra=status_text.fields(event))
        row = Row(
            key=event.key,
            alarm=event.is_alarm,
            at=event.at,
            kernel_boot=self._kernel_boot,
            body=self._wire.event(event),
            closes=event.incident if event.kind is EventKind.RESET else None,
            evicts=event.ranges,
        )
        self._record.append(row, record_codec.encode_snapshot(effect.snapshot))
