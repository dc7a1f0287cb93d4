"""The keys of node.toml: their limits, their examples and their choices."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import NODE_FILE, Config, load, problems_of, state_directory, watch
from node.config.declarations import choices, key_of
from node.config.reader import lacking
from node.core.settings import Lamp
from node.errors import ConfigError
from tests.integration.config.node_toml import (
    BUTTON,
    FULL,
    LAMP,
    MINIMAL,
    WRITE,
    changed,
    problems,
    read,
)
from tests.support.damage import DAMAGES, Damage, mend

# Each key of FULL's first tables of a kind: what it may just be, and what it may just not be.
LIMITS: dict[str, tuple[list[object], list[object]]] = {
    "id": (["a", "0-", "a" * 63], ["", "-a", "A", "a_b", "a\n", "a" * 64, 7]),
    "site": (["9"], ["", "ä"]),
    "location": (["x", "ü" * 200], ["", "x" * 201, "a\nb", 214]),
    "record_mb": ([8, 4096], [7, 4097, 64.5, "64"]),
    "state_directory": (["/", "/srv/a b"], ["", "srv", "~/alarm", "/a\x00b"]),
    "topic_root": (["a", "a/b c", "x" * 100], ["", "/a", "a/", "a//b", "a/+", "#", "$SYS/a", "x" * 101, "a\x00"]),
    "pin_factory": (["gpiod"], ["mock", "native", ""]),
    "chip": (["x", "pinctrl-bcm2711", "a" * 31], ["", "a" * 32, "a\nb", 0]),
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
        ("panel", "pin_factory", ("gpiod", "lgpio")),
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
