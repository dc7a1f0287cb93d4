"""The pin factory: opened by its name, or an error that says why not."""

import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from gpiozero import PinUnknownPi

from node.errors import PanelError
from node.io.panel import pin_factory
from node.io.panel.pin_factory import open_factory


def test_a_factory_of_another_name_is_refused() -> None:
    """There is no fallback: what isn't lgpio is an error that says what to write."""
    with pytest.raises(PanelError, match='there is no pin factory "mock"') as caught:
        open_factory("mock")

    assert 'pin_factory = "lgpio"' in caught.value.next_step


class _LgpioError(Exception):
    """As lgpio's own: it derives from Exception alone."""


def _lgpio(monkeypatch: pytest.MonkeyPatch, factory: Callable[[], object]) -> None:
    """Put a module in the place of gpiozero's lgpio pins, which would start a thread and write into this folder."""
    module = types.ModuleType("gpiozero.pins.lgpio")
    vars(module)["LGPIOFactory"] = factory
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", module)


def _raising(problem: Exception) -> Callable[[], object]:
    def make() -> object:
        raise problem

    return make


def test_lgpio_is_opened_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factory is lgpio's own class."""
    opened = object()
    _lgpio(monkeypatch, lambda: opened)

    assert open_factory("lgpio") is opened


@pytest.mark.parametrize(
    ("problem", "chips", "allowed", "text", "next_step"),
    [
        pytest.param(PinUnknownPi("no revision"), [], True, "isn't a Raspberry Pi", "alarm-node demo", id="no Pi"),
        pytest.param(_LgpioError("can not open gpiochip"), [], True, "has no GPIO", "alarm-node demo", id="no chip"),
        pytest.param(
            _LgpioError("can not open gpiochip"), ["gpiochip0"], False, "may not be used", "group gpio", id="no right"
        ),
        pytest.param(
            _LgpioError("can not open gpiochip"), ["gpiochip0"], True, "can not open", "gpioinfo", id="something else"
        ),
    ],
)
def test_a_chip_that_cannot_be_opened_says_why(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    problem: Exception,
    chips: list[str],
    allowed: bool,
    text: str,
    next_step: str,
) -> None:
    """The reasons, for which lgpio gives one answer, are told apart, each with its next step."""
    for chip in chips:
        (tmp_path / chip).touch()
    monkeypatch.setattr(pin_factory, "_DEVICES", tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: allowed)
    _lgpio(monkeypatch, _raising(problem))

    with pytest.raises(PanelError) as caught:
        open_factory("lgpio")

    assert text in caught.value.text
    assert next_step in caught.value.next_step


def test_an_lgpio_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is an error of ours, with the next step."""
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)

    with pytest.raises(PanelError, match=r"E002 lgpio can't be loaded \(.*\)\. Next: .*LG_WD"):
        open_factory("lgpio")
