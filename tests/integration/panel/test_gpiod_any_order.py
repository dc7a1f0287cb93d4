"""The factory on libgpiod in any order of things: pins that come and go, other programs that take and free lines."""

import queue
from typing import Any

from gpiozero import DigitalOutputDevice, GPIOPinInUse, InputDevice
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from node.io.panel.gpiod_factory import GPIODFactory
from tests.integration.panel.room import WAIT_LIMIT_S
from tests.integration.panel.wired import CHIP
from tests.support.examples import examples
from tests.support.gpio_kernel import FakeChip, standing_in

PINS = st.integers(0, 2)
OTHER = "another program"


class AnyOrder(RuleBasedStateMachine):
    """One factory; whoever uses it; and another program on the same chip."""

    def __init__(self) -> None:
        super().__init__()
        self.standing_in = standing_in()
        self.chip = FakeChip(num_lines=3, keeps_outputs=True)
        self.standing_in.__enter__().chips[CHIP] = self.chip
        self.factory = GPIODFactory(CHIP)
        self.inputs: dict[int, Any] = {}
        self.outputs: dict[int, Any] = {}
        self.heard: queue.SimpleQueue[int] = queue.SimpleQueue()

    def hear(self, _ticks: float, state: int) -> None:
        """An edge."""
        self.heard.put(state)

    @rule(pin=PINS, listens=st.booleans())
    def make_input(self, pin: int, listens: bool) -> None:
        """Somebody wants an input; a line of another program is refused by its holder's name."""
        if pin in self.inputs or pin in self.outputs:
            return
        device = InputDevice(pin, pull_up=True, pin_factory=self.factory)
        refused = ""
        try:
            if listens:
                device.pin.when_changed = self.hear
            assert device.pin.state is self.chip.level(pin)
            self.inputs[pin] = device
        except GPIOPinInUse as refusal:
            refused = str(refusal)
            device.close()
        assert refused == (f"GPIO{pin} is held by {OTHER}" if self.chip.holders[pin] == OTHER else "")

    @rule(pin=PINS, high=st.booleans())
    def make_output(self, pin: int, high: bool) -> None:
        """Somebody wants an output."""
        if pin in self.inputs or pin in self.outputs:
            return
        try:
            self.outputs[pin] = DigitalOutputDevice(pin, initial_value=high, pin_factory=self.factory)
        except GPIOPinInUse:
            assert self.chip.holders[pin] == OTHER
        else:
            assert self.chip.outputs[pin] is high

    @initialize(pins=st.sets(PINS))
    def begin(self, pins: set[int]) -> None:
        """A node makes its inputs first."""
        for pin in pins:
            self.make_input(pin, listens=True)

    @precondition(lambda self: self.inputs)
    @rule(data=st.data(), high=st.booleans())
    def turn(self, data: Any, high: bool) -> None:
        """An input becomes an output, while the others go on."""
        pin = data.draw(st.sampled_from(sorted(self.inputs)))
        self.inputs.pop(pin).close()
        self.make_output(pin, high)

    @rule(pin=PINS)
    def close(self, pin: int) -> None:
        """Somebody has done with a pin."""
        device = self.inputs.pop(pin, None) or self.outputs.pop(pin, None)
        if device is not None:
            device.close()

    @rule(pin=PINS, high=st.booleans())
    def drive(self, pin: int, high: bool) -> None:
        """A wire or an output moves; who listens to an input hears its edge."""
        if pin in self.outputs:
            self.outputs[pin].value = high
            return
        moves = self.chip.level(pin) is not high
        self.chip.drive(pin, high)
        if moves and pin in self.inputs and self.inputs[pin].pin.when_changed is not None:
            assert self.heard.get(timeout=WAIT_LIMIT_S) == high

    @rule(pin=PINS)
    def take(self, pin: int) -> None:
        """Another program asks for a line, and gets it if it is free."""
        self.chip.holders.setdefault(pin, OTHER)

    @rule(pin=PINS)
    def free(self, pin: int) -> None:
        """Another program lets a line go."""
        if self.chip.holders.get(pin) == OTHER:
            del self.chip.holders[pin]

    @precondition(lambda self: self.inputs)
    @rule(data=st.data(), pull=st.sampled_from(["up", "down", "floating"]))
    def pull(self, data: Any, pull: str) -> None:
        """An input gets another bias, in a new request."""
        pin = data.draw(st.sampled_from(sorted(self.inputs)))
        self.inputs[pin].pin.pull = pull
        assert self.inputs[pin].pin.state is self.chip.level(pin)

    @rule()
    def look(self) -> None:
        """All levels are read at one instant; after that nothing is held that nobody uses."""
        assert self.factory.levels() == {pin: self.chip.level(pin) for pin in self.inputs}
        assert self.mine == self.inputs.keys() | self.outputs.keys()

    @property
    def mine(self) -> set[int]:
        """The lines that the factory holds."""
        return {pin for pin, holder in self.chip.holders.items() if holder != OTHER}

    @invariant()
    def what_is_used_is_held(self) -> None:
        """And each output has the level that it was given."""
        assert self.mine >= self.inputs.keys() | self.outputs.keys()
        assert {pin: self.chip.outputs[pin] for pin in self.outputs} == {
            pin: bool(device.value) for pin, device in self.outputs.items()
        }

    @invariant()
    def nothing_is_lost(self) -> None:
        """No order of things makes an edge look dropped that the kernel kept."""
        assert all(device.pin.edges_dropped == 0 for device in self.inputs.values())

    def teardown(self) -> None:
        """The end lets everything go but what others have."""
        self.factory.close()
        assert set(self.chip.holders.values()) <= {OTHER}
        for device in (*self.inputs.values(), *self.outputs.values()):
            device.close()
        self.standing_in.__exit__(None, None, None)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=examples(1_500), stateful_step_count=40)
