"""One pin of the factory on libgpiod: what gpiozero expects of every pin."""

import threading

import pytest
from gpiod import _ext
from gpiozero import (
    Button,
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPin,
    PinInvalidPull,
    PinSetInput,
)

from node.io.panel.gpiod_factory import GPIODFactory
from tests.integration.panel.room import WAIT_LIMIT_S
from tests.integration.panel.wired import BUTTON, DOOR, LAMP, Input
from tests.support.gpio_kernel import FakeChip


def test_a_pin_changes_its_function(factory: GPIODFactory, chip: FakeChip) -> None:
    """An input becomes an output and an input again; only one request has its line at any time."""
    other = Input(factory, DOOR).listen()
    pin = factory.pin(BUTTON)

    pin.function = "input"
    pin.pull = "down"
    assert pin.state is True
    assert chip.asked[-1].bias(BUTTON) == _ext.BIAS_PULL_DOWN
    pin.function = "output"
    pin.state = True
    assert (pin.function, pin.pull, pin.state, chip.outputs) == ("output", "down", True, {BUTTON: True})
    pin.output_with_state(False)
    assert chip.outputs == {BUTTON: False}
    pin.function = "input"

    assert (pin.function, pin.pull, pin.state, chip.outputs) == ("input", "floating", True, {})
    assert chip.asked[-1].bias(BUTTON) == _ext.BIAS_DISABLED
    chip.drive(DOOR, False)
    assert other.next()[1] == 0


def test_settings_of_an_input_are_asked_for(factory: GPIODFactory, chip: FakeChip) -> None:
    """A change of pull, edges or bounce makes the request anew at the next use, once."""
    button = Input(factory, BUTTON).listen()

    button.pin.edges = "falling"
    button.pin.bounce = 0.005
    button.pin.pull = "down"
    assert button.pin.state is True

    assert len(chip.asked) == 2
    assert chip.asked[-1].lines[BUTTON]["edge_detection"] == _ext.EDGE_FALLING
    assert chip.asked[-1].lines[BUTTON]["debounce_period"] == 5_000
    assert chip.asked[-1].bias(BUTTON) == _ext.BIAS_PULL_DOWN
    assert (button.pin.edges, button.pin.bounce, button.pin.pull) == ("falling", 0.005, "down")


def test_what_a_pin_cannot_do_is_gpiozeros_error(factory: GPIODFactory) -> None:
    """The same as of every other factory."""
    pin, output = factory.pin(BUTTON), factory.pin(LAMP)
    output.function = "output"

    with pytest.raises(PinInvalidPin):
        factory.pin(28)
    with pytest.raises(PinInvalidFunction):
        pin.function = "pwm"
    with pytest.raises(PinSetInput):
        pin.state = True
    with pytest.raises(PinInvalidPull):
        pin.pull = "sideways"
    with pytest.raises(PinInvalidEdges):
        pin.edges = "all"
    with pytest.raises(PinInvalidBounce):
        pin.bounce = -1.0
    with pytest.raises(PinFixedPull):
        output.pull = "up"
    with pytest.raises(OSError, match="GPIO17 isn't an input"):
        assert pin.state


@pytest.mark.parametrize("name", [BUTTON, "17", "GPIO17", "BCM17"])
def test_a_pin_has_its_usual_names(factory: GPIODFactory, name: object) -> None:
    """All of them are the same object."""
    assert factory.pin(name) is factory.pin(BUTTON)


def test_gpiozeros_own_devices_work(factory: GPIODFactory, chip: FakeChip) -> None:
    """A Button, which sets its callbacks itself."""
    pressed = threading.Event()

    with Button(BUTTON, pin_factory=factory) as button:
        button.when_pressed = pressed.set
        chip.drive(BUTTON, False)

        assert pressed.wait(WAIT_LIMIT_S)
        assert button.is_pressed

    assert chip.holders == {}
