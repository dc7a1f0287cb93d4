"""Safe mode: after repeated crashes the node starts with what an alarm needs, and with nothing else.

1. A crash is a run that neither ended cleanly nor lasted 60 s (file_watch.py). A power cut is none, and neither is a
   crash of another version of the program, or with another node.toml: the cause may be mended.
2. After ``CRASHES`` crashes within ``WITHIN_S`` a start is one in safe mode: the inputs that raise alarms, buzzer,
   lamp, record, and one broker. The machine's health isn't read. If that crashes, too, or if the broker can't be
   reached for a while (reconfigure.py), the next broker is taken.
3. A clean end forgets the crashes, so `systemctl restart` leaves safe mode; so does a start with a changed node.toml.
4. A state directory that can't be read or written costs safe mode and nothing else.
"""

import logging
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from node import __version__, config
from node.config import files
from node.io import health

CRASHES = 5
WITHIN_S = 600.0
"""As Android's Rescue Party, which acts after 5 restarts in 5 minutes (source.android.com, "Rescue Party"); the time is
longer because a run of up to 60 s counts here."""

NAME = "crashes.json"
_MODE = 0o600

log = logging.getLogger(__name__)


class _Noted(msgspec.Struct, frozen=True):
    """``began``: when the runs began that didn't settle (monotonic seconds of this boot of the machine)."""

    of: str
    kernel_boot: str
    began: tuple[float, ...]


class CrashLog:
    """The crashes that this state directory tells of. ``of`` identifies program and configuration."""

    def __init__(self, directory: Path, of: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = directory.absolute() / NAME
        self._of = of
        self._kernel_boot = health.kernel_boot()
        self._clock = clock
        self._before = self._read()

    @property
    def crashes(self) -> int:
        """How often the node crashed before this start."""
        return len(self._before)

    @property
    def turn(self) -> int:
        """How many starts in safe mode crashed before this one."""
        return max(0, self.crashes - CRASHES)

    def begin(self) -> None:
        """From now on this run is a crash, unless it settles."""
        noted = _Noted(self._of, self._kernel_boot, (*self._before, self._clock()))
        try:
            # Not synced: a crash of the process loses nothing that was written, and a power cut counts as none.
            files.replace(self._path, msgspec.json.encode(noted), _MODE, synced=False)
        except OSError as error:
            log.warning("crashes aren't counted in %s: %s", self._path.parent, error.strerror)

    def settle(self) -> None:
        """This run is no crash, and those before are over."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s stays behind: %s", self._path, error.strerror)

    def _read(self) -> tuple[float, ...]:
        with suppress(files.FileError):
            noted = files.json_of(self._path, _Noted)
            if (noted.of, noted.kernel_boot) == (self._of, self._kernel_boot):
                return tuple(at for at in noted.began if at >= self._clock() - WITHIN_S)
        return ()


def for_start(settings: config.Config, directory: Path) -> tuple[config.Config, CrashLog]:
    """The configuration to start with, simplified after repeated crashes; and the log in which this run is noted."""
    of = f"{zlib.crc32(__version__.encode() + settings.content):08x}"
    crash_log = CrashLog(directory, of)
    if crash_log.crashes < CRASHES:
        return settings, crash_log
    log.error("the node has crashed %d times soon after its start: it starts in safe mode", crash_log.crashes)
    return simplified(settings, crash_log.turn), crash_log


def simplified(settings: config.Config, turn: int) -> config.Config:
    """The inputs that raise alarms, and one broker: another one at each ``turn`` from 0 on."""
    broker = settings.brokers[turn % len(settings.brokers)]
    inputs = tuple(each for each in settings.settings.inputs if each.role.raises_alarm)
    lines = {line for each in inputs for line in each.lines}
    return replace(
        settings,
        brokers=(broker,),
        line_pins={line: pin for line, pin in settings.line_pins.items() if line in lines},
        settings=replace(
            settings.settings,
            inputs=inputs,
            links=(broker.name,),
            insecure_links=(broker.name,) if broker.insecure else (),
            safe_mode=True,
        ),
    )
