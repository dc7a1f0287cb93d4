"""A node.toml that is wrong: every problem is told at once, with its place."""

import re
from pathlib import Path
from typing import get_args

import pytest

from node.config import load
from node.core.settings import InputKind
from node.errors import ConfigError
from tests.integration.config.node_toml import (
    BROKER,
    BUTTON,
    FULL,
    ID,
    LAMP,
    MEND,
    MINIMAL,
    PIN,
    WRITE,
    changed,
    problems,
    read,
)

INPUTS = ", ".join(f"[[{kind}]]" if kind in ("button", "door") else f"[{kind}]" for kind in get_args(InputKind))
"""The tables of the inputs: of the first two kinds there may be several."""

WRONG_FILES = {
    "unknown key": (
        changed(MINIMAL, 'pin_factory = "gpiod"', 'pin_factory = "gpiod"\ndebounce = 20'),
        '[panel] debounce is unknown: did you mean "debounce_ms"?',
    ),
    "unknown key in capitals": (
        changed(MINIMAL, "[lamp]\n", "[lamp]\nPIN = 1\n"),
        '[lamp] PIN is unknown: did you mean "pin"?',
    ),
    "unknown key with a secret": (
        changed(MINIMAL, "port = 1883", 'port = 1883\npassword = "hunter2"'),
        '[[broker]] 1 password is unknown: did you mean "password_file"?',
    ),
    "unknown key that needs quotes": (
        changed(MINIMAL, "[lamp]\n", '[lamp]\n"a\\nb" = 1\n'),
        '[lamp] "a\\nb" is unknown: allowed here are "pin"',
    ),
    "unknown table": (
        MINIMAL + "[Supervison]\nheartbeat_s = 10\n",
        "Supervison is unknown: did you mean [supervision]?",
    ),
    "key above the tables": (
        "x = 17\n" + MINIMAL,
        (f"x is unknown: allowed here are [node], [panel], {INPUTS}, [buzzer], [lamp], [[broker]], [supervision]"),
    ),
    "out of range": (
        changed(MINIMAL, 'pin_factory = "gpiod"', 'pin_factory = "gpiod"\ndebounce_ms = 50'),
        "[panel] debounce_ms = 50: must be from 6 to 39 (whole milliseconds), for example debounce_ms = 20",
    ),
    "boolean for a number": (
        changed(MINIMAL, "port = 1883", "port = true"),
        "[[broker]] 1 port = true: must be a whole number from 1 to 65535, for example port = 1883",
    ),
    "text for a number": (
        changed(MINIMAL, "pin = 17", 'pin = "GPIO17"'),
        f'[[button]] 1 pin = "GPIO17": must be {PIN}, for example pin = 17',
    ),
    "bad id": (
        changed(MINIMAL, '"room-214"', '"Zimmer 214"'),
        f'[node] id = "Zimmer 214": must be {ID}, for example id = "room-214"',
    ),
    "relative state directory": (
        changed(MINIMAL, '"mitte"', '"mitte"\nstate_directory = "state"'),
        (
            '[node] state_directory = "state": must be an absolute path, '
            'for example state_directory = "/var/lib/alarm-node"'
        ),
    ),
    "another pin factory": (
        changed(MINIMAL, '"gpiod"', '"mock"'),
        (
            '[panel] pin_factory = "mock": must be "gpiod", or "lgpio" where that extra is installed (the mock '
            'factory is for "alarm-node simulate", which takes it whatever stands here), '
            'for example pin_factory = "gpiod"'
        ),
    ),
    "chip of another factory": (
        changed(MINIMAL, '"gpiod"', '"lgpio"\nchip = "pinctrl-rp1"'),
        (
            '[panel] chip = "pinctrl-rp1": contradicts pin_factory = "lgpio": leave chip out, or write '
            'pin_factory = "gpiod"'
        ),
    ),
    "long value": (
        changed(MINIMAL, '"2. OG, Zimmer 214"', f'"{"ü" * 201}"'),
        (
            f'[node] location = "{"ü" * 78}…: must be 1 to 200 characters on one line that say where to go, '
            'for example location = "2. OG, Zimmer 214"'
        ),
    ),
    "missing key": (
        changed(MINIMAL, 'id = "room-214"\n', ""),
        f'[node] id is missing: must be {ID}, for example id = "room-214"',
    ),
    "sound not chosen": (
        changed(MINIMAL, 'sound = "silent"\n', ""),
        (
            '[[button]] 1 sound is missing: must be "loud" or "silent" (no default: an alarm that can be heard may '
            'provoke an attacker), for example sound = "silent"'
        ),
    ),
    "lamp not chosen": (
        changed(MINIMAL, 'lamp = "shown"\n', ""),
        (
            '[[button]] 1 lamp is missing: for a silent button it must be "shown" or "discreet" (a blinking lamp may '
            'betray the person who pressed), for example lamp = "discreet"'
        ),
    ),
    "loud but discreet": (
        changed(FULL, 'sound = "loud"', 'sound = "loud"\nlamp = "discreet"'),
        '[[button]] 2 lamp = "discreet": must be "shown" or left out where sound = "loud"',
    ),
    "loud without a buzzer": (
        changed(MINIMAL, 'sound = "silent"', 'sound = "loud"'),
        f'[buzzer] is missing: {WRITE} [buzzer] / pin = 22 (it is for the sound = "loud" of [[button]] 1)',
    ),
    "missing table": (
        changed(MINIMAL, LAMP, ""),
        f"[lamp] is missing: {WRITE} [lamp] / pin = 23",
    ),
    "missing array of tables": (
        changed(MINIMAL, BROKER, ""),
        f'[[broker]] is missing: {WRITE} [[broker]] / host = "127.0.0.1" / port = 1883',
    ),
    "empty array of tables": (
        "broker = []\n" + changed(MINIMAL, BROKER, ""),
        f'[[broker]] is missing: {WRITE} [[broker]] / host = "127.0.0.1" / port = 1883',
    ),
    "single brackets": (
        changed(MINIMAL, "[[button]]", "[button]"),
        "button has the wrong form: write [[button]], and its keys on the lines below",
    ),
    "double brackets": (
        changed(MINIMAL, "[lamp]", "[[lamp]]"),
        "lamp has the wrong form: write [lamp], and its keys on the lines below",
    ),
    "array of something else": (
        "button = [17]\n" + changed(MINIMAL, BUTTON, ""),
        "button has the wrong form: write [[button]], and its keys on the lines below",
    ),
    "buzzer in the wrong shape": (
        "buzzer = 22\n" + changed(MINIMAL, 'sound = "silent"', 'sound = "loud"'),
        "buzzer has the wrong form: write [buzzer], and its keys on the lines below",
    ),
    "two inputs on one pin": (
        changed(FULL, "pin = 27", "pin = 17"),
        "[[button]] 2 pin = 17: is the pin of [[button]] 1 already: give one of them another",
    ),
    "lamp on the buzzer's pin": (
        changed(FULL, LAMP, "[lamp]\npin = 22\n"),
        "[lamp] pin = 22: is the pin of [buzzer] already: give one of them another",
    ),
    "nameless among several": (
        changed(FULL, 'name = "door"\n', ""),
        f'[[button]] 2 name is missing: where there are several buttons it must be {ID}, for example name = "desk"',
    ),
    "one name for two": (
        changed(FULL, 'name = "door"', 'name = "desk"'),
        '[[button]] 2 name = "desk": is the name of [[button]] 1 already: give one of them another',
    ),
    "one broker twice": (
        (
            MINIMAL
            + '[[broker]]\nhost = "other"\nport = 1883\ninsecure = true\n'
            + changed(changed(BROKER, "127.0.0.1", "OTHER"), "port = 1883", "port = 1883\ninsecure = true")
        ),
        "[[broker]] 3 host and port: other:1883 is [[broker]] 2 already: leave one of them out",
    ),
    "too many brokers": (
        MINIMAL + "".join(changed(BROKER, "1883", str(port)) for port in range(1884, 1888)),
        "[[broker]] stands there 5 times: must be at most 4",
    ),
    "monitors but no receipts": (
        changed(FULL, 'receipts = "required"', 'receipts = "none"'),
        (
            '[supervision] receipts = "none": contradicts monitors = ["guard-desk", "porter"]: leave monitors out, '
            'or write receipts = "required"'
        ),
    ),
    "a monitor that is no id": (
        changed(FULL, '["guard-desk", "porter"]', '["guard-desk", "Pförtner"]'),
        (
            f'[supervision] monitors = ["guard-desk", "Pförtner"]: must be a list of at most 16 ids, each {ID}, '
            'for example monitors = ["guard-desk"]'
        ),
    ),
    "not TOML": (
        changed(MINIMAL, '"mitte"', "mitte"),
        f"isn't TOML: Invalid value (at line 3, column 8): {MEND}",
    ),
    "a key twice": (
        changed(MINIMAL, 'id = "room-214"\n', 'id = "room-214"\nid = "room-215"\n'),
        f"isn't TOML: Cannot overwrite a value (at line 3, column 16): {MEND}",
    ),
    "TOML that breaks off": (
        '[node]\nid = "room',
        f"isn't TOML: Unterminated string (at the end, line 2, column 11): {MEND}",
    ),
    "not UTF-8": (
        MINIMAL.replace("2. OG,", "Büro").encode("latin-1"),
        "isn't UTF-8 (line 4, column 14): save the file as UTF-8",
    ),
}


@pytest.mark.parametrize(("content", "answer"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_wrong_file_gets_one_answer_that_names_the_place(content: str | bytes, answer: str) -> None:
    """A file with one mistake is answered in one line: the file, the place, the value, what is allowed."""
    answers = problems(content)

    assert answers == [f"node.toml: {answer}"]


def test_all_problems_come_at_once() -> None:
    """A file with a mistake of every kind is answered with all of them, one line each, in our own words."""
    content = """
        color = "red"
        [node]
        id = "A"
        location = ""
        topic_root = "alarm//v1"
        [panel]
        pin_factory = "gpiod"
        debounce_ms = 20.0
        sample_hz = nan
        [[button]]
        pin = 4
        wiring = "open"
        class = "panic"
        sound = "loud"
        lamp = "on"
        [[button]]
        name = "b"
        pin = 28
        wiring = "normally-open"
        class = "assist"
        sound = "silent"
        [lamp]
        pin = 4
        [[broker]]
        host = "mqtt://broker"
        port = 0
        [supervision]
        heartbeat_s = 61
        receipts = "none"
        monitors = ["guard-desk"]
    """

    answers = problems(content)

    assert [re.sub("( =| is|: ).*", "", answer.removeprefix("node.toml: ")) for answer in answers] == [
        "color",
        "[node] id",
        "[node] site",
        "[node] location",
        "[node] topic_root",
        "[panel] debounce_ms",
        "[panel] sample_hz",
        "[[button]] 1 wiring",
        "[[button]] 1 class",
        "[[button]] 1 lamp",
        "[[button]] 2 pin",
        "[[broker]] 1 host",
        "[[broker]] 1 port",
        "[supervision] heartbeat_s",
        "[lamp] pin",
        "[[button]] 1 name",
        "[[button]] 2 lamp",
        "[buzzer]",
        "[supervision] receipts",
    ]
    assert not [answer for answer in answers if "\n" in answer or "`" in answer]


def test_the_error_counts_the_problems_and_names_the_file_as_given() -> None:
    """The error itself says how many problems which file has, by the path that the person gave."""
    Path("etc").mkdir()
    Path("etc/node.toml").write_text(changed(MINIMAL, "pin = 17", "pin = 99"))

    with pytest.raises(ConfigError, match=r"^E001 etc/node\.toml has 1 problem\. Next: ") as caught:
        load(Path("etc/node.toml"))

    assert caught.value.problems[0].startswith("etc/node.toml: [[button]] 1 pin = 99: must be ")


@pytest.mark.parametrize("path", [Path("absent.toml"), Path()], ids=["absent", "directory"])
def test_a_file_that_cannot_be_opened_is_one_problem(path: Path) -> None:
    """A path that can't be read is answered with the reason and what to check."""
    with pytest.raises(ConfigError) as caught:
        load(path)

    (answer,) = caught.value.problems
    assert re.fullmatch(rf"{re.escape(str(path))}: can't be opened \(.+\): check that the file exists .+", answer)


def test_a_number_that_python_does_not_write_is_one_problem() -> None:
    """In hexadecimal the reader takes thousands of digits, which the answer can't show."""
    (answer,) = problems(changed(MINIMAL, "pin = 17", f"pin = 0x{'f' * 5000}"))

    assert answer.startswith("node.toml: [[button]] 1 pin = a number of thousands of digits: must be ")


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000], ids=["nesting", "digits"])
def test_a_value_beyond_the_parser_is_one_problem(value: str) -> None:
    """What the TOML reader itself can't hold is an answer and no traceback."""
    answers = problems(f"x = {value}\n")

    assert len(answers) == 1
    assert answers[0].startswith("node.toml: isn't TOML: ")


def test_a_byte_order_mark_is_no_problem() -> None:
    """A file that an editor began with a byte order mark loads like any other."""
    config = read(b"\xef\xbb\xbf" + MINIMAL.encode())

    assert config.node == "room-214"
