"""Reads a TOML file by declarations: tables are msgspec Structs, and ``be`` says what a value must be besides its type.

Each value is converted by itself, so that one wrong value can't hide another. A problem is one line in our own words:
the place, the key, its value, what is allowed, and an example of it.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.structs import FieldInfo, fields

from node.config.files import FileError
from node.config.files import content as read
from node.errors import ConfigError


def be(allowed: str, example: object, *, secret: bool = False, formerly: str = "", **limits: Any) -> Meta:
    """What a value must be: as words that follow "must be", as an example, and as msgspec's limits.

    A ``secret`` value isn't shown when it is wrong. ``formerly`` is an older name of the key, which is still read.
    If these words don't say what the key is for, write a text before them:
    ``Annotated[float, "how often the node says how it is", be("from 1 to 60 (seconds)", 10, ge=1, le=60)]``.
    """
    return Meta(description=allowed, examples=[example], extra={"secret": secret, "formerly": formerly}, **limits)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file; it is an array of tables (``[[name]]``) if ``most`` is above 1."""

    name: str
    keys: type[Struct]
    required: bool = True
    most: int = 1

    @property
    def heading(self) -> str:
        """The line with which the table begins in the file."""
        return f"[[{self.name}]]" if self.most > 1 else f"[{self.name}]"

    @property
    def declared(self) -> tuple[FieldInfo, ...]:
        """Its keys, in the order of their declaration."""
        return fields(self.keys)

    def flag(self, key: FieldInfo) -> str:
        """The command-line flag for this key."""
        return f"--{self.name}-{key.encode_name}".replace("_", "-")

    @property
    def missing(self) -> str:
        """The problem that this table is missing, and what to write."""
        lines = " / ".join(example(key) for key in self.declared if key.required)
        return f"{self.heading} is missing: write, each on a line of its own, {self.heading} / {lines}"


@dataclass(frozen=True, slots=True)
class Section:
    """One table as it stands in the file: its valid values, defaults included, by field name.

    ``outdated``: each key that has its older name in the file, as (older name, name).
    """

    place: str
    values: dict[str, Any]
    outdated: tuple[tuple[str, str], ...] = ()


Sections = Mapping[str, list[Section]]


def lacking(problem: str) -> tuple[str, str, str] | None:
    """What this problem says is missing: the table, the key ("" for a whole table), and what to write.

    None if the problem isn't a missing value.
    """
    found = re.fullmatch(r"\[+(\w+)\]+(?: \d+)?(?: (\w+))? is missing: (.*)", problem)
    return (found[1], found[2] or "", found[3]) if found else None


def refusal(path: Path, *problems: str, program: str = "alarm-node") -> ConfigError:
    """The error with all of these problems of a file; it tells people to check the file again with ``program``."""
    return ConfigError(tuple(f"{path}: {problem}" for problem in problems), str(path), program)


def parse(path: Path, program: str = "alarm-node") -> dict[str, Any]:
    """The file as TOML; ConfigError, with the place, if it isn't TOML."""
    try:
        content = read(path.absolute())
    except FileError as failure:
        why = failure.__cause__.strerror if isinstance(failure.__cause__, OSError) else failure.reason
        advice = "check that the file exists and that this account may read it, or name another with --config"
        raise refusal(path, f"can't be opened ({why}): {advice}", program=program) from failure
    try:
        # Editors on Windows begin a file with a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        place = _place(failure.object[: failure.start].decode())
        raise refusal(path, f"isn't UTF-8 ({place}): save the file as UTF-8", program=program) from failure
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as failure:
        reason = str(failure).replace("end of document", f"the end, {_place(text)}")
        advice = 'mend this place (every line is [table] or key = value, texts stand in "quotes"), then check again'
        raise refusal(path, f"isn't TOML: {reason}: {advice}", program=program) from failure


def first_problem(load: Callable[[], Sequence[str]]) -> str:
    """The first problem that ``load`` raises or returns, and how many follow it, on one line; "" if there is none."""
    try:
        problems = load()
    except ConfigError as error:
        problems = error.problems
    more = len(problems) - 1
    return "" if not problems else problems[0] if not more else f"{problems[0]} (and {more} more)"


def _place(before: str) -> str:
    """The line and column after this beginning of a text, both counted from 1."""
    lines = before.split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def unknown_tables(document: Mapping[str, Any], tables: Iterable[Table]) -> list[str]:
    """The problems of tables that aren't declared."""
    headings = {table.name: table.heading for table in tables}
    return [f"{_bare(name)} is unknown: {_nearest(name, headings)}" for name in document if name not in headings]


def _nearest(name: str, known: Mapping[str, str]) -> str:
    """The known name that ``name`` was probably meant to be, else all known names; ``known`` says how each is shown."""
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {known[near[0]]}?" if near else f"allowed here are {', '.join(known.values())}"


def read_table(table: Table, document: Mapping[str, Any], problems: list[str]) -> list[Section]:
    """The tables of this name with their valid values; problems with the others are added to ``problems``."""
    found = document.get(table.name, [])
    if found == []:
        problems += [table.missing] if table.required else []
        return []
    entries = found if table.most > 1 else [found]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{table.name} has the wrong shape: write {table.heading}, and its keys on the lines below")
        return [Section(table.heading, {})]
    if len(entries) > table.most:
        problems.append(f"{table.heading} stands there {len(entries)} times: must be at most {table.most}")
    places = [f"{table.heading} {number}" if table.most > 1 else table.heading for number in range(1, len(entries) + 1)]
    return [_read_section(table, place, entry, problems) for place, entry in zip(places, entries, strict=True)]


def _read_section(table: Table, place: str, entry: Mapping[str, Any], problems: list[str]) -> Section:
    keys = {key.encode_name: key for key in table.declared}
    outdated = {_formerly(key): name for name, key in keys.items() if _formerly(key) in entry}
    shown = {name: f'"{name}"' for name in keys}
    unknown = [name for name in entry if name not in keys and name not in outdated]
    problems += [f"{place} {_bare(name)} is unknown: {_nearest(name, shown)}" for name in unknown]
    problems += [
        f"{place} {older} and {name}: leave the first out: it is the older name of the second"
        for older, name in outdated.items()
        if name in entry
    ]
    given = {name: (older, entry[older]) for older, name in outdated.items()}
    given |= {name: (name, entry[name]) for name in keys if name in entry}
    values: dict[str, Any] = {}
    for name, key in keys.items():
        if name in given:
            written_as, value = given[name]
            try:
                values[key.name] = convert(value, key.type)
            except ValidationError:
                value_shown = "" if _is_secret(key) else f" = {toml(value)}"
                problems.append(f"{place} {written_as}{value_shown}: {allowed(key)}")
        elif key.required:
            problems.append(f"{place} {name} is missing: {allowed(key)}")
        else:
            values[key.name] = key.default
    return Section(place, values, tuple(outdated.items()))


def allowed(key: FieldInfo) -> str:
    """What the value of this key must be, with an example."""
    return f"must be {_meta(key).description}, for example {example(key)}"


def example(key: FieldInfo) -> str:
    """A line of the file that is allowed for this key."""
    return f"{key.encode_name} = {toml(example_value(key))}"


def example_value(key: FieldInfo) -> Any:
    """A value that is allowed for this key."""
    examples = _meta(key).examples or []
    return examples[0]


def choices(key: FieldInfo) -> tuple[str, ...]:
    """The values that this key may have, as the file writes them without quotes; empty if they can't be listed."""
    declared = get_args(key.type)[0]
    if declared is bool:
        return ("true", "false")
    kinds = get_args(declared) or (declared,)
    literals = [kind for kind in kinds if isinstance(kind, str)]
    enums = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum)]
    return (*literals, *(str(member.value) for enum in enums for member in enum))


def key_of(keys: type[Struct], name: str) -> FieldInfo:
    """The declaration of a key, by its field's name."""
    return next(key for key in fields(keys) if key.name == name)


def purpose(key: FieldInfo) -> str:
    """What this key is for; empty if its "must be" already says that."""
    return next((text for text in key.type.__metadata__ if isinstance(text, str)), "")


def meaning(key: FieldInfo) -> str:
    """What this key is for and what it must be, in sentences."""
    said = filter(None, [purpose(key), _meta(key).description])
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in said)


def _meta(key: FieldInfo) -> Meta:
    """The outermost Meta of a key; the inner ones hold its type's limits."""
    meta: Meta = key.type.__metadata__[-1]
    return meta


def _is_secret(key: FieldInfo) -> bool:
    return bool((_meta(key).extra or {}).get("secret"))


def _formerly(key: FieldInfo) -> str:
    return str((_meta(key).extra or {}).get("formerly", ""))


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else toml(name)


def toml(value: object) -> str:
    """A value as node.toml writes it, cut to stay readable on one line."""
    text = written(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def written(value: object) -> str:
    """A value as node.toml writes it."""
    return json.dumps(value, ensure_ascii=False, default=str)


def repeated(told: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any, str]]:
    """Of (place, value) pairs, each whose value occurred before: (place, value, the place where it occurred first)."""
    first: dict[Any, str] = {}
    for place, value in told:
        if value in first:
            yield place, value, first[value]
        first.setdefault(value, place)
