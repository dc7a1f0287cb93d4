"""``alarm-node outputs-off``, and the same at the beginning of ``alarm-node run``: nothing keeps them from it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.check.node_check import examine
from node.cli.main import main
from node.core.settings import Wiring
from node.io.panel import last_outputs, pin_factory
from node.io.panel.last_outputs import remember
from node.io.panel.pin_factory import PI_LABELS
from tests.support.broker import free_port
from tests.support.gpio_kernel import FakeChip, standing_in
from tests.support.node import write_config
from tests.support.walls import wall_of

BUZZER, LAMP = 22, 23


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeChip]:
    """The chip of a Raspberry Pi after a kill in an alarm, and a note that says which pins are outputs."""
    device = tmp_path / "gpiochip0"
    device.touch()
    monkeypatch.setattr(pin_factory, "_DEVICES", tmp_path)
    (tmp_path / "state").mkdir()
    remember(tmp_path / "state", PI_LABELS, (BUZZER, LAMP))
    before = signal.getsignal(signal.SIGHUP)
    with standing_in() as kernel:
        kernel.chips[str(device)] = FakeChip(keeps_outputs=True, outputs={BUZZER: True, LAMP: True})
        yield kernel.chips[str(device)]
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("spoil", ["", "[button\n", "color = 1\n"], ids=["in order", "no TOML", "a stranger"])
def test_outputs_go_off_whatever_became_of_the_configuration(chip: FakeChip, tmp_path: Path, spoil: str) -> None:
    """Systemd says where the note is, so that the file needn't be read for it. The exit code is 0."""
    config = write_config(tmp_path, 1883)
    config.write_text(spoil + config.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STATE_DIRECTORY", str(tmp_path / "state"))

        code = main(["outputs-off", "--config", str(config)])

    assert code == 0
    assert chip.outputs == {BUZZER: False, LAMP: False}
    assert chip.holders == {}


def test_by_hand_the_file_says_where_the_note_is(chip: FakeChip, tmp_path: Path) -> None:
    """As it does for every other command."""
    code = main(["outputs-off", "--config", str(write_config(tmp_path, 1883))])

    assert code == 0
    assert chip.outputs == {BUZZER: False, LAMP: False}


def test_without_anything_it_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit isn't failed because there was nothing to do."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "missing"))

    assert main(["outputs-off", "--config", str(tmp_path / "missing.toml")]) == 0


@pytest.mark.parametrize(("value", "kept"), [("Y", True), ("N", False)])
def test_a_kernel_that_keeps_outputs_is_a_finding(
    chip: FakeChip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, *, kept: bool
) -> None:
    """With the line that changes it; a kernel that lets them go is none."""
    assert chip.label == "pinctrl-bcm2835"
    parameters = tmp_path / "modules/pinctrl_bcm2835/parameters"
    parameters.mkdir(parents=True)
    (parameters / "persist_gpio_outputs").write_text(f"{value}\n", encoding="ascii")
    monkeypatch.setattr(last_outputs, "_MODULES", tmp_path / "modules")
    factory = wall_of({"button": (17, Wiring.NORMALLY_OPEN)}).factory

    found = list(examine(write_config(tmp_path, free_port()), {}, lambda settings: factory))

    about = [each for each in found if each.text.startswith("this kernel leaves buzzer and lamp as they are")]
    assert [(each.ok, "dtparam=strict_gpiod" in each.next_step) for each in about] == [(False, True)] * kept


def test_a_run_switches_them_off_before_it_reads_its_configuration(
    chip: FakeChip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A configuration that can't be used leaves no lamp that says that somebody is coming."""
    config = write_config(tmp_path, 1883)
    config.write_text(config.read_text(encoding="utf-8").replace("pin = 17", "pin = 99"), encoding="utf-8")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))

    code = main(["run", "--config", str(config)])

    assert code == 1
    assert "E001" in capsys.readouterr().err
    assert chip.outputs == {BUZZER: False, LAMP: False}
    assert (tmp_path / "state" / last_outputs.NAME).exists()
