"""The protocol's types: that they, their schemas and the core speak of the same things."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from node import core
from node.core.line import ContactState
from node.core.model import EventKind
from node.protocol.messages import InputState
from node.protocol.monitor_messages import LIMITS_S, Command
from node.protocol.schema import schemas
from tests.support.sayings import HEARD, SAID

SCHEMAS = schemas()
KINDS: dict[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "null": type(None),
}
HEARD_AS = {"state": "State", "alarm": "Alarm", "canary": "Canary", "receipt": "Receipt", "command": "Command"}


def schema_of(name: str) -> dict[str, Any]:
    """The schema of a golden text: its name begins with the topic."""
    topics = {"event": "Event", "heartbeat": "HeartbeatMessage", "reply": "ReplyMessage"}
    schema: dict[str, Any] = SCHEMAS["$defs"][(HEARD_AS | topics)[name.partition("-")[0]]]
    return schema


def problems(schema: dict[str, Any], value: Any, place: str = "$") -> Iterator[str]:
    """What of a value breaks its schema, as far as this protocol's schemas go; a field that isn't in it does, too."""
    while "$ref" in schema:
        schema = SCHEMAS["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        if not any(list(problems(each, value)) == [] for each in schema["anyOf"]):
            yield f"{place} is none of its kinds"
        return
    if "enum" in schema:
        if value not in schema["enum"]:
            yield f"{place} isn't one of {schema['enum']}"
        return
    match schema["type"], value:
        case "object", dict():
            properties, others = schema.get("properties", {}), schema.get("additionalProperties")
            yield from (f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value)
            for name, each in value.items():
                if name in properties or others:
                    yield from problems(properties.get(name, others), each, f"{place}.{name}")
                else:
                    yield f"{place} has {name} beside its fields"
        case "array", list():
            for number, each in enumerate(value):
                yield from problems(schema["items"], each, f"{place}[{number}]")
            if len(value) > schema.get("maxItems", len(value)):
                yield f"{place} is too long"
        case kind, _ if kind not in KINDS or not isinstance(value, KINDS[kind]):
            yield f"{place} isn't of type {kind}"
        case _, str():
            if not re.search(schema.get("pattern", ""), value):
                yield f"{place} doesn't match {schema['pattern']}"
        case _, int() | float():
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                yield f"{place} is out of range"


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_fits_its_schema(name: str) -> None:
    """Every golden message is as its published schema says, without a field beside it."""
    assert list(problems(schema_of(name), json.loads(SAID[name]))) == []


@pytest.mark.parametrize("name", ["receipt", "command"])
def test_what_is_heard_fits_its_schema(name: str) -> None:
    """What monitors and tools say to a node in the other tests is as the published schemas ask for."""
    payload = next(payload for topic, payload in HEARD.items() if topic.endswith(f"/{name}"))

    assert list(problems(schema_of(name), json.loads(payload))) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("node", "Room 214"),
        ("boot", "0badcaf"),
        ("seq", -1),
        ("at_utc", "2026-11-22T12:00:00Z"),
        ("clock", None),
        ("kind", "exploded"),
        ("class", "panic"),
        ("presses", "2"),
        ("age_ms", 0.5),
        ("location", "2. OG"),
    ],
)
def test_a_schema_refuses_what_a_node_would(field: str, value: object) -> None:
    """The schema of an event takes no other version, no wrong type, and no value beyond its limits."""
    pressed = json.loads(SAID["event-pressed"])

    found = list(problems(schema_of("event"), pressed | {field: value}))

    assert len(found) == 1
    assert field in found[0]


def test_there_is_a_schema_for_every_message() -> None:
    """The document holds a schema for each topic, and nothing but what they are made of."""
    messages = {"Event", "HeartbeatMessage", "ReplyMessage", "MonitorMessage", "MonitorState", *HEARD_AS.values()}
    health = {"Health", "UnderVoltage", "Throttling", "MemoryHealth", "DiskHealth", "NetworkHealth"}
    parts = {
        "AlarmClass",
        "EventId",
        "EventRange",
        "InputHealth",
        "LinkHealth",
        "OpenIncident",
        "StandingFault",
        *health,
    }

    assert SCHEMAS["$defs"].keys() == messages | parts


def test_every_message_carries_what_the_protocol_says() -> None:
    """Version, node, boot, number, instant and clock are required in everything that a node says."""
    header = {"v", "node", "boot", "seq", "at_utc", "clock"}

    said = [schema_of(name) for name in SAID]

    assert all(header <= set(schema["required"]) for schema in said)


def test_patterns_are_those_of_json_schema() -> None:
    r"""Python's own ``\Z`` is not in the document: ECMAScript doesn't know it."""
    patterns = re.findall(r'"pattern": "([^"]*)"', json.dumps(SCHEMAS))

    assert patterns
    assert all(pattern.startswith("^") and pattern.endswith("$") for pattern in patterns)


def test_the_core_logs_each_kind() -> None:
    """No kind stands in the list that no node ever says. That the core logs no other, the types say."""
    tellers = {"log", "log_about", "press", "_report", "_report_in_incident"}
    logged = set()
    for path in Path(core.__path__[0]).glob("*.py"):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match part:
                case ast.Call(func=ast.Attribute(attr=teller) | ast.Name(id=teller), args=args) if teller in tellers:
                    logged |= {each.attr for each in args if isinstance(each, ast.Attribute)}

    assert logged >= set(EventKind.__members__)


def test_every_state_of_an_input_can_be_said() -> None:
    """A heartbeat says each state that the core knows, by the same word, and no other."""
    assert set(get_args(InputState)) == set(ContactState)


def test_every_mode_ends_within_a_day_a_walk_test_within_an_hour_and_a_chirp_within_a_minute() -> None:
    """What a command may ask for at most."""
    for_s = next(each for each in SCHEMAS["$defs"][Command.__name__]["properties"]["for_s"]["anyOf"] if "type" in each)

    assert for_s["maximum"] == 24 * 3600
    assert LIMITS_S == {"identify": 60.0, "walk-test": 3600.0}
