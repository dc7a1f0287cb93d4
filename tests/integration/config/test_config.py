"""node.toml: what is taken from a good one, and what is answered to a wrong one."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import NODE_FILE, Broker, Config, Login, Tls, load, problems_of, state_directory, watch
from node.config.declarations import choices, key_of
from node.config.reader import lacking
from node.core.settings import AlarmClass, InputSettings, Lamp, Receipts, Settings, Sound, Wiring
from node.errors import ConfigError
from tests.support.damage import DAMAGES, Damage, mend

MINIMAL = """\
[node]
id = "room-214"
site = "mitte"
location = "2. OG, Zimmer 214"

[panel]
pin_factory = "lgpio"

[[button]]
pin = 17
wiring = "normally-open"
class = "threat"
sound = "silent"
lamp = "shown"

[lamp]
pin = 23

[[broker]]
host = "127.0.0.1"
port = 1883
"""

FULL = """\
[node]
id = "counter"
site = "south-1"
location = "Erdgeschoß, Schalter"
state_directory = "/srv/alarm"
record_mb = 128
topic_root = "haus/alarm/v1"

[panel]
pin_factory = "lgpio"
debounce_ms = 39
sample_hz = 50

[[button]]
name = "desk"
pin = 17
wiring = "normally-closed"
class = "amok"
sound = "silent"
lamp = "discreet"

[[button]]
name = "door"
pin = 27
wiring = "normally-open"
class = "assist"
sound = "loud"

[buzzer]
pin = 22
sound_limit_s = 60.5

[lamp]
pin = 23

[[broker]]
host = "broker-a.example"
port = 8883
ca_file = "/etc/alarm/ca.pem"
certificate_file = "/etc/alarm/counter.pem"
key_file = "/etc/alarm/counter.key"
username = "Schalter 1"
password_file = "/etc/alarm/password"

[[broker]]
host = "fd00::7"
port = 65535
insecure = true

[supervision]
heartbeat_s = 5
receipt_s = 7.5
receipts = "required"
monitors = ["guard-desk", "porter"]
"""

BUTTON = MINIMAL[MINIMAL.index("[[button]]") : MINIMAL.index("[lamp]")]
LAMP = "[lamp]\npin = 23\n"
BROKER = MINIMAL[MINIMAL.index("[[broker]]") :]
ID = "1 to 63 lower-case letters, digits and hyphens that begin with a letter or digit"
PIN = "a BCM number from 0 to 27 (GPIO17 is 17, whatever its place on the header)"
WRITE = "write, each on a line of its own,"
MEND = 'correct this place (each line is [table] or key = value; texts are in "quotes"), then check again'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, so that a path can be given as a person gives it."""
    monkeypatch.chdir(tmp_path)


def read(content: str | bytes) -> Config:
    """The configuration that a node.toml of this content gives."""
    path = Path("node.toml")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(path)


def problems(content: str | bytes) -> list[str]:
    """What is answered to a node.toml of this content."""
    with pytest.raises(ConfigError) as caught:
        read(content)
    return list(caught.value.problems)


def changed(content: str, old: str, new: str) -> str:
    """This file with the first ``old`` replaced; it must be there."""
    assert old in content
    return content.replace(old, new, 1)


def test_a_minimal_file_takes_every_default() -> None:
    """A file of required keys alone loads, and everything else has the documented default."""
    config = read(MINIMAL)

    assert config == Config(
        path=Path("node.toml"),
        node="room-214",
        site="mitte",
        location="2. OG, Zimmer 214",
        root="alarm/v1",
        state_directory=None,
        record_mb=64,
        pin_factory="lgpio",
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

    assert config == Config(
        path=Path("node.toml"),
        node="counter",
        site="south-1",
        location="Erdgeschoß, Schalter",
        root="haus/alarm/v1",
        state_directory=Path("/srv/alarm"),
        record_mb=128,
        pin_factory="lgpio",
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


WRONG_FILES = {
    "unknown key": (
        changed(MINIMAL, 'pin_factory = "lgpio"', 'pin_factory = "lgpio"\ndebounce = 20'),
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
        (
            "x is unknown: allowed here are [node], [panel], [[button]], [[door]], [tamper], [reset], [buzzer], "
            "[lamp], [[broker]], [supervision]"
        ),
    ),
    "out of range": (
        changed(MINIMAL, 'pin_factory = "lgpio"', 'pin_factory = "lgpio"\ndebounce_ms = 50'),
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
        changed(MINIMAL, '"lgpio"', '"mock"'),
        (
            '[panel] pin_factory = "mock": must be "lgpio" (the mock factory is for "alarm-node simulate", which takes '
            'it whatever stands here), for example pin_factory = "lgpio"'
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
        pin_factory = "lgpio"
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


# Each key of FULL's first tables of a kind: what it may just be, and what it may just not be.
LIMITS: dict[str, tuple[list[object], list[object]]] = {
    "id": (["a", "0-", "a" * 63], ["", "-a", "A", "a_b", "a\n", "a" * 64, 7]),
    "site": (["9"], ["", "ä"]),
    "location": (["x", "ü" * 200], ["", "x" * 201, "a\nb", 214]),
    "record_mb": ([8, 4096], [7, 4097, 64.5, "64"]),
    "state_directory": (["/", "/srv/a b"], ["", "srv", "~/alarm", "/a\x00b"]),
    "topic_root": (["a", "a/b c", "x" * 100], ["", "/a", "a/", "a//b", "a/+", "#", "$SYS/a", "x" * 101, "a\x00"]),
    "pin_factory": (["lgpio"], ["mock", "native", ""]),
    "debounce_ms": ([6, 39], [5, 40, 20.0, True, "20"]),
    "sample_hz": ([20, 100, 33.3], [19.9, 100.1, True, "20"]),
    "name": (["button"], ["", "Desk"]),
    "pin": ([0, 26], [-1, 28, 4.0, True, 2**70]),
    "wiring": (["normally-open"], ["no", True]),
    "class": (["assist", "threat"], ["panic", 1]),
    "sound": (["loud", "silent"], ["off", False]),
    "lamp": (["shown"], ["off", False]),
    "sound_limit_s": ([10, 3600], [9.9, 3601, True]),
    "host": (["localhost", "::1", "fe80::1%eth0", "10.0.0.1"], ["", "a b", "mqtt://a", "a:1883", "u@a", "a\n", 1]),
    "port": ([1, 65535], [0, 65536, True, 1883.0, "1883"]),
    "ca_file": (["/", "ca.pem", "/a b", ".a"], ["", "a/b", "./a", ".", "..", "a\x00", 1]),
    "certificate_file": (["node.pem"], ["", "a/b"]),
    "key_file": (["node.key"], ["", "a/b"]),
    "username": (["a", "ü" * 200], ["", "x" * 201, "a\nb", 1]),
    "insecure": ([True], ["true", 1]),
    "heartbeat_s": ([1, 60, 2.5], [0.9, 60.1, True]),
    "receipt_s": ([5, 60], [4.9, 61, True]),
    "receipts": (["required"], ["auto", "always", False]),
    "monitors": ([[], ["a"] * 16], [["a"] * 17, ["A"], [1], "guard-desk"]),
}


def with_value(key: str, value: object) -> str:
    """FULL with another value for the first key of this name; a loud button has no lamp of its own."""
    content = re.sub("^lamp = .*\n", "", FULL, flags=re.MULTILINE) if (key, value) == ("sound", "loud") else FULL
    written = json.dumps(value, ensure_ascii=False)
    result, count = re.subn(rf"^{key} = .*$", lambda _: f"{key} = {written}", content, count=1, flags=re.MULTILINE)
    assert count == 1
    return result


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (good, _) in LIMITS.items() for value in good])
def test_a_value_at_the_limit_is_taken(key: str, value: object) -> None:
    """What is just allowed loads."""
    config = read(with_value(key, value))

    assert isinstance(config, Config)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (_, bad) in LIMITS.items() for value in bad])
def test_a_value_beyond_the_limit_is_refused(key: str, value: object) -> None:
    """What is just not allowed is answered with the key, the value and what it must be."""
    (answer,) = problems(with_value(key, value))

    assert re.fullmatch(rf"node\.toml: \[.+ {key} = .+: must be .+, for example {key} = .+", answer)


@pytest.mark.parametrize("key", LIMITS)
def test_the_example_in_an_answer_is_allowed(key: str) -> None:
    """Whoever writes what the answer gives as an example has mended the key."""
    (answer,) = problems(with_value(key, -1))
    example = json.loads(answer.partition(f", for example {key} = ")[2])

    config = read(with_value(key, example))

    assert isinstance(config, Config)


def test_sixteen_buttons_are_allowed_and_no_more() -> None:
    """A seventeenth button is answered with the limit."""
    rest = changed(MINIMAL, BUTTON, "")
    buttons = [changed(BUTTON, "pin = 17", f'name = "b{pin}"\npin = {pin}') for pin in range(17)]

    config = read(rest + "\n".join(buttons[:16]))
    answers = problems(rest + "\n".join(buttons))

    assert len(config.settings.inputs) == 16
    assert answers == ["node.toml: [[button]] stands there 17 times: must be at most 16"]


def test_a_file_written_from_the_answers_loads() -> None:
    """Whoever starts with an empty file and writes what the answers show ends with one that loads."""
    tables = [answer.partition(f"is missing: {WRITE} ")[2].replace(" / ", "\n") for answer in problems("")]
    written = "\n".join(tables)
    (answer,) = problems(written)
    mended = changed(written, "[[button]]", f"[[button]]\n{answer.partition('for example ')[2]}")

    config = read(mended)

    assert config.settings.inputs[0].lamp is Lamp.DISCREET


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        (MINIMAL.replace('site = "mitte"\n', ""), ("node", "site")),
        (MINIMAL.replace(LAMP, ""), ("lamp", "")),
        (MINIMAL.replace(BUTTON, ""), ("button", "")),
        (MINIMAL.replace('lamp = "shown"\n', ""), ("button", "lamp")),
        (MINIMAL.replace('silent"\nlamp = "shown', "loud"), ("buzzer", "")),
        (MINIMAL.replace("127.0.0.1", "broker.example"), ("broker", "ca_file")),
        (MINIMAL + 'password_file = "/secret"\n', ("broker", "username")),
        (MINIMAL + BUTTON.replace("17", "27").replace("pin", 'name = "desk"\npin'), ("button", "name")),
    ],
)
def test_what_is_only_missing_can_be_told_from_what_is_wrong(content: str, lacks: tuple[str, str]) -> None:
    """Whoever asks for it learns the table and the key from the problem, and what to write."""
    (problem,) = problems_of(tomllib.loads(content))

    found = lacking(problem)

    assert found is not None
    assert found[:2] == lacks
    assert problem.endswith(found[2])
    assert "must be" in found[2] or found[2].startswith("write")


@pytest.mark.parametrize("content", [MINIMAL.replace("17", "99"), MINIMAL.replace("17", "23"), MINIMAL + "[dor]\n"])
def test_what_is_wrong_is_not_missing(content: str) -> None:
    """A value that isn't allowed, one that contradicts another, and a stranger aren't mended by an answer."""
    (problem,) = problems_of(tomllib.loads(content))

    assert lacking(problem) is None


@pytest.mark.parametrize(
    ("table", "name", "among"),
    [
        ("button", "sound", ("loud", "silent")),
        ("button", "lamp", ("shown", "discreet")),
        ("panel", "pin_factory", ("lgpio",)),
        ("broker", "insecure", ("true", "false")),
        ("button", "pin", ()),
        ("node", "location", ()),
        ("supervision", "monitors", ()),
    ],
)
def test_a_key_tells_its_choices(table: str, name: str, among: tuple[str, ...]) -> None:
    """The few values that it may have, and nothing where they are endless."""
    assert choices(key_of(NODE_FILE.table(table).keys, name)) == among


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(sorted(LIMITS)), value=ANYTHING)
def test_any_value_is_taken_or_answered(key: str, value: object) -> None:
    """Whatever stands behind a key, the file loads or is answered line by line; nothing else comes out."""
    content = with_value(key, value)
    answers: list[str] = []

    try:
        read(content)
    except ConfigError as refusal:
        answers = list(refusal.problems)

    assert not [answer for answer in answers if not answer.startswith("node.toml: ") or "\n" in answer]


@pytest.mark.parametrize(
    ("content", "environ", "directory"),
    [
        (FULL, {"STATE_DIRECTORY": "/run/given"}, "/run/given"),
        (FULL, {"STATE_DIRECTORY": "/run/first:/run/second"}, "/run/first"),
        (FULL, {"STATE_DIRECTORY": ""}, "/srv/alarm"),
        (FULL, {}, "/srv/alarm"),
        (MINIMAL, {"STATE_DIRECTORY": "/run/given"}, "/run/given"),
        (MINIMAL, {}, "/var/lib/alarm-node"),
    ],
)
def test_the_state_directory_is_systemds_then_the_files_then_the_default(
    content: str, environ: dict[str, str], directory: str
) -> None:
    """$STATE_DIRECTORY (the first of several) goes before [node] state_directory, and that before the default."""
    config = read(content)

    assert state_directory(config, environ) == Path(directory)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_file_that_is_damaged_is_refused_by_its_name(damage: Damage) -> None:
    """Nothing else is raised, and nothing is waited for."""
    Path("node.toml").write_text(MINIMAL, encoding="utf-8")
    damage(Path("node.toml"))

    with pytest.raises(ConfigError) as caught:
        load(Path("node.toml"))

    assert all(answer.startswith("node.toml: ") for answer in caught.value.problems)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_would_keep_the_next_start_from_reading_it_is_told(damage: Damage) -> None:
    """In one line that names the file, for as long as it is so."""
    path = Path("node.toml")
    path.write_text(MINIMAL, encoding="utf-8")
    look = watch(path)
    before = look()

    damage(path)
    damaged = look()
    mend(path, MINIMAL.encode())
    mended = look()

    assert (before, mended) == ("", "")
    assert "node.toml" in damaged
    assert "\n" not in damaged


def test_of_many_problems_the_first_is_told_with_their_number() -> None:
    """A fault in a log is one line; the doctor has them all."""
    path = Path("node.toml")
    path.write_text(MINIMAL.replace("pin = 17", "pin = 99").replace("port = 1883", "port = 0"), encoding="utf-8")

    assert watch(path)().endswith("(and 1 more)")
