"""The pin factory: opened by its name and the chip by its label, or an error that says why not."""

import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero import DigitalOutputDevice, InputDevice

from node import config
from node.errors import PanelError
from node.io.panel import pin_factory
from node.io.panel.pin_factory import PI_LABELS, Chip, open_factory
from tests.support.gpio_kernel import FakeChip, Kernel, standing_in
from tests.support.node import write_config


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A machine without chips."""
    devices = tmp_path / "dev"
    devices.mkdir()
    monkeypatch.setattr(pin_factory, "_DEVICES", devices)
    with standing_in() as kernel:
        yield kernel


def settings(tmp_path: Path, **panel: object) -> config.Config:
    """A node with a button, a buzzer and a lamp."""
    return config.load(write_config(tmp_path, 1883, panel=panel))


def plug(kernel: Kernel, tmp_path: Path, number: int, **chip: Any) -> FakeChip:
    """A chip of the machine, with this number."""
    path = tmp_path / "dev" / f"gpiochip{number}"
    path.touch()
    return kernel.chips.setdefault(str(path), FakeChip(**chip))


@pytest.mark.parametrize("label", PI_LABELS)
@pytest.mark.parametrize("number", [0, 4, 11])
def test_the_chip_of_a_pi_is_found_whatever_its_number(kernel: Kernel, tmp_path: Path, label: str, number: int) -> None:
    """By its label; its neighbours are left alone, and so are those that may not be opened."""
    for other, neighbour in ((1, "raspberrypi-exp-gpio"), (2, "gpio-brcmstb@107d508500")):
        plug(kernel, tmp_path, other, label=neighbour)
    plug(kernel, tmp_path, 3, forbidden=True)
    chip = plug(kernel, tmp_path, number, label=label)

    with open_factory(settings(tmp_path)) as factory:
        devices = [
            InputDevice(17, pull_up=True, pin_factory=factory),
            *(DigitalOutputDevice(pin, pin_factory=factory) for pin in (22, 23)),
        ]
        assert devices[0].pin.state is True

        assert chip.holders == {17: "alarm-node button", 22: "alarm-node buzzer", 23: "alarm-node lamp"}


def test_another_chip_is_named_by_its_label(kernel: Kernel, tmp_path: Path) -> None:
    """A Raspberry Pi's own chip isn't taken then, nor one with a number that looks right."""
    own = plug(kernel, tmp_path, 0)
    chip = plug(kernel, tmp_path, 1, label="gpio-sim.0-node0")

    with open_factory(settings(tmp_path, chip="gpio-sim.0-node0")) as factory:
        device = InputDevice(17, pull_up=True, pin_factory=factory)
        assert device.pin.state is True

        assert chip.holders.keys() == {17}
        assert not own.holders


def test_an_expander_has_another_number_of_lines(kernel: Kernel, tmp_path: Path) -> None:
    """And a changeover contact is named once, though it has two lines."""
    chip = plug(kernel, tmp_path, 0, num_lines=8)
    button = {"pin": 5, "pin_nc": 6, "wiring": "changeover", "class": "threat", "sound": "loud"}
    path = write_config(tmp_path, 1883, buttons=[button])

    with open_factory(config.load(path)) as factory:
        devices = [InputDevice(pin, pull_up=True, pin_factory=factory) for pin in (5, 6)]
        assert devices[0].pin.state is True

        assert set(chip.holders.values()) == {"alarm-node button"}


def test_a_missing_label_names_those_that_are_there(kernel: Kernel, tmp_path: Path) -> None:
    """With the line that would be right for one of them."""
    plug(kernel, tmp_path, 0, label="gpio-mockup-A")
    plug(kernel, tmp_path, 1, label="ftdi-cbus")

    with pytest.raises(PanelError) as caught:
        open_factory(settings(tmp_path))

    assert caught.value.text == (
        "no GPIO chip of this machine is labelled pinctrl-bcm2835 or pinctrl-bcm2711 or pinctrl-rp1 "
        "(there is gpio-mockup-A, ftdi-cbus)"
    )
    assert 'for example chip = "gpio-mockup-A"' in caught.value.next_step


@pytest.mark.parametrize(
    ("chips", "allowed", "text", "next_step"),
    [
        pytest.param({}, True, "has no GPIO", "alarm-node simulate", id="no chip"),
        pytest.param({"forbidden": True}, False, "may not be used by this account", "group gpio", id="no right"),
        pytest.param({"removed": True}, True, "No such device", "gpioinfo", id="something else"),
    ],
)
def test_no_chip_at_all_says_why(
    kernel: Kernel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chips: dict[str, bool],
    *,
    allowed: bool,
    text: str,
    next_step: str,
) -> None:
    """As with lgpio, each reason has its own next step."""
    monkeypatch.setattr(os, "access", lambda path, mode: allowed)
    if chips:
        plug(kernel, tmp_path, 0, **chips)

    with pytest.raises(PanelError) as caught:
        open_factory(settings(tmp_path))

    assert text in caught.value.text
    assert next_step in caught.value.next_step


def test_a_chip_that_goes_while_it_is_opened_is_an_error_of_ours(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found, and is gone when it is opened."""
    chip = plug(kernel, tmp_path, 0)
    find = pin_factory.find_chip

    def find_and_lose(labels: tuple[str, ...]) -> Chip:
        found = find(labels)
        chip.removed = True
        return found

    monkeypatch.setattr(pin_factory, "find_chip", find_and_lose)

    with pytest.raises(PanelError, match="can't be opened"):
        open_factory(settings(tmp_path))


def test_a_gpiod_that_cannot_be_loaded_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is an error of ours, with the next step."""
    monkeypatch.setitem(sys.modules, "node.io.panel.gpiod_factory", None)

    with pytest.raises(PanelError, match=r"E002 gpiod can't be loaded \(.*\)\. Next: install alarm-node anew"):
        open_factory(settings(tmp_path))


# lgpio


class _LgpioError(Exception):
    """As lgpio's own: it derives from Exception alone."""


def _lgpio(monkeypatch: pytest.MonkeyPatch, factory: Callable[[int], object]) -> None:
    """Put a module in the place of gpiozero's lgpio pins, which would start a thread and write into this folder."""
    module = types.ModuleType("gpiozero.pins.lgpio")
    vars(module)["LGPIOFactory"] = factory
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", module)


@pytest.mark.parametrize("label", PI_LABELS)
@pytest.mark.parametrize("number", [0, 4, 11])
def test_lgpio_gets_the_number_of_the_chip_with_the_label(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str, number: int
) -> None:
    """Its own choice would be 0, or 4 on a Pi 5, and not the number that a chip has when it comes back."""
    plug(kernel, tmp_path, 1, label="raspberrypi-exp-gpio")
    plug(kernel, tmp_path, number, label=label)
    _lgpio(monkeypatch, lambda chip: ("lgpio", chip))

    assert open_factory(settings(tmp_path, pin_factory="lgpio")) == ("lgpio", number)


@pytest.mark.parametrize(
    ("chips", "allowed", "text", "next_step"),
    [
        pytest.param(None, True, "has no GPIO", "alarm-node simulate --config FILE", id="no chip"),
        pytest.param({"label": "ftdi-cbus"}, True, "there is ftdi-cbus", 'chip = "ftdi-cbus"', id="no Pi"),
        pytest.param({"forbidden": True}, False, "may not be used", "group gpio", id="no right"),
        pytest.param({}, True, "can not open", "gpioinfo", id="something else"),
    ],
)
def test_a_chip_that_lgpio_cannot_open_says_why(
    kernel: Kernel,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    chips: dict[str, Any] | None,
    *,
    allowed: bool,
    text: str,
    next_step: str,
) -> None:
    """As with gpiod, each reason has its own next step."""

    def cannot(chip: int) -> object:
        raise _LgpioError("can not open gpiochip")

    if chips is not None:
        plug(kernel, tmp_path, 0, **chips)
    monkeypatch.setattr(os, "access", lambda path, mode: allowed)
    _lgpio(monkeypatch, cannot)

    with pytest.raises(PanelError) as caught:
        open_factory(settings(tmp_path, pin_factory="lgpio"))

    assert text in caught.value.text
    assert next_step in caught.value.next_step


def test_an_lgpio_that_cannot_be_loaded_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is an error of ours, with the next step."""
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)

    with pytest.raises(PanelError, match=r"E002 lgpio can't be loaded \(.*\)\. Next: .*gpiod.*LG_WD"):
        open_factory(settings(tmp_path, pin_factory="lgpio"))
