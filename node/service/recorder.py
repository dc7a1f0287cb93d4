"""Passes to the record what the core wants stored (events, snapshots, receipts); logs events and steps.

It does so at ``flush``, after an alarm has gone to the network: a thread that is woken, the record's or the log's,
takes the interpreter away from the thread that sends the alarm.
"""

import logging
from collections.abc import Callable
from typing import assert_never

from node.core import effects
from node.core.model import EventKind, Key, Step
from node.io.record.record import Record, Row
from node.protocol import codec, record_codec
from node.service import status_text
from node.service.upkeep.watcher import Watcher

log = logging.getLogger(__name__)


class Recorder:
    """Passes items to the record, on the loop's thread, which never waits for the record. ``watcher`` sees the steps.

    ``wall`` returns the seconds since 1970.
    """

    def __init__(
        self,
        messages: codec.Wire,
        record: Record,
        watcher: Watcher,
        kernel_boot: str,
        wall: Callable[[], float],
    ) -> None:
        self._wire = messages
        self._record = record
        self._watcher = watcher
        self._kernel_boot = kernel_boot
        self._wall = wall
        self._waiting: list[effects.RecordEffect | effects.ShowLadder] = []
        self._fresh: dict[Key, Row] = {}

    def perform(self, effect: effects.RecordEffect | effects.ShowLadder) -> None:
        """Pass this on to the record with the next ``flush``. An event can be sent before that (``row``)."""
        if isinstance(effect, effects.Append):
            self._fresh[effect.event.key] = self._row(effect.event)
        self._waiting.append(effect)

    def row(self, key: Key) -> Row | None:
        """The event, to be sent; None after it was received or spilled."""
        return self._fresh.get(key) or self._record.row(key)

    @property
    def depth(self) -> int:
        """How many events and receipts wait to be written."""
        return self._record.depth + len(self._fresh)

    def flush(self) -> None:
        """Pass on what waits, in its order."""
        waiting, self._waiting = self._waiting, []
        for effect in waiting:
            self._pass_on(effect)
        self._fresh.clear()

    def _pass_on(self, effect: effects.RecordEffect | effects.ShowLadder) -> None:
        match effect:
            case effects.ShowLadder(at, name, step, press):
                self._watcher.ladder(at, name, step)
                if step is not Step.PRESSED:  # the event itself already records "pressed"
                    self._record.note_step(press, step.value, at)
            case effects.Append(event, snapshot):
                self._record.append(self._fresh[event.key], record_codec.encode_snapshot(snapshot))
                level = logging.WARNING if event.kind is EventKind.FAULT_RAISED else logging.INFO
                log.log(level, "%s", status_text.sentence(event), extra=status_text.fields(event))
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

    def _row(self, event: effects.LoggedEvent) -> Row:
        return Row(
            key=event.key,
            alarm=event.is_alarm,
            at=event.at,
            kernel_boot=self._kernel_boot,
            body=self._wire.event(event),
            closes=event.incident if event.kind is EventKind.RESET else None,
            evicts=event.ranges,
        )
