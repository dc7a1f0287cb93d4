"""node.toml: its tables, the rules about several values, and the settings that are made of them.

1. Each table of the file is a class below, or in inputs.py or brokers.py. Each key is one field of it: its type, its
   meaning and limits, an example and a default. A key is declared only there; ``_build`` passes its value on.
2. Rules about several values stand in ``_RULES``, one function each.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from node.config import brokers, inputs, values
from node.config.brokers import Broker, BrokerKeys
from node.config.declarations import Table, be, toml
from node.config.files import Kept
from node.config.inputs import PIN, Pin
from node.config.reader import FileFormat, Rule, Sections, first, first_problem, opened, repeated
from node.config.values import ID, LOCATION, TOPIC_ROOT, AbsolutePath, Id, Location, TopicRoot
from node.core.settings import Receipts, Settings

DEFAULT_STATE_DIRECTORY = Path("/var/lib/alarm-node")
_SOUND_LIMIT_S = 900.0

_Label = Annotated[str, Meta(min_length=1, max_length=31, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]


class Config(Struct, frozen=True):
    """All that node.toml says. ``line_pins`` maps a line's name to its BCM pin; every topic begins with ``root``.

    ``content`` is the whole file, as it was read.
    """

    path: Path
    node: str
    site: str
    location: str
    root: str
    state_directory: Path | None
    record_mb: int
    pin_factory: str
    chip: str | None
    sample_hz: float
    line_pins: Mapping[str, int]
    buzzer_pin: int | None
    lamp_pin: int
    brokers: tuple[Broker, ...]
    settings: Settings
    content: bytes = b""


class _Node(Struct, frozen=True, kw_only=True):
    id: Annotated[Id, "the node's name on the broker; each node of a building has another", be(ID, "room-214")]
    site: Annotated[Id, "the building's name, the same for all its nodes and monitors", be(ID, "mitte")]
    location: Annotated[Location, LOCATION]
    state_directory: Annotated[
        AbsolutePath | None,
        "where the record lies; a service takes systemd's instead",
        be("an absolute path", "/var/lib/alarm-node"),
    ] = None
    record_mb: Annotated[
        int,
        "how large the record may grow; beyond it telemetry goes, what was received first, and alarms never",
        be("from 8 to 4096 (whole MiB)", 64, ge=8, le=4096),
    ] = 64
    topic_root: Annotated[
        TopicRoot, "what every topic begins with; the broker's access list and the monitors have the same", TOPIC_ROOT
    ] = "alarm/v1"


class _Panel(Struct, frozen=True, kw_only=True):
    pin_factory: Annotated[
        Literal["gpiod", "lgpio"],
        "who drives the pins",
        be(
            '"gpiod", or "lgpio" where that extra is installed (the mock factory is for "alarm-node simulate", which '
            "takes it whatever stands here)",
            "gpiod",
        ),
    ] = "gpiod"
    chip: Annotated[
        _Label | None,
        "the label of the GPIO chip with the pins, where it isn't a Raspberry Pi's own; gpiodetect lists them",
        be("the label of a GPIO chip, as gpiodetect prints it: 1 to 31 characters", "pinctrl-rp1"),
    ] = None
    debounce_ms: Annotated[
        int,
        "how long a contact must be closed before it counts",
        be("from 6 to 39 (whole milliseconds)", 20, ge=6, le=39),
    ] = 20
    sample_hz: Annotated[
        float,
        "how often the inputs are read beside the edges, so that none is missed",
        be("from 20 to 100 (samples a second)", 20, ge=20, le=100),
    ] = 20.0
    stuck_s: Annotated[
        float, be("from 5 to 600 (seconds until a button that stays pressed is a fault)", 30, ge=5, le=600)
    ] = 30.0
    chatter_presses: Annotated[
        int, be("from 10 to 10000 (presses of an input in 10 minutes, beyond which it chatters)", 60, ge=10, le=10_000)
    ] = 60


class _Buzzer(Struct, frozen=True, kw_only=True):
    pin: Annotated[Pin, be(PIN, 22)]
    sound_limit_s: Annotated[
        float, be("from 10 to 3600 (seconds; ends the sound, not the alarm)", 900, ge=10, le=3600)
    ] = _SOUND_LIMIT_S


_BUZZER = Table("buzzer", _Buzzer, required=False)


class _Lamp(Struct, frozen=True, kw_only=True):
    pin: Annotated[Pin, be(PIN, 23)]


class _Supervision(Struct, frozen=True, kw_only=True):
    heartbeat_s: Annotated[
        float,
        "how often the node says how it is",
        be("from 1 to 60 (seconds; 10 is designed for the published idea of EN 50136-1 SP6 (20 s))", 10, ge=1, le=60),
    ] = 10.0
    receipt_s: Annotated[
        float,
        be("from 5 to 60 (seconds within which people must be told of an alarm; else nobody has it)", 10, ge=5, le=60),
    ] = 10.0
    receipts: Annotated[
        Receipts,
        "whether a monitor says that it holds an alarm and that people were told of it",
        be('"required", or "none" in a building without a monitor (the lamp never says "received" there)', "required"),
    ] = Receipts.REQUIRED
    monitors: Annotated[
        tuple[Id, ...],
        "the only monitors whose receipts count",
        be(f"a list of at most 16 ids, each {ID}", ["guard-desk"], max_length=16),
    ] = ()


def load(path: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Config:
    """Read node.toml. Raises ConfigError with all problems if it can't be used.

    ``environ`` says where the files lie that node.toml names. They aren't opened here: the code that uses a file
    reports what is wrong with it.
    """
    return understand(path, opened(path, NODE_FILE.program), environ)


def understand(path: Path, content: bytes, environ: Mapping[str, str]) -> Config:
    """The configuration if node.toml (``path``) has this content. Raises ConfigError with all problems."""
    return _build(path, content, NODE_FILE.understand(path, content), environ)


def merged(running: Config, found: Config) -> Config:
    """``found``, but what only a start can change is as it is in ``running``; ``settings.restart_due`` names that."""
    due = [words for words, of in _AT_START.items() if of(running) != of(found)]
    inputs_stay = _INPUTS in due or _BUZZER.heading in due  # a loud input can't do without its buzzer
    return replace(
        found,
        node=running.node,
        site=running.site,
        root=running.root,
        state_directory=running.state_directory,
        record_mb=running.record_mb,
        pin_factory=running.pin_factory,
        chip=running.chip,
        sample_hz=running.sample_hz,
        line_pins=running.line_pins,
        buzzer_pin=running.buzzer_pin,
        lamp_pin=running.lamp_pin,
        settings=replace(
            found.settings,
            inputs=running.settings.inputs if inputs_stay else found.settings.inputs,
            debounce_s=running.settings.debounce_s,
            has_buzzer=running.settings.has_buzzer,
            restart_due=", ".join(due),
        ),
    )


_INPUTS = "inputs"

_AT_START: Mapping[str, Callable[[Config], object]] = {
    "[node]": lambda file: (file.node, file.site, file.root, file.state_directory, file.record_mb),
    "[panel]": lambda file: (file.pin_factory, file.chip, file.sample_hz, file.settings.debounce_s),
    _INPUTS: lambda file: (file.line_pins, [(each.name, each.wiring, each.role) for each in file.settings.inputs]),
    "[buzzer]": lambda file: file.buzzer_pin,
    "[lamp]": lambda file: file.lamp_pin,
}
"""What only a start can change, by the words that tell people of it."""


def watch(path: Path) -> Callable[[], str]:
    """A function that says at each call what would keep the next start from reading this file, "" if nothing would."""
    kept = Kept([path.absolute()], partial(first_problem, partial(_load_to_see, path)))

    def look() -> str:
        kept.look()
        return kept.problem or kept.value or ""

    return look


def _load_to_see(path: Path) -> tuple[str, ...]:
    load(path)
    return ()


def problems_of(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a file's content, one line each; ``reader.lacking`` tells which are missing values."""
    return NODE_FILE.read(document)[1]


def state_directory(config: Config, environ: Mapping[str, str]) -> Path:
    """Where the record lives."""
    return values.state_directory(config.state_directory, DEFAULT_STATE_DIRECTORY, environ)


def _pins_carry_one_thing(sections: Sections) -> Iterator[str]:
    everything = [section for table in sections.values() for section in table]
    pins = [
        (f"{section.place} {key}", section.values[key])
        for section in everything
        for key in ("pin", "pin_nc")
        if section.values.get(key) is not None
    ]
    for place, pin, owner in repeated(pins):
        yield f"{place} = {pin}: is the pin of {owner.rpartition(' ')[0]} already: give one of them another"


def _loud_inputs_have_a_buzzer(sections: Sections) -> Iterator[str]:
    loud = inputs.loud(sections)
    if loud and not sections["buzzer"]:
        yield f'{_BUZZER.missing} (it is for the sound = "loud" of {loud[0]})'


def _a_chip_is_for_gpiod(sections: Sections) -> Iterator[str]:
    for section in sections["panel"]:
        match section.values:
            case {"pin_factory": "lgpio", "chip": str(chip)}:
                advice = 'leave chip out, or write pin_factory = "gpiod"'
                yield f'{section.place} chip = {toml(chip)}: contradicts pin_factory = "lgpio": {advice}'


def _monitors_are_asked_for_receipts(sections: Sections) -> Iterator[str]:
    for section in sections["supervision"]:
        match section.values:
            case {"receipts": Receipts.NONE, "monitors": (_, *_) as monitors}:
                advice = 'leave monitors out, or write receipts = "required"'
                yield f'{section.place} receipts = "none": contradicts monitors = {toml(monitors)}: {advice}'


_RULES: tuple[Rule, ...] = (
    _pins_carry_one_thing,
    *inputs.RULES,
    _loud_inputs_have_a_buzzer,
    _a_chip_is_for_gpiod,
    _monitors_are_asked_for_receipts,
    *brokers.RULES,
)

NODE_FILE = FileFormat(
    "alarm-node",
    (
        Table("node", _Node),
        Table("panel", _Panel, required=False),
        *inputs.TABLES,
        _BUZZER,
        Table("lamp", _Lamp),
        Table("broker", BrokerKeys, most=4),
        Table("supervision", _Supervision, required=False),
    ),
    _RULES,
)
"""What node.toml may have."""


def _build(path: Path, content: bytes, sections: Sections, environ: Mapping[str, str]) -> Config:
    """Turn sections without problems into the types that the program works with."""
    node = _Node(**sections["node"][0].values)
    panel = first(_Panel, sections["panel"])
    buzzer = _Buzzer(**sections["buzzer"][0].values) if sections["buzzer"] else None
    lamp = _Lamp(**sections["lamp"][0].values)
    listed = tuple(brokers.build(section, environ) for section in sections["broker"])
    supervision = first(_Supervision, sections["supervision"])
    wired = inputs.build(sections)
    settings = Settings(
        inputs=tuple(each.settings for each in wired),
        links=tuple(broker.name for broker in listed),
        insecure_links=tuple(broker.name for broker in listed if broker.insecure),
        debounce_s=panel.debounce_ms / 1000,
        stuck_s=panel.stuck_s,
        chatter_presses=panel.chatter_presses,
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
        record_mb=node.record_mb,
        pin_factory=panel.pin_factory,
        chip=panel.chip,
        sample_hz=panel.sample_hz,
        line_pins=MappingProxyType({name: pin for each in wired for name, pin in each.line_pins.items()}),
        buzzer_pin=buzzer.pin if buzzer else None,
        lamp_pin=lamp.pin,
        brokers=listed,
        settings=settings,
        content=content,
    )
