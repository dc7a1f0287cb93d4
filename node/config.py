"""node.toml -> frozen, validated settings; every problem reported in one go.

1. Each table of the file is a class below and each key one field of it: its type, what it must be, an example and a
   default. A key is declared there and nowhere else; ``_build`` hands it on.
2. Unknown tables and keys are refused, with the nearest known name. Their values aren't shown: one may be a secret.
3. Each value is converted by itself, so that a wrong one hides no other. What is wrong is left out of rule 4.
4. What several values must agree on stands in ``_RULES``, one function each.
5. A problem is one line: the file, the table, the key, its value, what is allowed, and an example of it.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError, convert, field
from msgspec.structs import FieldInfo, fields

from node.core.settings import AlarmClass, InputSettings, Lamp, Receipts, Settings, Sound, Wiring
from node.errors import ConfigError

DEFAULT_STATE_DIRECTORY = Path("/var/lib/alarm-node")
_SOUND_LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens; ``name`` is ``host:port``, unique in a node."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Config:
    """All that node.toml says. ``input_pins`` maps an input's name to its BCM pin; ``root`` begins every topic."""

    path: Path
    node: str
    site: str
    location: str
    root: str
    state_directory: Path | None
    pin_factory: str
    sample_hz: float
    input_pins: Mapping[str, int]
    buzzer_pin: int | None
    lamp_pin: int
    brokers: tuple[Broker, ...]
    settings: Settings


def _be(allowed: str, example: object, **limits: Any) -> Meta:
    """What a value must be: in words that follow "must be", as an example, and as msgspec's limits."""
    return Meta(description=allowed, examples=[example], **limits)


_Id = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,62}\Z")]
_ID = "1 to 63 lower-case letters, digits and hyphens that begin with a letter or digit"
_Pin = Annotated[int, Meta(ge=0, le=27)]
_PIN = "a BCM number from 0 to 27 (GPIO17 is 17, whatever its place on the header)"
_Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
_AbsolutePath = Annotated[str, Meta(pattern=r"\A/[^\x00]*\Z")]
_TopicRoot = Annotated[str, Meta(max_length=100, pattern=r"\A[^/+#$\x00-\x1f\x7f]+(/[^/+#$\x00-\x1f\x7f]+)*\Z")]
_Host = Annotated[str, Meta(pattern=r"\A([^\s/:@]+|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[^\s/@]*)\Z")]


class _Node(Struct, frozen=True, kw_only=True):
    id: Annotated[_Id, _be(_ID, "room-214")]
    site: Annotated[_Id, _be(_ID, "mitte")]
    location: Annotated[_Line, _be("1 to 200 characters on one line that say where to go", "2. OG, Zimmer 214")]
    state_directory: Annotated[_AbsolutePath | None, _be("an absolute path", "/var/lib/alarm-node")] = None
    topic_root: Annotated[_TopicRoot, _be('1 to 100 characters without "+", "#", "$" and empty levels', "alarm/v1")] = (
        "alarm/v1"
    )


class _Panel(Struct, frozen=True, kw_only=True):
    pin_factory: Annotated[
        Literal["lgpio"],
        _be('"lgpio" (the mock factory is for "alarm-node simulate", which takes it whatever stands here)', "lgpio"),
    ]
    debounce_ms: Annotated[int, _be("from 6 to 39 (whole milliseconds)", 20, ge=6, le=39)] = 20
    sample_hz: Annotated[float, _be("from 20 to 100 (samples a second)", 20, ge=20, le=100)] = 20.0


class _Button(Struct, frozen=True, kw_only=True):
    name: Annotated[_Id | None, _be(_ID, "desk")] = None
    pin: Annotated[_Pin, _be(_PIN, 17)]
    wiring: Annotated[Wiring, _be('"normally-open" or "normally-closed"', "normally-open")]
    alarm_class: Annotated[
        AlarmClass,
        _be('"assist" (colleagues come), "threat" (guards come) or "amok" (everybody gets safe)', "threat"),
    ] = field(name="class")
    sound: Annotated[
        Sound, _be('"loud" or "silent" (no default: an alarm that can be heard may provoke an attacker)', "silent")
    ]
    lamp: Annotated[
        Lamp | None, _be('"shown" or "discreet" (a blinking lamp may betray the person who pressed)', "discreet")
    ] = None


class _Buzzer(Struct, frozen=True, kw_only=True):
    pin: Annotated[_Pin, _be(_PIN, 22)]
    sound_limit_s: Annotated[
        float, _be("from 10 to 3600 (seconds; ends the sound, not the alarm)", 900, ge=10, le=3600)
    ] = _SOUND_LIMIT_S


class _Lamp(Struct, frozen=True, kw_only=True):
    pin: Annotated[_Pin, _be(_PIN, 23)]


class _Broker(Struct, frozen=True, kw_only=True):
    host: Annotated[_Host, _be('a name or address alone, without spaces, "mqtt://" and port', "127.0.0.1")]
    port: Annotated[int, _be("a whole number from 1 to 65535", 1883, ge=1, le=65535)]


class _Supervision(Struct, frozen=True, kw_only=True):
    heartbeat_s: Annotated[
        float,
        _be("from 1 to 60 (seconds; 10 is designed for the published idea of EN 50136-1 SP6 (20 s))", 10, ge=1, le=60),
    ] = 10.0
    receipt_s: Annotated[
        float, _be("from 5 to 60 (seconds without a receipt until an alarm is sent again)", 10, ge=5, le=60)
    ] = 10.0
    receipts: Annotated[Receipts, _be('"auto" (required once a monitor was heard), "required" or "none"', "auto")] = (
        Receipts.AUTO
    )
    monitors: Annotated[
        tuple[_Id, ...], _be(f"a list of at most 16 ids, each {_ID}", ["guard-desk"], max_length=16)
    ] = ()


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the file; it is an array of tables (``[[name]]``) where ``most`` is above 1."""

    name: str
    keys: type[Struct]
    required: bool = True
    most: int = 1

    @property
    def heading(self) -> str:
        return f"[[{self.name}]]" if self.most > 1 else f"[{self.name}]"

    @property
    def missing(self) -> str:
        """What is wrong without this table, and what to write."""
        lines = " / ".join(_example(key) for key in fields(self.keys) if key.required)
        return f"{self.heading} is missing: write, each on a line of its own, {self.heading} / {lines}"


_TABLES = {
    table.name: table
    for table in (
        _Table("node", _Node),
        _Table("panel", _Panel),
        _Table("button", _Button, most=16),
        _Table("buzzer", _Buzzer, required=False),
        _Table("lamp", _Lamp),
        _Table("broker", _Broker, most=4),
        _Table("supervision", _Supervision, required=False),
    )
}


@dataclass(frozen=True, slots=True)
class _Section:
    """One table as it stands in the file: what is good of it, defaults included, by field name."""

    place: str
    values: dict[str, Any]


_Sections = Mapping[str, list[_Section]]


def load(path: Path) -> Config:
    """Read node.toml; ConfigError with all its problems where it can't be used."""
    document = _parse(path)
    problems = _unknown_tables(document)
    sections = {table.name: _read_table(table, document, problems) for table in _TABLES.values()}
    problems += [problem for rule in _RULES for problem in rule(sections)]
    if problems:
        raise _refusal(path, *problems)
    return _build(path, sections)


def state_directory(config: Config, environ: Mapping[str, str]) -> Path:
    """Where the record lives: the first of systemd's $STATE_DIRECTORY, else what node.toml says, else the default."""
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given) if given else config.state_directory or DEFAULT_STATE_DIRECTORY


def _refusal(path: Path, *problems: str) -> ConfigError:
    return ConfigError(tuple(f"{path}: {problem}" for problem in problems), str(path))


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as failure:
        advice = "check that the file exists and that this account may read it, or name another with --config"
        raise _refusal(path, f"can't be opened ({failure.strerror}): {advice}") from failure
    try:
        # Editors on Windows begin a file with a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        place = _place(failure.object[: failure.start].decode())
        raise _refusal(path, f"isn't UTF-8 ({place}): save the file as UTF-8") from failure
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as failure:
        reason = str(failure).replace("end of document", f"the end, {_place(text)}")
        advice = 'mend this place (every line is [table] or key = value, texts stand in "quotes"), then check again'
        raise _refusal(path, f"isn't TOML: {reason}: {advice}") from failure


def _place(before: str) -> str:
    """The line and column that follow this beginning of a text, both from 1."""
    lines = before.split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def _unknown_tables(document: Mapping[str, Any]) -> list[str]:
    headings = {table.name: table.heading for table in _TABLES.values()}
    return [f"{_bare(name)} is unknown: {_nearest(name, headings)}" for name in document if name not in headings]


def _nearest(name: str, known: Mapping[str, str]) -> str:
    """The known name that ``name`` was probably meant to be, else all of them; ``known`` says how each is shown."""
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {known[near[0]]}?" if near else f"allowed here are {', '.join(known.values())}"


def _read_table(table: _Table, document: Mapping[str, Any], problems: list[str]) -> list[_Section]:
    """Each table of this name with what is good of it; what isn't is added to ``problems``."""
    found = document.get(table.name, [])
    if found == []:
        problems += [table.missing] if table.required else []
        return []
    entries = found if table.most > 1 else [found]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{table.name} has the wrong shape: write {table.heading}, and its keys on the lines below")
        return [_Section(table.heading, {})]
    if len(entries) > table.most:
        problems.append(f"{table.heading} stands there {len(entries)} times: must be at most {table.most}")
    places = [f"{table.heading} {number}" if table.most > 1 else table.heading for number in range(1, len(entries) + 1)]
    return [_read_section(table, place, entry, problems) for place, entry in zip(places, entries, strict=True)]


def _read_section(table: _Table, place: str, entry: Mapping[str, Any], problems: list[str]) -> _Section:
    keys = {key.encode_name: key for key in fields(table.keys)}
    shown = {name: f'"{name}"' for name in keys}
    problems += [f"{place} {_bare(name)} is unknown: {_nearest(name, shown)}" for name in entry if name not in keys]
    values: dict[str, Any] = {}
    for name, key in keys.items():
        if name in entry:
            try:
                values[key.name] = convert(entry[name], key.type)
            except ValidationError:
                problems.append(f"{place} {name} = {_toml(entry[name])}: {_allowed(key)}")
        elif key.required:
            problems.append(f"{place} {name} is missing: {_allowed(key)}")
        else:
            values[key.name] = key.default
    return _Section(place, values)


def _allowed(key: FieldInfo) -> str:
    return f"must be {_meta(key).description}, for example {_example(key)}"


def _example(key: FieldInfo) -> str:
    examples = _meta(key).examples or []
    return f"{key.encode_name} = {_toml(examples[0])}"


def _key(keys: type[Struct], name: str) -> FieldInfo:
    return next(key for key in fields(keys) if key.name == name)


def _meta(key: FieldInfo) -> Meta:
    """The outermost Meta of a key; the inner ones hold its type's limits."""
    meta: Meta = key.type.__metadata__[-1]
    return meta


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else _toml(name)


def _toml(value: object) -> str:
    """A value as node.toml writes it, cut to stay readable on one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _repeated(told: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any, str]]:
    """Of (place, value) pairs, each whose value stood before: (place, value, where it stood first)."""
    first: dict[Any, str] = {}
    for place, value in told:
        if value in first:
            yield place, value, first[value]
        first.setdefault(value, place)


def _pins_carry_one_thing(sections: _Sections) -> Iterator[str]:
    everything = [section for table in sections.values() for section in table]
    pins = [(section.place, section.values["pin"]) for section in everything if "pin" in section.values]
    for place, pin, owner in _repeated(pins):
        yield f"{place} pin = {pin}: is the pin of {owner} already: give one of them another"


def _buttons_are_told_apart(sections: _Sections) -> Iterator[str]:
    buttons = sections["button"]
    names = [(section.place, section.values["name"]) for section in buttons if "name" in section.values]
    if len(buttons) == 1:
        return
    for place in (place for place, name in names if name is None):
        yield f"{place} name is missing: where there are several buttons it {_allowed(_key(_Button, 'name'))}"
    for place, name, owner in _repeated((place, name) for place, name in names if name is not None):
        yield f'{place} name = "{name}": is the name of {owner} already: give one of them another'


def _silent_buttons_choose_a_lamp(sections: _Sections) -> Iterator[str]:
    for section in sections["button"]:
        match section.values:
            case {"sound": Sound.SILENT, "lamp": None}:
                yield f"{section.place} lamp is missing: for a silent button it {_allowed(_key(_Button, 'lamp'))}"
            case {"sound": Sound.LOUD, "lamp": Lamp.DISCREET}:
                yield f'{section.place} lamp = "discreet": must be "shown" or left out where sound = "loud"'


def _loud_buttons_have_a_buzzer(sections: _Sections) -> Iterator[str]:
    loud = [section.place for section in sections["button"] if section.values.get("sound") is Sound.LOUD]
    if loud and not sections["buzzer"]:
        yield f'{_TABLES["buzzer"].missing} (it is for the sound = "loud" of {loud[0]})'


def _brokers_are_different(sections: _Sections) -> Iterator[str]:
    # Two links to one broker have the same client id: they would throw each other off for ever.
    whole = [section for section in sections["broker"] if section.values.keys() >= {"host", "port"}]
    addresses = [(each.place, f"{each.values['host']}:{each.values['port']}".lower()) for each in whole]
    for place, address, owner in _repeated(addresses):
        yield f"{place} host and port: {address} is {owner} already: leave one of them out"


def _monitors_are_asked_for_receipts(sections: _Sections) -> Iterator[str]:
    for section in sections["supervision"]:
        match section.values:
            case {"receipts": Receipts.NONE, "monitors": (_, *_) as monitors}:
                advice = 'leave monitors out, or write receipts = "required"'
                yield f'{section.place} receipts = "none": contradicts monitors = {_toml(monitors)}: {advice}'


_RULES: tuple[Callable[[_Sections], Iterator[str]], ...] = (
    _pins_carry_one_thing,
    _buttons_are_told_apart,
    _silent_buttons_choose_a_lamp,
    _loud_buttons_have_a_buzzer,
    _brokers_are_different,
    _monitors_are_asked_for_receipts,
)


def _build(path: Path, sections: _Sections) -> Config:
    """Sections without a problem, in the shapes that the program works with."""
    node = _Node(**sections["node"][0].values)
    panel = _Panel(**sections["panel"][0].values)
    buttons = [_Button(**section.values) for section in sections["button"]]
    buzzer = _Buzzer(**sections["buzzer"][0].values) if sections["buzzer"] else None
    lamp = _Lamp(**sections["lamp"][0].values)
    listed = [_Broker(**section.values) for section in sections["broker"]]
    brokers = tuple(Broker(f"{each.host}:{each.port}", each.host, each.port) for each in listed)
    supervision = _Supervision(**sections["supervision"][0].values) if sections["supervision"] else _Supervision()
    inputs = tuple(
        InputSettings(each.name or "button", each.wiring, each.alarm_class, each.sound, each.lamp or Lamp.SHOWN)
        for each in buttons
    )
    settings = Settings(
        inputs=inputs,
        links=tuple(broker.name for broker in brokers),
        debounce_s=panel.debounce_ms / 1000,
        sound_limit_s=buzzer.sound_limit_s if buzzer else _SOUND_LIMIT_S,
        heartbeat_s=supervision.heartbeat_s,
        receipt_s=supervision.receipt_s,
        receipts=supervision.receipts,
        monitors=supervision.monitors,
        has_buzzer=buzzer is not None,
    )
    return Config(
        path=path,
        node=node.id,
        site=node.site,
        location=node.location,
        root=node.topic_root,
        state_directory=Path(node.state_directory) if node.state_directory else None,
        pin_factory=panel.pin_factory,
        sample_hz=panel.sample_hz,
        input_pins=MappingProxyType({each.name: button.pin for each, button in zip(inputs, buttons, strict=True)}),
        buzzer_pin=buzzer.pin if buzzer else None,
        lamp_pin=lamp.pin,
        brokers=brokers,
        settings=settings,
    )
