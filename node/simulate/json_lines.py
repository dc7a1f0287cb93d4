"""What ``simulate`` writes: one JSON line for each change, with its instant (monotonic seconds) as ``at``.

A moved contact is reported with the time stamp of its edge: ``{"at":…,"input":"button","pressed":true}``. The node uses
the same stamp, however late a busy machine reports it. A contact that bounces gives many such lines.
"""

import json
import logging
import os
import threading
from contextlib import suppress
from typing import TextIO

from node import config
from node.core.model import Step
from node.simulate.instructions import moves
from node.simulate.wall import Cable

log = logging.getLogger(__name__)


class JsonLines:
    """Writes JSON lines to a stream, from any thread. Stops for good when the stream can't be written any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._stopped = False

    def write(self, at: float, **fields: object) -> None:
        """Write ``at`` (monotonic seconds) and the fields, in the order given, and flush."""
        line = json.dumps({"at": round(at, 6), **fields}, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            if self._stopped:
                return
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError) as problem:  # a broken pipe or a full disk; a stream that was closed
                self._stopped = True
                self._discard()
                log.warning("no more lines on standard output: it can't be written (%s)", problem)

    def _discard(self) -> None:
        """Send buffered text to /dev/null: flushing it at exit would fail again, and print an error."""
        with suppress(OSError, ValueError):
            target = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, target)
            os.close(nowhere)


class ChangeReport:
    """One line for each change: of contacts, cables, the steps of a call, lamp and buzzer."""

    def __init__(self, lines: JsonLines, settings: config.Config) -> None:
        self._lines = lines
        self._buzzer_pin = settings.buzzer_pin
        self._moves = {each.name: moves(each.role.kind)[0] for each in settings.settings.inputs}

    def ladder(self, at: float, name: str, step: Step) -> None:
        """The newest press of this input reached a step."""
        self._lines.write(at, ladder=step.value, input=name)

    def lamp(self, at: float, pattern: object) -> None:
        """The lamp was set to a pattern; its pin alone would only show single flashes."""
        self._lines.write(at, output="lamp", pattern=str(pattern))

    def contact(self, at: float, name: str, actuated: bool) -> None:
        """A contact was moved."""
        self._lines.write(at, input=name, **{self._moves[name]: actuated})

    def cable(self, at: float, name: str, cable: Cable) -> None:
        """A cable was cut, shorted or mended."""
        self._lines.write(at, input=name, cable=cable.value)

    def level(self, at: float, pin: int, level: bool) -> None:
        """An output pin changed."""
        if pin == self._buzzer_pin:
            self._lines.write(at, output="buzzer", level=level)
