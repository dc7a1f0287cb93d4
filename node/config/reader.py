"""Reads a TOML file by its declarations, and reports every problem at once.

1. Unknown tables and keys are refused, with the nearest known name. Their values aren't shown: one may be a secret.
2. Each value is converted by itself, so that one wrong value can't hide another. The rules don't see wrong values.
3. A problem is one line in our own words: the place, the key, its value (unless that may be a secret), what is allowed,
   and an example of it.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, ValidationError, convert

from node.config.declarations import Table, allowed, is_secret, older_name, toml
from node.config.files import FileError, content
from node.errors import ConfigError


class Section(Struct, frozen=True):
    """One table as it stands in the file: its valid values, defaults included, by field name.

    ``outdated``: each key that has its older name in the file, as (older name, name).
    """

    place: str
    values: dict[str, Any]
    outdated: tuple[tuple[str, str], ...] = ()


Sections = Mapping[str, list[Section]]

Rule = Callable[[Sections], Iterator[str]]
"""Yields the problems of several values together."""


class FileFormat(Struct, frozen=True):
    """What a file may have: its tables, and the rules about several values; ``program`` is whose file it is."""

    program: str
    tables: tuple[Table, ...]
    rules: tuple[Rule, ...]

    def table(self, name: str) -> Table:
        """The table of this name."""
        return next(table for table in self.tables if table.name == name)

    def load(self, path: Path) -> Sections:
        """The tables of this file. Raises ConfigError with all problems if there is one."""
        return self.understand(path, opened(path, self.program))

    def understand(self, path: Path, found: bytes) -> Sections:
        """The tables of this content of the file ``path``. Raises ConfigError with all problems if there is one."""
        sections, problems = self.read(parsed(path, found, self.program))
        if problems:
            raise refusal(path, *problems, program=self.program)
        return sections

    def read(self, document: Mapping[str, Any]) -> tuple[Sections, list[str]]:
        """The tables of a file's content with their valid values, and what is wrong with the others, one line each.

        ``lacking`` tells which problems are missing values.
        """
        problems = _unknown_tables(document, self.tables)
        sections = {table.name: _read_table(table, document, problems) for table in self.tables}
        problems += [problem for rule in self.rules for problem in rule(sections)]
        return sections, problems


def first(keys: type[Struct], sections: Sequence[Section]) -> Any:
    """The values of a table that stands at most once; its defaults if it isn't there."""
    return keys(**sections[0].values) if sections else keys()


def lacking(problem: str) -> tuple[str, str, str] | None:
    """What this problem says is missing: the table, the key ("" for a whole table), and what to write.

    None if the problem isn't a missing value.
    """
    found = re.fullmatch(r"\[+(\w+)\]+(?: \d+)?(?: (\w+))? is missing: (.*)", problem)
    return (found[1], found[2] or "", found[3]) if found else None


def refusal(path: Path, *problems: str, program: str, absent: bool = False) -> ConfigError:
    """The error with all of these problems of a file; its next step checks or writes the file with ``program``."""
    return ConfigError(tuple(f"{path}: {problem}" for problem in problems), str(path), program, absent=absent)


def parse(path: Path, program: str) -> dict[str, Any]:
    """The file as TOML; ConfigError, with the place, if it isn't TOML."""
    return parsed(path, opened(path, program), program)


def opened(path: Path, program: str) -> bytes:
    """The content of the file; ConfigError if it can't be read."""
    try:
        return content(path.absolute())
    except FileError as failure:
        why = failure.__cause__.strerror if isinstance(failure.__cause__, OSError) else failure.reason
        advice = "check that the file exists and that this account may read it, or name another with --config"
        absent = isinstance(failure.__cause__, FileNotFoundError)
        raise refusal(path, f"can't be opened ({why}): {advice}", program=program, absent=absent) from failure


def parsed(path: Path, found: bytes, program: str) -> dict[str, Any]:
    """This content of the file ``path`` as TOML; ConfigError, with the place, if it isn't TOML."""
    try:
        # Editors on Windows begin a file with a byte order mark.
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        place = _place(failure.object[: failure.start].decode())
        raise refusal(path, f"isn't UTF-8 ({place}): save the file as UTF-8", program=program) from failure
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as failure:
        reason = str(failure).replace("end of document", f"the end, {_place(text)}")
        advice = 'correct this place (each line is [table] or key = value; texts are in "quotes"), then check again'
        raise refusal(path, f"isn't TOML: {reason}: {advice}", program=program) from failure


def first_problem(load: Callable[[], Sequence[str]]) -> str:
    """The first problem that ``load`` raises or returns, and how many follow it, on one line; "" if there is none."""
    try:
        problems = load()
    except ConfigError as error:
        problems = error.problems
    more = len(problems) - 1
    return "" if not problems else problems[0] if not more else f"{problems[0]} (and {more} more)"


def repeated(told: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any, str]]:
    """Of (place, value) pairs, each whose value occurred before: (place, value, the place where it occurred first)."""
    first_place: dict[Any, str] = {}
    for place, value in told:
        if value in first_place:
            yield place, value, first_place[value]
        first_place.setdefault(value, place)


def _place(before: str) -> str:
    """The line and column after this beginning of a text, both counted from 1."""
    lines = before.split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def _unknown_tables(document: Mapping[str, Any], tables: Iterable[Table]) -> list[str]:
    """The problems of tables that aren't declared."""
    headings = {table.name: table.heading for table in tables}
    return [f"{_bare(name)} is unknown: {_nearest(name, headings)}" for name in document if name not in headings]


def _nearest(name: str, known: Mapping[str, str]) -> str:
    """The known name that ``name`` was probably meant to be, else all known names; ``known`` says how each is shown."""
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {known[near[0]]}?" if near else f"allowed here are {', '.join(known.values())}"


def _read_table(table: Table, document: Mapping[str, Any], problems: list[str]) -> list[Section]:
    """The tables of this name with their valid values; problems with the others are added to ``problems``."""
    found = document.get(table.name, [])
    if found == []:
        problems += [table.missing] if table.required else []
        return []
    entries = found if table.most > 1 else [found]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{table.name} has the wrong form: write {table.heading}, and its keys on the lines below")
        return [Section(table.heading, {})]
    if len(entries) > table.most:
        problems.append(f"{table.heading} stands there {len(entries)} times: must be at most {table.most}")
    places = [f"{table.heading} {number}" if table.most > 1 else table.heading for number in range(1, len(entries) + 1)]
    return [_read_section(table, place, entry, problems) for place, entry in zip(places, entries, strict=True)]


def _read_section(table: Table, place: str, entry: Mapping[str, Any], problems: list[str]) -> Section:
    keys = {key.encode_name: key for key in table.declared}
    outdated = {name: older_name(key) for name, key in keys.items() if older_name(key) in entry}
    shown = {name: f'"{name}"' for name in keys}
    strangers = [name for name in entry if name not in keys and name not in outdated.values()]
    problems += [f"{place} {_bare(name)} is unknown: {_nearest(name, shown)}" for name in strangers]
    values: dict[str, Any] = {}
    for name, key in keys.items():
        if name in entry and name in outdated:
            either = f"{outdated[name]} and {name}"
            problems.append(f"{place} {either}: leave the first out: it is the older name of the second")
        there = name if name in entry else outdated.get(name, name)
        if there in entry:
            try:
                values[key.name] = convert(entry[there], key.type)
            except ValidationError:
                value = "" if is_secret(key) else f" = {toml(entry[there])}"
                problems.append(f"{place} {there}{value}: {allowed(key)}")
        elif key.required:
            problems.append(f"{place} {name} is missing: {allowed(key)}")
        else:
            values[key.name] = key.default
    return Section(place, values, tuple((older, name) for name, older in outdated.items()))


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else toml(name)
