"""``alarm-node init``: the file that is written, and flags that are missing or wrong."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import convert
from msgspec.structs import replace

from node import config
from node.cli import init
from node.core.settings import Lamp, Sound
from tests.integration.cli.interview import (
    COMMENTED,
    LOUD,
    ROOMS,
    SECURE,
    SILENT,
    file_of,
    refused,
    without,
)


@pytest.mark.parametrize("given", ROOMS.values(), ids=ROOMS)
def test_a_file_of_flags_loads_and_says_what_was_given(path: Path, given: Mapping[str, str]) -> None:
    """The real reader takes it, and has the values of the flags."""
    init.run(path, given, None, print)

    loaded = config.load(path)
    (button,), (broker,) = loaded.settings.inputs, loaded.brokers
    assert (loaded.node, loaded.site, loaded.location) == ("room-214", "mitte", "2. OG, Zimmer 214")
    assert tomllib.loads(path.read_text(encoding="utf-8"))["button"][0]["pin"] == 17
    assert (button.sound, button.lamp) == ((Sound.LOUD, Lamp.SHOWN) if given is LOUD else (Sound.SILENT, Lamp.DISCREET))
    assert loaded.buzzer_pin == (22 if given is LOUD else None)
    assert broker.name == ("broker.example.org:8883" if given is SECURE else "127.0.0.1:1883")
    assert (broker.tls is not None) == (broker.login is not None) == (given is SECURE)


@pytest.mark.parametrize("given", ROOMS.values(), ids=ROOMS)
def test_every_key_is_in_the_file(given: Mapping[str, str]) -> None:
    """Each key of each table stands below its heading, as a line of its own or commented out, and is explained."""
    blocks: dict[str, str] = {}
    for block in re.split(r"^(?=#?\[)", file_of(given), flags=re.MULTILINE):
        blocks.setdefault(block.splitlines()[0].strip("#[]"), block)

    for table in config.NODE_FILE.tables:
        for key in table.declared:
            assert re.search(rf"^# .+\n#?{key.encode_name} = ", blocks[table.name], re.MULTILINE), key.encode_name


def test_what_is_commented_out_is_allowed_there() -> None:
    """Whoever takes a "#" away has a line that its key may have."""
    table = ""
    seen = set()

    for line in file_of(SILENT).splitlines():
        table = line.strip("#[]") if re.match(r"#?\[", line) else table
        if COMMENTED.match(line):
            ((name, shown),) = tomllib.loads(line.removeprefix("#")).items()
            convert(shown, init.QUESTIONS[f"{table}.{name}"].key.type)
            seen.add((table, name))

    assert len(seen) > 15


def test_what_is_called_the_default_is_the_default(path: Path) -> None:
    """Taking the "#" away from every default changes nothing."""
    written = file_of(LOUD)
    spelled_out, count = re.subn(r"(?<=default:\n)#", "", written)

    path.write_text(written, encoding="utf-8")
    silently = config.load(path)
    path.write_text(spelled_out, encoding="utf-8")
    openly = config.load(path)

    assert count > 5
    assert replace(openly, content=b"") == replace(silently, content=b"")


def test_a_table_that_is_not_needed_is_commented_out_whole() -> None:
    """Without a loud button there is no buzzer, and the file shows how one would be written."""
    assert "\n#[buzzer]\n" in file_of(SILENT)
    assert "\n[buzzer]\n" in file_of(LOUD)
    assert not tomllib.loads(file_of(SILENT)).keys() & {"buzzer"}


def test_a_table_that_may_come_again_is_shown_again() -> None:
    """A second broker and a second button are there to be used."""
    assert "# One more broker, of 4 at most:\n#[[broker]]\n#host = " in file_of(SILENT)
    assert "# One more button, of 16 at most:\n#[[button]]\n#pin = " in file_of(SILENT)


def test_text_is_written_as_toml_reads_it(path: Path) -> None:
    """Quotes, backslashes and umlauts come back as they were typed, however long."""
    place = 'Erdgeschoß, "Schalter" \\ ' + "ä" * 170

    init.run(path, SILENT | {"node.location": place}, None, print)

    assert config.load(path).location == place


def test_every_missing_flag_is_told_at_once(path: Path) -> None:
    """Each with what it must be and an example that a shell takes; and nothing is written."""
    error = refused({}, path)

    told = [problem.split()[0] for problem in error.problems]
    assert told == [
        "--node-id",
        "--node-site",
        "--node-location",
        "--button-pin",
        "--button-wiring",
        "--button-class",
        "--button-sound",
        "--lamp-pin",
        "--broker-host",
        "--broker-port",
    ]
    assert all(" is missing: must be " in problem for problem in error.problems)
    assert error.problems[2].endswith("for example --node-location '2. OG, Zimmer 214'")
    assert str(error).startswith("E007 10 flags are missing or wrong: nothing was written. Next: ")
    assert not path.exists()


@pytest.mark.parametrize(
    ("given", "missing", "why"),
    [
        (without(SILENT, "button.lamp"), "--button-lamp", "for a silent button it must be"),
        (without(LOUD, "buzzer.pin"), "--buzzer-pin", "must be a BCM number"),
        (without(SECURE, "broker.ca_file"), "--broker-ca-file", "or write --broker-insecure true, which stays a fault"),
        (without(SECURE, "broker.username"), "--broker-username", "where there is password_file it must be"),
        (SECURE | {"broker.certificate_file": "a.pem"}, "--broker-key-file", "where there is certificate_file"),
    ],
)
def test_what_another_answer_makes_necessary_is_missing(
    path: Path, given: Mapping[str, str], missing: str, why: str
) -> None:
    """The rules of config say what is missing, each with its reason."""
    error = refused(given, path)

    (problem,) = error.problems
    assert problem.startswith(f"{missing} is missing: ")
    assert why in problem
    assert str(error).startswith("E007 1 flag is missing")


def test_wrong_and_missing_flags_come_together(path: Path) -> None:
    """What is wrong is told as it would be of a file; both at once, so that one more try is enough."""
    error = refused(without(SILENT, "node.site") | {"button.sound": "low", "lamp.pin": "17"}, path)

    missing, sound, pin = error.problems
    assert missing.startswith("--node-site is missing: ")
    assert sound.startswith('[[button]] 1 sound = "low": must be "loud" or "silent" (no default: ')
    assert pin.startswith("[lamp] pin = 17: is the pin of [[button]] 1 already")


def test_a_password_in_the_place_of_its_file_is_not_shown(path: Path) -> None:
    """What is refused there may be the secret itself."""
    error = refused(SECURE | {"broker.password_file": "hunter2/"}, path)

    assert "hunter2" not in f"{error} {error.problems}"


@pytest.mark.parametrize("typed", ["2. OG\x7f", "2. OG\udcff", "2. OG\x1b[D"])
def test_a_character_that_is_none_is_refused(path: Path, typed: str) -> None:
    """An arrow key, or bytes that aren't UTF-8, never reach the file."""
    error = refused(SILENT | {"node.location": typed}, path)

    assert "node.location has a character that can't be printed: type it anew" in error.problems
    assert not path.exists()
