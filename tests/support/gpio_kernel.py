"""A stand-in for the kernel's GPIO chips, below gpiod's Python API: its C part, ``gpiod._ext``, is replaced.

What is tested with it: gpiod's own classes, and all that stands on them. What it can't show is shown in tests/vm.
"""

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import gpiod
import pytest
from gpiod import _ext
from gpiod.line import Value

EVENTS_READ = 64
"""How many events libgpiod reads at once, if nobody says."""


def _gone() -> OSError:
    return OSError(errno.ENODEV, os.strerror(errno.ENODEV))


@dataclass
class Asked:
    """How a request of one or more lines was made."""

    consumer: str
    lines: Mapping[int, Mapping[str, int]]

    def bias(self, offset: int) -> int:
        """The bias asked for."""
        return self.lines[offset]["bias"]


@dataclass
class FakeChip:
    """One chip. The outside world moves its inputs by ``drive`` and looks at its outputs in ``outputs``."""

    label: str = "pinctrl-bcm2835"
    num_lines: int = 28
    keeps_outputs: bool = False
    """As a Raspberry Pi's kernel does: a released output keeps its level."""
    forbidden: bool = False
    high: dict[int, bool] = field(default_factory=dict)
    outputs: dict[int, bool] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    """Every request that was granted, in order."""
    reads: int = 0
    """How often levels were read."""
    failures: list[OSError | None] = field(default_factory=list)
    """What the next requests for lines fail with; None: one that doesn't."""
    removed: bool = False
    wakes_when_removed: bool = True
    """False: as kernels before 6.6, which wake nobody who waits for edges."""
    _requests: list["FakeRequest"] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def drive(self, offset: int, high: bool, at: float | None = None) -> None:
        """The wire at this line goes to a level; ``at``: the kernel's stamp."""
        with self.lock:
            if self.level(offset) is high:
                return
            self.high[offset] = high
            for request in self._requests:
                request.edge(offset, high, time.monotonic() if at is None else at)

    def level(self, offset: int) -> bool:
        """The level of a line: of an output what it is driven to, else the wire, which is high at rest."""
        return self.outputs.get(offset, self.high.get(offset, True))

    def remove(self) -> None:
        """The chip disappears, as when its driver is unbound."""
        with self.lock:
            self.removed = True
            for request in self._requests if self.wakes_when_removed else []:
                request.hang_up()

    def check(self) -> None:
        """What every call begins with: a chip that has gone answers nothing."""
        if self.removed:
            raise _gone()


class FakeRequest:
    """What stands behind ``gpiod.LineRequest``."""

    def __init__(self, chip: FakeChip, asked: Asked, event_buffer_size: int | None) -> None:
        self.chip_name = "gpiochip0"
        self.offsets = list(asked.lines)
        self.num_lines = len(self.offsets)
        self._chip = chip
        self._asked = asked
        self._room = event_buffer_size or 16 * self.num_lines
        self._events: deque[gpiod.EdgeEvent] = deque()
        self._numbers = dict.fromkeys(self.offsets, 0)
        self._signalled = False
        self.fd, self._write = os.pipe2(os.O_CLOEXEC)

    def edge(self, offset: int, high: bool, at: float) -> None:
        """The kernel sees an edge: where its buffer is full, the oldest one is dropped."""
        kind = _ext.EDGE_EVENT_TYPE_RISING if high else _ext.EDGE_EVENT_TYPE_FALLING
        wanted = {_ext.EDGE_BOTH, _ext.EDGE_RISING if high else _ext.EDGE_FALLING}
        if offset not in self._numbers or self._asked.lines[offset]["edge_detection"] not in wanted:
            return
        self._numbers[offset] += 1
        if len(self._events) == self._room:
            self._events.popleft()
        self._events.append(gpiod.EdgeEvent(kind, round(at * 1e9), offset, 0, self._numbers[offset]))
        self._signal()

    def hang_up(self) -> None:
        """The descriptor is at its end: whoever polls it wakes up."""
        if self._write is not None:
            os.close(self._write)
            self._write = None  # type: ignore[assignment]

    def read_edge_events(self, max_events: int | None = None) -> list[gpiod.EdgeEvent]:
        """The oldest events."""
        with self._chip.lock:
            self._chip.check()
            assert self._events, "it would block: nothing is there to read"
            read = [self._events.popleft() for _ in range(min(max_events or EVENTS_READ, len(self._events)))]
            if not self._events:
                os.read(self.fd, 1)
                self._signalled = False
            return read

    def get_values(self, offsets: Sequence[int], values: list[Value]) -> None:
        """The levels of these lines, into ``values``."""
        with self._chip.lock:
            self._chip.check()
            self._chip.reads += 1
            values[:] = [Value.ACTIVE if self._chip.level(offset) else Value.INACTIVE for offset in offsets]

    def set_values(self, values: Mapping[int, Value]) -> None:
        """Drive these outputs."""
        with self._chip.lock:
            self._chip.check()
            self._chip.outputs |= {offset: value is Value.ACTIVE for offset, value in values.items()}

    def release(self) -> None:
        """Let the lines go."""
        with self._chip.lock:
            self._chip._requests.remove(self)  # noqa: SLF001 - the two are one kernel
            for offset in self.offsets:
                del self._chip.holders[offset]
                if not self._chip.keeps_outputs:
                    self._chip.outputs.pop(offset, None)
            self.hang_up()
            os.close(self.fd)

    def _signal(self) -> None:
        if not self._signalled and self._write is not None:
            os.write(self._write, b"x")
        self._signalled = True


class Kernel:
    """The GPIO chips of a machine, by the path of their device."""

    def __init__(self) -> None:
        self.chips: dict[str, FakeChip] = {}

    @property
    def ext(self) -> SimpleNamespace:
        """What takes the place of ``gpiod._ext``."""
        return SimpleNamespace(Chip=self._open, LineConfig=_LineConfig, LineSettings=_settings)

    def _open(self, path: str) -> "_OpenChip":
        if path not in self.chips:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if self.chips[path].forbidden:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return _OpenChip(path, self.chips[path])


class _OpenChip:
    def __init__(self, path: str, chip: FakeChip) -> None:
        chip.check()
        self.path = path
        self._chip = chip

    def get_info(self) -> gpiod.ChipInfo:
        self._chip.check()
        return gpiod.ChipInfo("gpiochip0", self._chip.label, self._chip.num_lines)

    def get_line_name(self, _offset: int) -> str | None:
        return None

    def get_line_info(self, offset: int, _watch: bool) -> gpiod.LineInfo:
        self._chip.check()
        holder = self._chip.holders.get(offset)
        common = (_ext.DIRECTION_INPUT, False, _ext.BIAS_UNKNOWN, _ext.DRIVE_PUSH_PULL, _ext.EDGE_NONE)
        return gpiod.LineInfo(offset, "", holder is not None, holder or "", *common, _ext.CLOCK_MONOTONIC, False, 0)

    def request_lines(self, config: "_LineConfig", consumer: str, event_buffer_size: int | None) -> FakeRequest:
        with self._chip.lock:
            self._chip.check()
            failure = self._chip.failures.pop(0) if self._chip.failures else None
            if failure is not None:
                raise failure
            if config.lines.keys() & self._chip.holders.keys():
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            asked = Asked(consumer, config.lines)
            request = FakeRequest(self._chip, asked, event_buffer_size)
            for offset, settings in config.lines.items():
                self._chip.holders[offset] = consumer
                if settings["direction"] == _ext.DIRECTION_OUTPUT:
                    self._chip.outputs[offset] = settings["output_value"] == _ext.VALUE_ACTIVE
                else:
                    self._chip.outputs.pop(offset, None)
            self._chip.asked.append(asked)
            self._chip._requests.append(request)  # noqa: SLF001 - the two are one kernel
            return request

    def close(self) -> None:
        pass


class _LineConfig:
    def __init__(self) -> None:
        self.lines: dict[int, Mapping[str, int]] = {}

    def add_line_settings(self, offsets: Sequence[int], settings: Mapping[str, int]) -> None:
        self.lines |= dict.fromkeys(offsets, settings)


def _settings(**settings: Any) -> Mapping[str, int]:
    return settings


@contextmanager
def standing_in() -> Iterator[Kernel]:
    """A machine without GPIO chips; a test puts some into ``chips``."""
    kernel = Kernel()
    with pytest.MonkeyPatch.context() as patch:
        for module in (gpiod.chip, gpiod.line_settings):
            patch.setattr(module, "_ext", kernel.ext)
        yield kernel
