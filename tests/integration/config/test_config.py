"""A node.toml that is taken, and what each key means."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from node.config import Broker, Config, Login, Tls
from node.core.settings import AlarmClass, InputSettings, Lamp, Receipts, Settings, Sound, Wiring
from tests.integration.config.node_toml import FULL, MINIMAL, changed, problems, read


def test_a_minimal_file_takes_every_default() -> None:
    """A file of required keys alone loads, and everything else has the documented default."""
    config = read(MINIMAL)

    assert replace(config, content=b"") == Config(
        path=Path("node.toml"),
        node="room-214",
        site="mitte",
        location="2. OG, Zimmer 214",
        root="alarm/v1",
        state_directory=None,
        record_mb=64,
        pin_factory="gpiod",
        chip=None,
        sample_hz=20.0,
        line_pins={"button": 17},
        buzzer_pin=None,
        lamp_pin=23,
        brokers=(Broker("127.0.0.1:1883", "127.0.0.1", 1883),),
        settings=Settings(
            inputs=(InputSettings("button", Wiring.NORMALLY_OPEN, AlarmClass.THREAT, Sound.SILENT, Lamp.SHOWN),),
            links=("127.0.0.1:1883",),
            debounce_s=0.020,
            sound_limit_s=900.0,
            heartbeat_s=10.0,
            receipt_s=10.0,
            receipts=Receipts.REQUIRED,
            monitors=(),
            has_buzzer=False,
        ),
    )


def test_a_full_file_is_taken_whole() -> None:
    """Every key of a file that holds all of them reaches the configuration."""
    config = read(FULL)

    assert replace(config, content=b"") == Config(
        path=Path("node.toml"),
        node="counter",
        site="south-1",
        location="Erdgeschoß, Schalter",
        root="haus/alarm/v1",
        state_directory=Path("/srv/alarm"),
        record_mb=128,
        pin_factory="gpiod",
        chip="pinctrl-rp1",
        sample_hz=50.0,
        line_pins={"desk": 17, "door": 27},
        buzzer_pin=22,
        lamp_pin=23,
        brokers=(
            Broker(
                "broker-a.example:8883",
                "broker-a.example",
                8883,
                Tls(Path("/etc/alarm/ca.pem"), Path("/etc/alarm/counter.pem"), Path("/etc/alarm/counter.key")),
                Login("Schalter 1", Path("/etc/alarm/password")),
            ),
            Broker("fd00::7:65535", "fd00::7", 65535, insecure=True),
        ),
        settings=Settings(
            inputs=(
                InputSettings("desk", Wiring.NORMALLY_CLOSED, AlarmClass.AMOK, Sound.SILENT, Lamp.DISCREET),
                InputSettings("door", Wiring.NORMALLY_OPEN, AlarmClass.ASSIST, Sound.LOUD, Lamp.SHOWN),
            ),
            links=("broker-a.example:8883", "fd00::7:65535"),
            debounce_s=0.039,
            sound_limit_s=60.5,
            heartbeat_s=5.0,
            receipt_s=7.5,
            receipts=Receipts.REQUIRED,
            monitors=("guard-desk", "porter"),
            has_buzzer=True,
            insecure_links=("fd00::7:65535",),
        ),
    )


def test_a_buzzer_without_a_sound_limit_has_the_default() -> None:
    """[buzzer] with a pin alone sounds for 900 s, and makes the node one with a buzzer."""
    config = read(MINIMAL + "[buzzer]\npin = 5\n")

    assert (config.buzzer_pin, config.settings.has_buzzer, config.settings.sound_limit_s) == (5, True, 900.0)


def test_a_loud_button_may_say_that_its_lamp_is_shown() -> None:
    """For a loud button lamp = "shown" is what it has anyway, and may be written."""
    config = read(changed(FULL, 'sound = "loud"', 'sound = "loud"\nlamp = "shown"'))

    assert config.settings.input("door").lamp is Lamp.SHOWN


def test_auto_is_no_value_of_receipts_and_the_answer_names_the_two() -> None:
    """What a broker answers is never a receipt, so nobody may be left to guess what "auto" would mean."""
    (answer,) = problems(MINIMAL + '[supervision]\nreceipts = "auto"\n')

    assert answer == (
        'node.toml: [supervision] receipts = "auto": must be "required", or "none" in a building without a monitor '
        '(the lamp never says "received" there), for example receipts = "required"'
    )


def test_a_monitor_is_awaited_unless_the_file_says_that_there_is_none() -> None:
    """By default only a monitor's word makes the lamp say *received*."""
    assert read(MINIMAL).settings.receipts is Receipts.REQUIRED


def test_receipts_may_be_none_without_monitors() -> None:
    """A node for which nobody sends receipts loads as long as it names no monitor."""
    config = read(MINIMAL + '[supervision]\nreceipts = "none"\nmonitors = []\n')

    assert (config.settings.receipts, config.settings.monitors) == (Receipts.NONE, ())


def test_line_pins_cannot_be_changed() -> None:
    """What was read is frozen, mappings included."""
    config = read(MINIMAL)

    with pytest.raises(TypeError):
        config.line_pins["button"] = 4  # type: ignore[index]
