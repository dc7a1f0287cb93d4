"""Opens the pin factory that the configuration names, or raises an error that says why it can't be used."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from node.config import Config
from node.errors import PanelError
from node.io.panel.gpio import Factory

PI_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""The label of the chip with the header's pins: on a Pi 3 and older ones, on a Pi 4, on a Pi 5."""

_DEVICES = Path("/dev")
_DEVICE = "gpiochip"
"""What the name of a chip's device begins with; its number follows."""
_KNOWN = Path("/sys/bus/gpio/devices")
_PROGRAM = "alarm-node"
_TRY_SIMULATED = "run it on a Raspberry Pi, or try it here with simulated pins: alarm-node simulate --config FILE"


def open_factory(settings: Config) -> Factory:
    """The pin factory of this configuration. gpiozero's own choice and its fallbacks are never used.

    The caller closes it, after the panel. Raises PanelError if this machine's pins can't be used.
    """
    try:
        return _open_lgpio(settings) if settings.pin_factory == "lgpio" else _open_gpiod(settings)
    except ImportError as problem:
        raise PanelError(f"gpiod can't be loaded ({problem})", "install alarm-node anew") from problem


class Chip(NamedTuple):
    """A GPIO chip of this machine: its device, and the label by which its driver calls it."""

    device: Path
    label: str


def labels(settings: Config) -> tuple[str, ...]:
    """Which labels the chip with the pins may have."""
    return PI_LABELS if settings.chip is None else (settings.chip,)


def find_chip(wanted: Sequence[str]) -> Chip:
    """The GPIO chip with one of these labels. Its number differs from kernel to kernel (HAZARDS.md H7).

    Raises PanelError if there is none.
    """
    import gpiod  # noqa: PLC0415 - as below

    found: list[str] = []
    problem: OSError | None = None
    for device in sorted(_DEVICES.glob(f"{_DEVICE}*")):
        try:
            with gpiod.Chip(str(device)) as chip:
                label = chip.get_info().label
        except OSError as error:
            problem = error
        else:
            if label in wanted:
                return Chip(device, label)
            found.append(label)
    if not found:
        raise _chip_error(problem)
    raise PanelError(
        f"no GPIO chip of this machine is labelled {' or '.join(wanted)} (there is {', '.join(found)})",
        f'name the one with the pins under [panel] in node.toml, for example chip = "{found[0]}"',
    )


def why_no_pins(settings: Config) -> PanelError | None:
    """Why this machine has no chip for this configuration; None if it has. It claims no pin."""
    try:
        find_chip(labels(settings))
    except PanelError as missing:
        return missing
    except ImportError:
        return None
    return None


def unseen_chips() -> frozenset[str]:
    """The GPIO chips that the kernel has and this process can't see: its /dev is older than they are."""
    return frozenset(chip.name for chip in _KNOWN.glob(f"{_DEVICE}*") if not (_DEVICES / chip.name).exists())


def _open_gpiod(settings: Config) -> Factory:
    from node.io.panel.gpiod_factory import GPIODFactory  # noqa: PLC0415 - a machine without pins has no use for it

    chip = find_chip(labels(settings))
    names = {pin: line.partition(".")[0] for line, pin in settings.line_pins.items()}
    names |= {settings.lamp_pin: "lamp"} | ({} if settings.buzzer_pin is None else {settings.buzzer_pin: "buzzer"})
    try:
        return GPIODFactory(str(chip.device), _PROGRAM, names)
    except OSError as problem:
        raise _chip_error(problem) from problem


def _open_lgpio(settings: Config) -> Factory:
    try:
        # The import starts a thread, makes a pipe in the working directory and may change directory (HAZARDS.md H6).
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415
    except Exception as problem:
        raise PanelError(
            f"lgpio can't be loaded ({problem})",
            'write pin_factory = "gpiod" under [panel] in node.toml; or check that lgpio is installed (it is the extra '
            "lgpio of alarm-node), and that LG_WD names a directory the node may write to",
        ) from problem
    chip = find_chip(labels(settings))  # gpiozero would take number 0, or 4 on a Pi 5 that has it (HAZARDS.md H7)
    try:
        return LGPIOFactory(chip=int(chip.device.name.removeprefix(_DEVICE)))
    except Exception as problem:
        raise _chip_error(problem) from problem


def _chip_error(problem: Exception | None) -> PanelError:
    """Why no GPIO chip can be opened; lgpio raises the same error for every reason."""
    chips = sorted(_DEVICES.glob(f"{_DEVICE}*"))
    if not chips:
        return PanelError(f"this machine has no GPIO ({_DEVICES}/gpiochip* is missing)", _TRY_SIMULATED)
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return PanelError(
            f"{chips[0]} may not be used by this account",
            "add the account to the group gpio and log in again, or start the node as its service",
        )
    return PanelError(f"{chips[0]} can't be opened ({problem})", "restart the machine; then run: gpioinfo")
