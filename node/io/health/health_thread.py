"""The thread that reads the machine, and can hang without harm.

Everything is read every 30 s, the power every second: a dip of the voltage can't be seen for longer (power.py). The
newest reading is one attribute, replaced whole; the loop gets an event with what is wrong, and takes its staying away
for what it is (``HEALTH_STALE_S``).
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
from node.errors import CONFIGURATION_UNUSABLE, UNDER_VOLTAGE
from node.io.health import limits, readers
from node.io.health.power import HighWater, Power, power
from node.io.health.proc_files import HealthError
from node.protocol.messages import UNREAD, Health

PERIOD_S = 30.0
GLANCE_S = 1.0
STUCK_S = 10.0
"""A reading takes milliseconds; one that takes so long hangs."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class HealthReader:
    """Reads the machine under ``root``, and the disk of ``directory``; ``put`` gets the loop's events.

    ``networked``: there is a broker on another machine. ``clock`` is monotonic seconds. ``configuration`` says what
    would keep the next start from reading the configuration, "" where nothing would.
    """

    def __init__(
        self,
        directory: Path,
        *,
        put: Callable[[HealthRead], None],
        clock: Callable[[], float],
        networked: bool,
        configuration: Callable[[], str] = lambda: "",
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
        self._configuration = configuration
        self._configuration_problem = ""
        self._high_water = HighWater()
        self._interface: str | None = None
        self._faults: tuple[limits.Fault, ...] = ()
        self._broken: set[str] = set()
        self._report: tuple[float, Health] = (-inf, UNREAD)
        self._reading: tuple[str, float] | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Begin to read; from now on the loop waits for the first reading."""
        self._put(HealthRead(self._clock(), ()))
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End; a thread that hangs is left behind."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def newest(self) -> Health:
        """The newest reading and its age, on any thread and without waiting; ``stuck`` names what hangs."""
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
        """Read the rest and publish it, as old as its beginning: what came first has waited for what hung."""
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
            broken=self._broken,
            networked=self._networked,
            standing=self._faults,
        )
        self._look_at_configuration()
        if self._configuration_problem:
            self._faults = (*self._faults, (CONFIGURATION_UNUSABLE, ""))
        self._report = (now, health)
        self._put(HealthRead(self._clock(), self._faults))

    def _look_at_configuration(self) -> None:
        problem = self._read("configuration", self._configuration) or ""
        if problem and problem != self._configuration_problem:
            log.warning("the next start would fail: %s", problem)
        elif self._configuration_problem and not problem:
            log.info("the configuration is in order again")
        self._configuration_problem = problem

    def _read(self, name: str, read: Callable[[], T]) -> T | None:
        """What this reader says, None where it fails: that is told once in the log, and stands as a fault."""
        self._reading = (name, self._clock())
        try:
            value = read()
        except HealthError as error:
            self._note_failure(name, str(error))
            return None
        except Exception as error:
            # A mistake in a reader must not end the thread: the other readings are still worth having.
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
