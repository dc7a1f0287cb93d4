"""[[button]], [[door]], [tamper] and [reset] in node.toml: what is taken, and what is answered to a wrong one."""

from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from node.config import Config, load
from node.core.settings import AlarmClass, InputKind, InputSettings, Lamp, Role, Sound, Wiring
from node.errors import ConfigError

FRAME = """\
[node]
id = "room-214"
site = "mitte"
location = "2. OG, Zimmer 214"

[panel]
pin_factory = "gpiod"

[buzzer]
pin = 22

[lamp]
pin = 23

[[broker]]
host = "127.0.0.1"
port = 1883

"""
BUTTON = '[[button]]\npin = 17\nwiring = "normally-open"\nclass = "threat"\nsound = "loud"\n'
DOOR = '[[door]]\npin = 5\nwiring = "normally-closed"\nmode = "report"\n'
HOW = 'class = "threat"\nsound = "silent"\nlamp = "discreet"\n'
MODES = ("alarm", "held-open", "report", "incident-only")
PIN = "a BCM number from 0 to 27 (GPIO17 is 17, whatever its place on the header)"
ID = "1 to 63 lower-case letters, digits and hyphens that begin with a letter or digit"


def read(tmp_path: Path, *tables: str) -> Config:
    """The configuration of a node with these inputs."""
    path = tmp_path / "node.toml"
    path.write_text(FRAME + "\n".join(tables), encoding="utf-8")
    return load(path)


def problems(tmp_path: Path, *tables: str) -> list[str]:
    """What is answered to them."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, *tables)
    return [each.removeprefix(f"{tmp_path}/node.toml: ") for each in caught.value.problems]


def door(mode: str, *lines: str) -> str:
    """A door of this mode with more lines."""
    return DOOR.replace("report", mode) + "".join(f"{line}\n" for line in lines)


def test_every_input_reaches_the_core_with_its_pins(tmp_path: Path) -> None:
    """Buttons first, then doors, the tamper switch and the reset key; a changeover contact has a line more."""
    config = read(
        tmp_path,
        BUTTON.replace('"normally-open"', '"changeover"\npin_nc = 27'),
        door("held-open", "held_open_s = 45", HOW),
        '[tamper]\npin = 6\nwiring = "normally-closed"\n',
        '[reset]\npin = 13\nwiring = "normally-open"\n',
    )

    assert config.settings.inputs == (
        InputSettings("button", Wiring.CHANGEOVER, AlarmClass.THREAT, Sound.LOUD, Lamp.SHOWN),
        InputSettings(
            "door",
            Wiring.NORMALLY_CLOSED,
            AlarmClass.THREAT,
            Sound.SILENT,
            Lamp.DISCREET,
            Role.DOOR_HELD_OPEN,
            held_open_s=45.0,
        ),
        InputSettings("tamper", Wiring.NORMALLY_CLOSED, role=Role.TAMPER),
        InputSettings("reset", Wiring.NORMALLY_OPEN, role=Role.RESET),
    )
    assert config.line_pins == {"button": 17, "button.nc": 27, "door": 5, "tamper": 6, "reset": 13}


@pytest.mark.parametrize("mode", MODES)
def test_class_sound_and_lamp_are_accepted_in_every_mode(tmp_path: Path, mode: str) -> None:
    """So that changing the mode is one word."""
    config = read(tmp_path, BUTTON, door(mode, HOW))

    assert config.settings.input("door").role.value == f"door-{mode}"


@pytest.mark.parametrize(("mode", "missing"), list(product(MODES, ("class", "sound", "lamp"))))
def test_a_door_that_can_alarm_says_how(tmp_path: Path, mode: str, missing: str) -> None:
    """Class, sound and lamp are required there, and only there."""
    lines = [line for line in HOW.splitlines() if not line.startswith(missing)]

    if mode in ("alarm", "held-open"):
        (answer,) = problems(tmp_path, BUTTON, door(mode, *lines))
        assert answer.startswith(f'[[door]] 1 {missing} is missing: for mode = "{mode}" it must be "')
    else:
        read(tmp_path, BUTTON, door(mode, *lines))


def test_held_open_s_has_a_default(tmp_path: Path) -> None:
    """A minute is long enough for a wheelchair, and short enough for a wedge."""
    config = read(tmp_path, BUTTON, door("held-open", HOW))

    assert config.settings.input("door").held_open_s == 60.0


@pytest.mark.parametrize("wiring", ["normally-open", "normally-closed", "changeover"])
@pytest.mark.parametrize("table", get_args(InputKind))
def test_every_input_may_be_wired_in_every_way(tmp_path: Path, table: str, wiring: str) -> None:
    """One word for all of them."""
    text = {"button": BUTTON, "door": DOOR}.get(table, f"[{table}]\npin = 6\n")
    lines = [line for line in text.splitlines() if not line.startswith("wiring")]
    lines += [f'wiring = "{wiring}"', *(["pin_nc = 26"] if wiring == "changeover" else [])]

    config = read(tmp_path, *([] if table == "button" else [BUTTON]), "\n".join(lines))

    assert config.settings.input(table).wiring.value == wiring


WRONG = {
    "a door without a mode": (
        [BUTTON, DOOR.replace('mode = "report"\n', "")],
        '[[door]] 1 mode is missing: must be "alarm" (opening it is an alarm), ',
    ),
    "a mode that isn't one": (
        [BUTTON, door("open")],
        '[[door]] 1 mode = "open": must be "alarm" (opening it is an alarm), ',
    ),
    "a time without its mode": (
        [BUTTON, door("alarm", HOW, "held_open_s = 30")],
        '[[door]] 1 held_open_s: contradicts mode = "alarm": leave it out, or write mode = "held-open"',
    ),
    "too short a time": (
        [BUTTON, door("held-open", HOW, "held_open_s = 1")],
        '[[door]] 1 held_open_s = 1: must be from 5 to 3600 (seconds; for mode = "held-open"), ',
    ),
    "a loud discreet door": (
        [BUTTON, door("alarm", HOW.replace("silent", "loud"))],
        '[[door]] 1 lamp = "discreet": must be "shown" or left out where sound = "loud"',
    ),
    "changeover with one pin": (
        [BUTTON.replace("normally-open", "changeover")],
        (
            '[[button]] 1 pin_nc is missing: for wiring = "changeover" it must be the pin of a changeover contact\'s '
            f"normally closed side, {PIN}, for example pin_nc = 27"
        ),
    ),
    "a second pin for one contact": (
        [BUTTON + "pin_nc = 27\n"],
        '[[button]] 1 pin_nc = 27: contradicts wiring = "normally-open": leave it out, or write wiring = "changeover"',
    ),
    "two sides on one pin": (
        [BUTTON.replace('"normally-open"', '"changeover"\npin_nc = 17')],
        "[[button]] 1 pin_nc = 17: is the pin of [[button]] 1 already: give one of them another",
    ),
    "a door on the button's pin": (
        [BUTTON, DOOR.replace("5", "17")],
        "[[door]] 1 pin = 17: is the pin of [[button]] 1 already: give one of them another",
    ),
    "nameless among several doors": (
        [BUTTON, DOOR + 'name = "front"\n', DOOR.replace("5", "6")],
        f"[[door]] 2 name is missing: where there are several doors it must be {ID}, ",
    ),
    "a button named like the door": (
        [BUTTON + 'name = "door"\n', DOOR],
        '[[door]] 1 name = "door": is the name of [[button]] 1 already: give one of them another',
    ),
    "a button named like the key": (
        [BUTTON + 'name = "reset"\n', '[reset]\npin = 6\nwiring = "normally-open"\n'],
        '[[button]] 1 name = "reset": is the name of [reset] already: give one of them another',
    ),
    "two keys": (
        [BUTTON, '[[reset]]\npin = 6\nwiring = "normally-open"\n'],
        "reset has the wrong form: write [reset], and its keys on the lines below",
    ),
    "too many doors": (
        [
            BUTTON,
            *(f'[[door]]\nname = "d{n}"\npin = {n}\nwiring = "normally-open"\nmode = "report"\n' for n in range(9)),
        ],
        "[[door]] stands there 9 times: must be at most 8",
    ),
}


@pytest.mark.parametrize(("tables", "answer"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_input_gets_one_answer_that_names_the_place(tmp_path: Path, tables: list[str], answer: str) -> None:
    """The table, the key, the value, what is allowed."""
    (told,) = problems(tmp_path, *tables)

    assert told.startswith(answer)


def test_a_loud_door_wants_a_buzzer(tmp_path: Path) -> None:
    """As a loud button does."""
    path = tmp_path / "node.toml"
    silent = BUTTON.replace("loud", "silent") + 'lamp = "shown"\n'
    loud_door = door("alarm", HOW.replace("silent", "loud").replace("discreet", "shown"))
    path.write_text(FRAME.replace("[buzzer]\npin = 22\n", "") + silent + loud_door, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert "[buzzer] is missing" in caught.value.problems[0]
    assert caught.value.problems[0].endswith('(it is for the sound = "loud" of [[door]] 1)')
