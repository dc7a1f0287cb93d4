"""Buzzer and lamp are off when no node drives them, by a note that the node left."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from gpiozero import DigitalOutputDevice

from node.io.panel import last_outputs, pin_factory
from node.io.panel.gpiod_factory import GPIODFactory
from node.io.panel.last_outputs import are_kept, remember, switch_off
from node.io.panel.pin_factory import PI_LABELS
from tests.integration.panel.room import BUZZER, LAMP
from tests.support.damage import NO_FILES, Damage
from tests.support.gpio_kernel import FakeChip, Kernel, standing_in


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A Raspberry Pi, whose kernel keeps outputs; its header's chip has the number 4."""
    for name in ("dev", "modules"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(pin_factory, "_DEVICES", tmp_path / "dev")
    monkeypatch.setattr(last_outputs, "_MODULES", tmp_path / "modules")
    with standing_in() as kernel:
        for number, label in ((0, "raspberrypi-exp-gpio"), (4, "pinctrl-bcm2711")):
            device = tmp_path / "dev" / f"gpiochip{number}"
            device.touch()
            kernel.chips[str(device)] = FakeChip(label, keeps_outputs=True)
        yield kernel


@pytest.fixture
def chip(kernel: Kernel) -> FakeChip:
    """The chip with the pins."""
    return next(chip for chip in kernel.chips.values() if chip.label in PI_LABELS)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory."""
    directory = tmp_path / "state"
    directory.mkdir(exist_ok=True)
    return directory


def kill_in_an_alarm(kernel: Kernel) -> None:
    """A node drove both outputs high, and its process has ended as a kill ends it."""
    device = next(device for device, chip in kernel.chips.items() if chip.label in PI_LABELS)
    with GPIODFactory(device) as factory:
        outputs = [DigitalOutputDevice(pin, initial_value=True, pin_factory=factory) for pin in (BUZZER, LAMP)]
        assert len(outputs) == 2


def test_what_a_killed_node_left_on_goes_off(kernel: Kernel, chip: FakeChip, state: Path) -> None:
    """And nothing is held afterwards."""
    remember(state, PI_LABELS, (BUZZER, LAMP))
    kill_in_an_alarm(kernel)
    assert chip.outputs == {BUZZER: True, LAMP: True}

    switch_off(state)

    assert chip.outputs == {BUZZER: False, LAMP: False}
    assert chip.holders == {}


def test_nothing_is_touched_that_was_not_noted(kernel: Kernel, chip: FakeChip, state: Path) -> None:
    """Without a note, and of a chip with another label."""
    kill_in_an_alarm(kernel)

    switch_off(state)
    remember(state, ["raspberrypi-exp-gpio"], (BUZZER, LAMP))
    switch_off(state)

    assert chip.outputs == {BUZZER: True, LAMP: True}


def test_a_pin_that_somebody_holds_stays_his(
    kernel: Kernel, chip: FakeChip, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A running node's, for example; the other one goes off."""
    remember(state, PI_LABELS, (BUZZER, LAMP, 40))
    kill_in_an_alarm(kernel)
    chip.holders[BUZZER] = "alarm-node buzzer"

    with caplog.at_level(logging.WARNING):
        switch_off(state)

    assert chip.outputs == {BUZZER: True, LAMP: False}
    assert [message.partition(" (")[0] for message in caplog.messages] == [
        f"pin {BUZZER} can't be switched off",
        "pin 40 can't be switched off",
    ]


@pytest.mark.parametrize(
    "note",
    [b"", b"[]", b'{"chips": 7}', b"\xff\x00", b'{"chips": ["\xff"], "pins": []}', b'{"x":' * 100_000],
    ids=["empty", "another", "wrong type", "no JSON", "no UTF-8", "too deep"],
)
def test_a_damaged_note_is_told_and_survived(
    kernel: Kernel, chip: FakeChip, state: Path, caplog: pytest.LogCaptureFixture, note: bytes
) -> None:
    """Nothing is driven by guess."""
    (state / last_outputs.NAME).write_bytes(note)
    kill_in_an_alarm(kernel)

    switch_off(state)

    assert "it isn't known which pins are outputs" in caplog.text
    assert chip.outputs == {BUZZER: True, LAMP: True}


@pytest.mark.parametrize(("name", "damage"), NO_FILES.items(), ids=NO_FILES.keys())
def test_what_is_no_note_is_replaced_or_told(kernel: Kernel, state: Path, name: str, damage: Damage) -> None:
    """Nobody waits for it. A directory stays: it may hold something."""
    damage(state / last_outputs.NAME)

    with pytest.raises(IsADirectoryError) if name == "a directory" else nullcontext():
        remember(state, PI_LABELS, (BUZZER, LAMP))

    assert (state / last_outputs.NAME).is_dir() is (name == "a directory")
    assert not (state / last_outputs.NAME).is_symlink()


def test_a_machine_without_its_chip_is_survived(kernel: Kernel, state: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says why."""
    remember(state, PI_LABELS, (BUZZER, LAMP))
    for device in kernel.chips:
        Path(device).unlink()

    switch_off(state)

    (message,) = caplog.messages
    assert message.startswith("buzzer and lamp can't be switched off: this machine has no GPIO (")


def test_a_note_is_written_once(state: Path) -> None:
    """A memory card wears out by what is written, not by what is said."""
    remember(state, PI_LABELS, (LAMP, BUZZER))
    first = (state / last_outputs.NAME).stat()

    remember(state, PI_LABELS, (BUZZER, LAMP))
    same = (state / last_outputs.NAME).stat()
    remember(state, PI_LABELS, (LAMP,))

    assert (same.st_ino, same.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert (state / last_outputs.NAME).stat().st_ino != first.st_ino
    assert [path.name for path in state.iterdir()] == [last_outputs.NAME]


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """For whoever wants it noted."""
    with pytest.raises(OSError, match="No such file"):
        remember(tmp_path / "missing", PI_LABELS, (LAMP,))


@pytest.mark.parametrize(
    ("module", "parameter", "value", "kept"),
    [
        ("pinctrl_bcm2835", "persist_gpio_outputs", "Y\n", True),
        ("pinctrl_bcm2835", "persist_gpio_outputs", "N\n", False),
        ("pinctrl_bcm2835", "strict_gpiod", "N\n", True),
        ("pinctrl_bcm2835", "strict_gpiod", "Y\n", False),
        ("pinctrl_rp1", "persist_gpio_outputs", "Y\n", False),
        ("pinctrl_bcm2835", "something_else", "Y\n", False),
    ],
)
def test_the_kernel_says_whether_it_keeps_outputs(
    kernel: Kernel, tmp_path: Path, module: str, parameter: str, value: str, *, kept: bool
) -> None:
    """By the parameter of the driver of this very chip, under its present and its first name."""
    assert kernel.chips
    parameters = tmp_path / "modules" / module / "parameters"
    parameters.mkdir(parents=True)
    (parameters / parameter).write_text(value, encoding="ascii")

    assert are_kept(PI_LABELS) is kept


def test_a_chip_that_is_no_pis_says_nothing(kernel: Kernel) -> None:
    """Nor does a machine without the chip."""
    assert kernel.chips

    assert are_kept(["raspberrypi-exp-gpio"]) is False
    assert are_kept(["gpio-sim"]) is False
