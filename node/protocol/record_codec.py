"""Translates between the core's types and the record: events and snapshots as they are stored and read back.

A stored event is the published message (codec.py) without its age, which is added when the event is sent.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from node.core.model import BROKER, Key, Snapshot
from node.protocol.codec import in_ms, rfc3339
from node.protocol.decode import UNREADABLE
from node.protocol.messages import Event


def with_age(body: bytes, age_s: float | None) -> bytes:
    """A stored event with its age; ``age_s`` is None if the kernel was booted since."""
    age_ms = b"null" if age_s is None else b"%d" % max(0, round(age_s * 1000))
    return b'%b,"age_ms":%b}' % (body.removesuffix(b"}"), age_ms)


def is_event(key: Key, body: bytes) -> bool:
    """Whether this body is the stored event of this key."""
    try:
        event = msgspec.json.decode(body, type=Event)
    except (*UNREADABLE, TypeError):
        return False
    return (event.boot, event.seq) == key


def describe(
    body: bytes,
    received_by: str | None,
    received_at_utc: float | None,
    steps: Iterable[tuple[str, float | None]] = (),
) -> dict[str, Any]:
    """A stored event for people and tools: its fields, who holds it since when, and which steps its call reached.

    ``received_by``: a monitor, or BROKER in a building without a monitor; BROKER means that it isn't held, but needn't
    be sent again. ``steps``: how long after the event each step was reached (seconds), None if that isn't known.
    """
    told: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(body, type=Event))
    at_utc = None if received_at_utc is None else rfc3339(received_at_utc)
    held = received_by != BROKER
    told["held_by"] = received_by if held else None
    told["held_at_utc"] = at_utc if held else None
    told["accepted_at_utc"] = None if held else at_utc
    told["steps_ms"] = {step: in_ms(after_s) for step, after_s in steps}
    return told


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """What a restart must bring back, as the record stores it."""
    return msgspec.json.encode(snapshot)


def decode_snapshot(body: bytes) -> Snapshot:
    """The snapshot that ``encode_snapshot`` wrote; ValueError if the body isn't one."""
    try:
        return msgspec.json.decode(body, type=Snapshot)
    except UNREADABLE as error:
        raise ValueError(f"unreadable snapshot: {error}") from error
