"""node.example.toml: it loads as it is and with each of its alternatives, and has every key."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import NODEFAULT

from node import config

EXAMPLE = Path(__file__).parents[2] / "deploy" / "node.example.toml"
LINES = tuple(EXAMPLE.read_text(encoding="utf-8").splitlines())
KEY = re.compile(r"#?([a-z_]+) = ")
HEADING = re.compile(r"#?(\[+([a-z]+)\]+)$")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Lines, from ``start`` on, that are used together once their "#" is taken away: of one table, or a whole one."""

    start: int
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"line {self.start + 1}: {', '.join(self.keys)}"

    def lines(self) -> list[str]:
        """The example with this alternative in the place of what it replaces; a whole table replaces nothing."""
        if HEADING.match(LINES[self.start]):
            mine = range(self.start, self.start + 1 + len(self.keys))
            return [line.removeprefix("#") if number in mine else line for number, line in enumerate(LINES)]
        heading = max(number for number in range(self.start) if LINES[number].startswith("["))
        end = next((number for number in range(self.start, len(LINES)) if LINES[number].startswith("[")), len(LINES))
        mine = range(self.start, self.start + len(self.keys))
        replaced = tuple(f"{key} = " for key in self.keys)
        return [
            line.removeprefix("#") if number in mine else line
            for number, line in enumerate(LINES)
            if not (heading < number < end and line.startswith(replaced))
        ]


def alternatives() -> Iterator[Alternative]:
    """Each run of commented keys, with the commented heading before it; a key that comes again begins another one."""
    start = 0
    keys: list[str] = []
    for number, line in enumerate((*LINES, "")):
        found = KEY.match(line) if line.startswith("#") else None
        if keys and (found is None or found[1] in keys):
            yield Alternative(start, tuple(keys))
            keys = []
        if found is not None:
            is_headed = number > 0 and LINES[number - 1].startswith("#[")
            start = start if keys else number - is_headed
            keys.append(found[1])


ALTERNATIVES = tuple(alternatives())


def shown() -> dict[str, dict[str, list[Any]]]:
    """Every value that the example shows, by table and key, commented or not."""
    values: dict[str, dict[str, list[Any]]] = {}
    table = ""
    for line in LINES:
        if heading := HEADING.match(line):
            table = heading[2]
            values.setdefault(table, {})
        elif KEY.match(line):
            ((key, value),) = tomllib.loads(line.removeprefix("#")).items()
            values[table].setdefault(key, []).append(value)
    return values


DECLARED = [(table.name, key) for table in config.NODE_FILE.tables for key in table.declared]


def test_the_example_loads_as_it_is() -> None:
    """Whoever copies it to /etc/alarm-node has a whole configuration."""
    loaded = config.load(EXAMPLE)

    assert (loaded.node, loaded.site) == ("room-214", "mitte")


@pytest.mark.parametrize("alternative", ALTERNATIVES, ids=str)
def test_each_alternative_loads(alternative: Alternative, tmp_path: Path) -> None:
    """Taking the "#" away, and what it replaces, leaves a configuration that can be used, and changes it or says so."""
    path = tmp_path / "node.toml"
    path.write_text("\n".join(alternative.lines()), encoding="utf-8")

    config.load(path)

    assert tomllib.loads(path.read_text(encoding="utf-8")) != tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))


def test_there_are_alternatives() -> None:
    """The test above has something to look at."""
    assert len(ALTERNATIVES) > 15


@pytest.mark.parametrize(("table", "key"), DECLARED, ids=lambda each: getattr(each, "encode_name", each))
def test_every_key_is_in_the_example(table: str, key: Any) -> None:
    """A key that node.toml may have is shown, and its default too where it has one."""
    values = shown()[table].get(key.encode_name)

    assert values, f"[{table}] {key.encode_name} is missing in the example"
    if key.default is not NODEFAULT and key.default not in (None, (), False):
        assert key.default in values


def test_the_example_has_no_other_key() -> None:
    """What isn't a key any more is gone from the example."""
    known = {(table, key.encode_name) for table, key in DECLARED}

    assert {(table, key) for table, keys in shown().items() for key in keys} == known


def test_every_key_is_explained() -> None:
    """Where a key of a table is shown for the first time, its paragraph says what it means."""
    table = ""
    seen: set[tuple[str, str]] = set()
    bare: list[str] = []
    for paragraph in "\n".join(LINES).split("\n\n"):
        lines = paragraph.splitlines()
        for line in lines:
            table = heading[1] if (heading := HEADING.match(line)) else table
            found = KEY.match(line)
            if found is not None and (table, found[1]) not in seen:
                seen.add((table, found[1]))
                bare += [line] if not any(each.startswith("# ") for each in lines) else []

    assert len(seen) == len(DECLARED)
    assert bare == []
