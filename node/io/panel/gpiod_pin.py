"""One line of a GPIO chip as gpiozero's ``Pin``, and the chip as gpiozero's ``BoardInfo``; for gpiod_factory.py."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero.pins.local import LocalPiPin

from node.io.panel.gpio import (
    BoardInfo,
    HeaderInfo,
    PinFixedPull,
    PinInfo,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPull,
    PinSetInput,
)

_BIASES = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "floating": Bias.DISABLED}
_EDGES = {"both": Edge.BOTH, "rising": Edge.RISING, "falling": Edge.FALLING, "none": Edge.NONE}
_NS = 1_000_000_000

log = logging.getLogger(__name__)


class GPIODPin(LocalPiPin):  # type: ignore[misc] # gpiozero has no types
    """One line of the chip. It is requested when it is used, not when it is made."""

    def __init__(self, factory: Any, info: PinInfo) -> None:
        super().__init__(factory, info)
        self.edges_dropped = 0
        """Edges that the kernel dropped before they were read, since this pin was made."""
        self._pull = "floating"
        self._edges = "both"
        self._bounce_s: float | None = None
        self._output: gpiod.LineRequest | None = None
        self._seqno = 0
        self._has_failed = False

    @property
    def settings(self) -> gpiod.LineSettings:
        """How the line is requested as an input. As long as nothing changes it is the same object."""
        return _settings(self._pull, self._edges, self._bounce_s)

    def close(self) -> None:
        """Release the line. Which level an output has then is up to the kernel (HAZARDS.md H40)."""
        self.when_changed = None
        self._release()
        self.factory.forget_input(self._number)
        self._pull, self._edges, self._bounce_s = "floating", "both", None

    def output_with_state(self, state: object) -> None:
        """Make it an output that begins with this level."""
        if self._output is None:
            self.factory.forget_input(self._number)
            self._output = self.factory.request_output(self._number, level=bool(state))
        else:
            self.state = state

    def requested(self) -> None:
        """The line is part of a new request, in which the kernel numbers its edges from 1."""
        self._seqno = 0

    def missing_before(self, event: gpiod.EdgeEvent) -> int:
        """How many edges are missing before this one, the newest that was read."""
        missing = event.line_seqno - self._seqno - 1
        self._seqno = event.line_seqno
        return missing

    def tell(self, event: gpiod.EdgeEvent, missing: int) -> None:
        """Count what is missing before it, and call the callback, if there is one. Nothing that it raises gets out."""
        self.edges_dropped += missing
        rising = event.event_type is gpiod.EdgeEvent.Type.RISING_EDGE
        try:
            with self._when_changed_lock:  # or a callback that is removed now could still be called
                if self._when_changed is not None:
                    self._call_when_changed(event.timestamp_ns / _NS, int(rising))
        except Exception:  # whatever it was, the edges of all other pins must go on
            if not self._has_failed:
                log.exception("the callback of %r failed", self)
            self._has_failed = True

    def _release(self) -> None:
        if self._output is not None:
            self._output.release()
            self._output = None

    def _get_function(self) -> str:
        return "input" if self._output is None else "output"

    def _set_function(self, value: str) -> None:
        functions: dict[str, Callable[[], None]] = {"input": self._become_input, "output": self._become_output}
        if value not in functions:
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')
        functions[value]()

    def _become_input(self) -> None:
        self._release()
        self._pull = "floating"
        self.factory.want_input(self._number, self)

    def _become_output(self) -> None:
        self.output_with_state(False)

    def _get_state(self) -> bool:
        if self._output is not None:
            return self._output.get_value(self._number) is Value.ACTIVE
        level: bool = self.factory.level(self._number)
        return level

    def _set_state(self, value: object) -> None:
        if self._output is None:
            raise PinSetInput(f"cannot set state of pin {self!r}")
        self._output.set_value(self._number, Value.ACTIVE if value else Value.INACTIVE)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._output is not None:
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        if value not in _BIASES:
            raise PinInvalidPull(f'invalid pull "{value}" for pin {self!r}')
        self._pull = value

    def _get_bounce(self) -> float | None:
        return self._bounce_s

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise PinInvalidBounce("bounce must be 0 or greater")
        self._bounce_s = value

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f'invalid edge specification "{value}" for pin {self!r}')
        self._edges = value

    def _enable_event_detect(self) -> None:
        self.factory.use_input(self._number)

    def _disable_event_detect(self) -> None:
        pass  # the kernel goes on telling edges, and nobody is called


@cache
def _settings(pull: str, edges: str, bounce_s: float | None) -> gpiod.LineSettings:
    """At each reading they are compared with those of the request, 20 times a second."""
    return gpiod.LineSettings(
        direction=Direction.INPUT,
        bias=_BIASES[pull],
        edge_detection=_EDGES[edges],
        debounce_period=timedelta(seconds=bounce_s or 0.0),
    )


def board_of(chip: gpiod.ChipInfo) -> BoardInfo:
    """The chip as gpiozero describes boards: one header, with a pin for each line. No Pi revision is needed."""
    pins = {
        number: PinInfo(
            number=number,
            name=f"GPIO{number}",
            names=frozenset({number, str(number), f"GPIO{number}", f"BCM{number}"}),
            pull="",
            row=number + 1,
            col=1,
            interfaces=frozenset({"gpio"}),
        )
        for number in range(chip.num_lines)
    }
    header = HeaderInfo(name=chip.label, rows=chip.num_lines, columns=1, pins=pins)
    return BoardInfo(**dict.fromkeys(BoardInfo._fields, "") | {"model": chip.label, "headers": {chip.label: header}})
