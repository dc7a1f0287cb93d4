"""The thread that reads the machine's health, and may hang without harm.

Everything is read every 30 s, the power every second, because a dip of the voltage can be seen for 2 s only (power.py).
The newest reading is one attribute, which is replaced as a whole. The loop gets an event with what is wrong. If no
event comes, the loop raises a fault after ``HEALTH_STALE_S``.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from node.core.events import HealthRead
from node.errors.faults import UNDER_VOLTAGE
from node.io.health import limits, readers
from node.io.health.power import HighWater, Power, power
from node.io.health.proc_files import HealthError
from node.protocol.messages import UNREAD, Health
from node.threads import new_thread

PERIOD_S = 30.0
GLANCE_S = 1.0
STUCK_S = 10.0
"""A reading takes milliseconds; one that takes so long hangs."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class HealthReader:
    """Reads the machine under ``root``, and the disk of ``directory``; passes events to ``put``.

    ``networked``: a broker is on another machine. ``lasting``: what is in the directory must outlast a power cut.
    ``clock`` returns monotonic seconds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        put: Callable[[HealthRead], None],
        clock: Callable[[], float],
        networked: bool,
        lasting: bool,
        root: Path = Path("/"),
        period_s: float = PERIOD_S,
        glance_s: float = GLANCE_S,
    ) -> None:
        self._put = put
        self._clock = clock
        self._networked = networked
        self._period_s = period_s
        self._glance_s = glance_s
        self._readers: dict[str, Callable[[], Any]] = {
            "started_by": partial(readers.started_by, root),
            "cpu_c": partial(readers.cpu_c, root),
            "memory": partial(readers.memory, root),
            "network": lambda: readers.network(root, self._interface),
            "threads": partial(readers.threads, root),
            "files": partial(readers.files, root),
            "disk": partial(readers.disk, directory),
        }
        self._power = partial(power, root)
        self._in_memory = partial(readers.is_in_memory, root, directory) if lasting else lambda: None
        self._high_water = HighWater()
        self._interface: str | None = None
        self._faults: tuple[limits.Fault, ...] = ()
        self._broken: set[str] = set()
        self._report: tuple[float, Health] = (-inf, UNREAD)
        self._reading: tuple[str, float] | None = None
        self._ending = threading.Event()
        self._thread = new_thread("health", self._run)

    def use(self, *, networked: bool) -> None:
        """From now on brokers are on other machines, or aren't."""
        self._networked = networked

    def start(self) -> None:
        """Begin to read; from now on the loop expects the first reading."""
        self._put(HealthRead(self._clock(), ()))
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End; a thread that hangs is abandoned."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def newest(self) -> Health:
        """The newest reading and its age, on any thread and without waiting; ``stuck`` names the reading that hangs."""
        now = self._clock()
        (at, health), reading = self._report, self._reading
        return msgspec.structs.replace(
            health,
            age_s=None if at == -inf else round(max(0.0, now - at), 3),
            stuck=reading[0] if reading is not None and now - reading[1] > STUCK_S else None,
        )

    def _run(self) -> None:
        due = -inf
        while not self._ending.is_set():
            now = self._clock()
            found = self._read("power", self._power)
            if found is not None:
                self._high_water.note(found, now)
            changed = self._high_water.is_low(now) is not ((UNDER_VOLTAGE, "") in self._faults)
            if changed or now >= due:
                due = now + self._period_s
                self._read_all(found, now)
            self._ending.wait(self._glance_s)

    def _read_all(self, found: Power | None, now: float) -> None:
        """Read the rest and publish it, dated at its beginning: the first values had to wait if a later one hung."""
        values = {name: self._read(name, read) for name, read in self._readers.items()}
        health = Health(
            under_voltage=None if found is None else self._high_water.under_voltage(found),
            throttling=None if found is None else self._high_water.throttling(found),
            **values,
        )
        if health.network is not None:
            self._interface = health.network.interface
        self._faults = limits.faults(
            health,
            low=self._high_water.is_low(now),
            in_memory=self._read("storage", self._in_memory) is True,
            broken=self._broken,
            networked=self._networked,
            standing=self._faults,
        )
        self._report = (now, health)
        self._put(HealthRead(self._clock(), self._faults))

    def _read(self, name: str, read: Callable[[], T]) -> T | None:
        """The value of this reader. If it fails: None, one log line, and a fault that stands."""
        self._reading = (name, self._clock())
        try:
            value = read()
        except HealthError as error:
            self._note_failure(name, str(error))
            return None
        except Exception as error:
            # A bug in one reader must not end the thread: the other readings are still needed.
            log.debug("the reader of %s", name, exc_info=True)
            self._note_failure(name, repr(error))
            return None
        finally:
            self._reading = None
        if name in self._broken:
            self._broken.remove(name)
            log.info("%s can be read again", name)
        return value

    def _note_failure(self, name: str, reason: str) -> None:
        if name not in self._broken:
            self._broken.add(name)
            log.warning("%s can't be read: %s", name, reason)
