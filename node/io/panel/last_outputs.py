"""Switches buzzer and lamp off when no node drives them any more, whatever became of the node and its configuration.

Raspberry Pi's kernels keep the level of an output whose program has ended (HAZARDS.md H40): after a kill in an alarm
the buzzer would sound on, and the lamp would say *somebody is coming* over a dead node.

1. A node that has claimed outputs notes them in its state directory: on which chip they are, and which pins.
2. ``switch_off`` drives them low and lets them go. systemd does so after each end of the service, and each run before
   it reads its configuration. It needs nothing but that note.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from node.config import files
from node.errors import PanelError
from node.io.panel.pin_factory import find_chip

NAME = "outputs.json"

_MODE = 0o600
_MODULES = Path("/sys/module")
_DRIVERS = {
    "pinctrl-bcm2835": "pinctrl_bcm2835",
    "pinctrl-bcm2711": "pinctrl_bcm2835",
    "pinctrl-rp1": "pinctrl_rp1",
}
"""The kernel's module that drives the chip with this label."""

log = logging.getLogger(__name__)


class _Note(msgspec.Struct, frozen=True):
    """The outputs are these pins of the first chip with one of these labels."""

    chips: tuple[str, ...]
    pins: tuple[int, ...]


def remember(directory: Path, chips: Sequence[str], pins: Sequence[int]) -> None:
    """Note in this state directory that these pins are outputs, if that isn't noted already. Raises OSError."""
    path, note = directory.absolute() / NAME, msgspec.json.encode(_Note(tuple(chips), tuple(sorted(pins))))
    with suppress(files.FileError):
        if files.content(path) == note:
            return
    files.replace(path, note, _MODE)


def switch_off(directory: Path) -> None:
    """Drive the outputs that are noted here low, and let them go. What fails is logged; nothing is raised."""
    try:
        note = files.json_of(directory.absolute() / NAME, _Note)
    except files.FileError as problem:
        if not isinstance(problem.__cause__, FileNotFoundError):
            log.warning("it isn't known which pins are outputs (%s)", problem)
        return
    try:
        _drive_low(note)
    except PanelError as problem:
        log.warning("buzzer and lamp can't be switched off: %s", problem.text)
    except Exception as problem:  # noqa: BLE001 - whatever a library does, the start or the end goes on
        log.warning("buzzer and lamp can't be switched off (%s)", problem)


def _drive_low(note: _Note) -> None:
    import gpiod  # noqa: PLC0415 - a machine without pins has no use for it
    from gpiod.line import Direction, Value  # noqa: PLC0415

    low = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    with gpiod.Chip(str(find_chip(note.chips).device)) as chip:
        for pin in note.pins:
            try:
                chip.request_lines({pin: low}, "alarm-node off").release()
            except (OSError, ValueError) as problem:
                log.warning("pin %d can't be switched off (%s)", pin, problem)


def are_kept(chips: Sequence[str]) -> bool:
    """Whether this kernel keeps the outputs of the chip with one of these labels when their program ends.

    False also where it doesn't say: no other kernel than a Raspberry Pi's is known to do that.
    """
    try:
        parameters = _MODULES / _DRIVERS[find_chip(chips).label] / "parameters"
    except (PanelError, KeyError):
        return False
    # Its first name, of April 2024, meant the opposite: raspberrypi/linux pull requests 6117 and 6150.
    return _says(parameters / "persist_gpio_outputs", "Y") or _says(parameters / "strict_gpiod", "N")


def _says(parameter: Path, value: str) -> bool:
    try:
        return parameter.read_text(encoding="ascii").strip() == value
    except (OSError, UnicodeError):
        return False
