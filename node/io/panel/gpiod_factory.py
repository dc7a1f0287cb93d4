"""A pin factory for gpiozero on libgpiod: the kernel's own edge events, in a thread that sleeps until one comes.

Rules:

1. All inputs of a factory are one line request. So their edges come in order through one descriptor, and one call
   reads all their levels. Each output is a request of its own, so no change of an input ever disturbs an output.
2. The kernel can't add a line to a request. A new or changed input is therefore requested at its next use (its state is
   read, or its callback is set), together with all others. Inputs that are made first and used then need one request.
3. A line that can't be had is left out of the request: whoever uses it gets the error, which names the line's holder,
   and ``RETRY_S`` later it is tried again. A line that is added is first tried alone, so that the inputs that work
   aren't let go for nothing.
4. Edges carry the kernel's time stamp (CLOCK_MONOTONIC, as ``time.monotonic``). The kernel numbers the edges of each
   line: ``GPIODPin.edges_dropped`` counts those that it dropped before they were read.
5. Before levels are read, every edge that waits is told, by the thread that reads them. So a level that was read never
   overtakes an edge that came before it, however long the thread ``gpio`` has waited for the processor.
6. When the chip has gone, the thread leaves its descriptor alone (it would be ready for ever), and reading raises.

The thread ``gpio`` waits for edges and calls the pins' callbacks. An exception of a callback is logged, once for each
pin, and ends nothing. ``close`` ends the thread.
"""

import errno
import os
import select
import threading
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import gpiod
from gpiod.line import Direction, Value

from node.io.panel.gpio import BoardInfo, Factory, GPIOPinInUse, PinInvalidPin
from node.io.panel.gpiod_pin import GPIODPin, board_of
from node.threads import new_thread

RETRY_S = 5.0
"""So long a line that couldn't be had is left alone (HAZARDS.md H73)."""

CONSUMER_MAX = 31
"""How many bytes a consumer's name may have: GPIO_MAX_NAME_SIZE of linux/gpio.h, without the byte that ends it."""

EVENTS_MAX = 1024
"""How many edges the kernel keeps until they are read: as many as it can for one request (16 for each of 64 lines)."""


class GPIODFactory(Factory):  # type: ignore[misc] # gpiozero has no types
    """The lines of one GPIO chip, by their offset on it: on a Raspberry Pi that is the BCM number.

    ``chip`` is the path of its device. ``program`` and the ``names`` of pins say to others who holds a line; the names
    of all inputs are joined, because they share a request. Raises OSError if the chip can't be opened.
    """

    def __init__(self, chip: str, program: str = "gpiozero", names: Mapping[int, str] = MappingProxyType({})) -> None:
        super().__init__()
        self._chip = gpiod.Chip(chip)
        self._program = program
        self._names = names
        self._info = board_of(self._chip.get_info())
        self._pins: dict[int, GPIODPin] = {}
        self._telling = threading.RLock()  # whoever reads edges has it until they are told; taken before _lock
        self._lock = threading.RLock()  # guards the fields below
        self._inputs: dict[int, GPIODPin] = {}
        self._refused: dict[int, tuple[Exception, float]] = {}  # why, and until when
        self._requested: dict[int, gpiod.LineSettings] = {}
        self._request: gpiod.LineRequest | None = None
        self._has_gone = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # Not poll(): a thread that waits in it keeps the lines of a released request taken.
        self._waits = select.epoll()
        self._waits.register(self._wake, select.EPOLLIN)

    def close(self) -> None:
        """Release all lines and end the thread. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
        for pin in self._pins.values():
            pin.close()
        self._chip.close()
        self._waits.close()
        os.close(self._wake)

    def pin(self, name: object) -> GPIODPin:
        """The pin of this name or number. Raises PinInvalidPin if the chip has no such line."""
        for _, info in self.board_info.find_pin(name):
            if info.number not in self._pins:
                self._pins[info.number] = GPIODPin(self, info)
            return self._pins[info.number]
        raise PinInvalidPin(f"{name} is not a valid pin name")

    @staticmethod
    def ticks() -> float:
        """Now, on the clock of the edges' time stamps."""
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        """The seconds between the two."""
        return later - earlier

    def levels(self) -> dict[int, bool]:
        """The levels of all inputs that could be requested, by number, read at one instant. Raises OSError.

        Every edge until the call was told before: this calls the pins' callbacks.
        """
        self._tell_edges()
        with self._lock:
            request = self._request_inputs()
            if request is None:
                return {}
            offsets = request.offsets
            return {
                offset: value is Value.ACTIVE
                for offset, value in zip(offsets, request.get_values(offsets), strict=True)
            }

    def level(self, number: int) -> bool:
        """The level of this input. Raises GPIOPinInUse if another program has the line, or OSError."""
        with self._lock:
            return self.use_input(number).get_value(number) is Value.ACTIVE

    def want_input(self, number: int, pin: GPIODPin) -> None:
        """From its next use on this line is an input."""
        with self._lock:
            self._inputs[number] = pin
            self._refused.pop(number, None)

    def forget_input(self, number: int) -> None:
        """This line isn't an input any more. It is let go with the next request, or with the last input."""
        with self._lock:
            self._inputs.pop(number, None)
            self._refused.pop(number, None)
            if not self._inputs:
                self._release_inputs()

    def use_input(self, number: int) -> gpiod.LineRequest:
        """The request that has this input. Raises GPIOPinInUse if another program has the line, or OSError."""
        with self._lock:
            request = self._request_inputs()
            if number in self._refused:
                problem, _ = self._refused[number]
                raise problem.with_traceback(None)  # it is raised often, and would keep every traceback
            if request is None or number not in self._requested:
                raise OSError(errno.EBADF, f"GPIO{number} isn't an input")
            return request

    def request_output(self, number: int, *, level: bool) -> gpiod.LineRequest:
        """This line as an output with this level. Raises GPIOPinInUse if another program has the line, or OSError."""
        value = Value.ACTIVE if level else Value.INACTIVE
        settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=value)
        with self._lock:
            if number in self._requested:  # it was an input until now
                self._request_inputs()
            try:
                return self._chip.request_lines({number: settings}, self._consumer([number]))
            except OSError as problem:
                raise self._explained(number, problem) from problem

    def _request_inputs(self) -> gpiod.LineRequest | None:
        """The request of all inputs, made anew if one isn't as it was when it was made; None if there are none."""
        if self._has_gone:
            raise OSError(errno.ENODEV, "the GPIO chip has gone")
        if self._refused:
            now = self.ticks()
            self._refused = {number: why for number, why in self._refused.items() if now < why[1]}
        wanted = self._wanted()
        if wanted == self._requested:
            return self._request
        if self._request is not None:
            self._refuse([number for number in wanted if number not in self._requested])
            wanted = self._wanted()
            if wanted == self._requested:
                return self._request
        self._release_inputs()
        try:
            self._ask(wanted)
        except OSError:
            self._refuse(wanted)
            self._ask(self._wanted())
        return self._request

    def _wanted(self) -> dict[int, gpiod.LineSettings]:
        return {number: pin.settings for number, pin in self._inputs.items() if number not in self._refused}

    def _ask(self, wanted: dict[int, gpiod.LineSettings]) -> None:
        if not wanted:
            return
        config: dict[Any, gpiod.LineSettings | None] = {**wanted}
        self._request = self._chip.request_lines(config, self._consumer(wanted), EVENTS_MAX)
        self._requested = wanted
        self._waits.register(self._request.fd, select.EPOLLIN)
        for number in wanted:
            self._inputs[number].requested()
        if self._thread is None:
            self._thread = new_thread("gpio", self._run)
            self._thread.start()

    def _refuse(self, numbers: Iterable[int]) -> None:
        """Find out which of these lines can't be had, by asking for each alone."""
        for number in numbers:
            try:
                self._chip.request_lines({number: self._inputs[number].settings}, self._consumer([number])).release()
            except OSError as problem:
                self._refused[number] = self._explained(number, problem), self.ticks() + RETRY_S

    def _release_inputs(self) -> None:
        if self._request is not None:
            self._request.release()
        self._request, self._requested = None, {}

    def _explained(self, number: int, problem: OSError) -> Exception:
        """The problem of a request. Of a line that is taken it says by whom."""
        if problem.errno != errno.EBUSY:
            return problem
        try:
            holder = self._chip.get_line_info(number).consumer
        except OSError:
            holder = ""
        taken: Exception = GPIOPinInUse(f"GPIO{number} is held by {holder or 'another program'}")
        return taken

    def _consumer(self, numbers: Iterable[int]) -> str:
        names = dict.fromkeys(self._names[number] for number in numbers if number in self._names)
        return f"{self._program} {','.join(names)}".strip()[:CONSUMER_MAX]

    def _run(self) -> None:
        while not self._closed:
            for descriptor, happened in self._waits.poll():
                if happened & select.EPOLLIN:
                    self._tell_edges()
                elif descriptor != self._wake:
                    with self._lock:  # it may have been another request's, which was released meanwhile
                        if self._request is not None and _has_hung_up(self._request.fd):
                            self._give_up()

    def _give_up(self) -> None:
        """The chip has gone. Its descriptor would be ready for ever."""
        if self._request is not None and not self._has_gone:
            self._has_gone = True
            self._waits.unregister(self._request.fd)

    def _tell_edges(self) -> None:
        """Call the callbacks for all edges that wait, in their order."""
        with self._telling:
            for pin, event, missing in self._waiting_edges():
                pin.tell(event, missing)

    def _waiting_edges(self) -> list[tuple[GPIODPin, gpiod.EdgeEvent, int]]:
        """Each edge that waits, its pin, and how many edges are missing before it."""
        found: list[tuple[GPIODPin, gpiod.EdgeEvent, int]] = []
        with self._lock:
            if self._request is None or self._has_gone:
                return found
            events: list[gpiod.EdgeEvent] = []
            try:
                while len(events) < EVENTS_MAX and self._request.wait_edge_events(0):
                    events += self._request.read_edge_events()
            except OSError:
                self._give_up()
            for event in events:
                if event.line_offset in self._inputs:
                    pin = self._inputs[event.line_offset]
                    found.append((pin, event, pin.missing_before(event)))
        return found

    def _get_board_info(self) -> BoardInfo:
        return self._info


def _has_hung_up(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)  # POLLHUP and POLLERR are always told
    return bool(poll.poll(0))
