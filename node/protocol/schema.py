r"""The published schema of protocol v1 (deploy/design/protocol.schema.json), generated from all messages' types."""

from inspect import cleandoc
from typing import Any

import msgspec

from node.core.model import EventKind
from node.protocol.messages import Alarm, Canary, Event, HeartbeatMessage, ReplyMessage, State
from node.protocol.monitor_messages import Command, MonitorMessage, MonitorState, Receipt

MESSAGES: tuple[type[msgspec.Struct], ...] = (
    State,
    Alarm,
    Event,
    HeartbeatMessage,
    Canary,
    ReplyMessage,
    Receipt,
    MonitorMessage,
    MonitorState,
    Command,
)
"""Each message, in both directions."""


def schemas() -> dict[str, Any]:
    """A JSON Schema (2020-12) document with every message."""
    _, components = msgspec.json.schema_components(MESSAGES, ref_template="#/$defs/{name}")
    # What this version says. A receiver takes other words, too (PROTOCOL.md 13).
    components[Event.__name__]["properties"]["kind"] = {"enum": sorted(EventKind)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "alarm-node protocol v1",
        "$defs": _portable(dict(sorted(components.items()))),
    }


def _portable(part: Any) -> Any:
    r"""The same, with patterns for JSON Schema: ECMAScript has no ``\Z``, but its ``$`` has that meaning.

    A description is without its indentation, which Python itself takes off from 3.13 on.
    """
    if isinstance(part, dict):
        return {
            name: cleandoc(each) if name == "description" and isinstance(each, str) else _portable(each)
            for name, each in part.items()
        }
    if isinstance(part, list):
        return [_portable(each) for each in part]
    return part.replace(r"\Z", "$") if isinstance(part, str) else part
