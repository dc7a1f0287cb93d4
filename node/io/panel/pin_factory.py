"""Opens the pin factory that the configuration names, or raises an error that says why it can't be used."""

import os
from pathlib import Path

from gpiozero import Factory, PinUnknownPi

from node.errors import PanelError

_DEVICES = Path("/dev")
_TRY_DEMO = "run it on a Raspberry Pi, or try it on this machine with: alarm-node demo"


def open_factory(name: str) -> Factory:
    """The pin factory of this name, "lgpio". gpiozero's own choice and its fallbacks are never used.

    The caller closes it, after the panel. Raises PanelError if this machine's pins can't be used.
    """
    if name != "lgpio":
        raise PanelError(f'there is no pin factory "{name}"', 'write pin_factory = "lgpio" under [panel] in node.toml')
    try:
        # The import starts a thread, makes a pipe in the working directory and may change directory (HAZARDS.md H6).
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415
    except Exception as problem:
        raise PanelError(
            f"lgpio can't be loaded ({problem})",
            "check that lgpio is installed, and that LG_WD names a directory the node may write to",
        ) from problem
    try:
        return LGPIOFactory()
    except PinUnknownPi as problem:
        raise PanelError("this machine isn't a Raspberry Pi", _TRY_DEMO) from problem
    except Exception as problem:
        raise _chip_error(problem) from problem


def _chip_error(problem: Exception) -> PanelError:
    """Why the GPIO chip can't be opened; lgpio raises the same error for every reason."""
    chips = sorted(_DEVICES.glob("gpiochip*"))
    if not chips:
        return PanelError(f"this machine has no GPIO ({_DEVICES}/gpiochip* is missing)", _TRY_DEMO)
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return PanelError(
            f"{chips[0]} may not be used by this account",
            "add the account to the group gpio and log in again, or start the node as its service",
        )
    return PanelError(f"{chips[0]} can't be opened ({problem})", "restart the machine; then run: gpioinfo")
