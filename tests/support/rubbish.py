"""Rubbish for a node: an endless supply for every topic that it hears, the same for the same seed.

Five kinds: noise, words in JSON that mean nothing, a node's own and others' messages with one field spoilt, good ones
that mean nothing *now*, and copies of what was really said before. None of it may change what the node knows.
"""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.desk import BRANCH
from tests.support.flood import Packet
from tests.support.node import NODE, SITE

Fields = Mapping[str, Any]

COMMAND = f"{BRANCH}/command"
MONITOR = f"alarm/v1/{SITE}/monitor/guard-desk"
STRANGER = f"alarm/v1/{SITE}/monitor/x"
OWN = tuple(f"{BRANCH}/{each}" for each in ("state", "alarm", "canary", "receipt", "command"))
TOPICS = (*OWN, *(f"{monitor}/{each}" for monitor in (MONITOR, STRANGER) for each in ("state", "heartbeat")))
"""All that a node hears."""

EXPIRY_S = 20

_WORDS = ("v", "node", "boot", "seq", "monitor", "event", "incidents", "action", "id", "ttl_s", "state", "session")
_NO_BOOT = "00000000"
_DEEP = b"[" * 10_000
WHOLE = (
    b"",
    b"null",
    b"\xff\xfe\xfa",
    b'"' + b"a" * 17 * 1024 + b'"',
    b"x" * 25 * 1024,
    b"9" * 5_000,
    b"1e999999",
    _DEEP,
    _DEEP + b"]" * 10_000,
    b'{"v":1,"boot":' + _DEEP,
    b'{"v":1,"seq":' + b"9" * 400 + b"}",
    b'{"v":1,"id":"\\ud800"}',
    b'{"v":1,"monitor":"guard-desk","boot":"00000000","state":7}',
)
"""Payloads that have hurt one reader of JSON or another."""

_WRONG: tuple[Any, ...] = (None, True, -1, 1e308, 2**70, "", "Ö", "A b", "\n", "x" * 300, [], {}, [[]], {"v": 1})
"""None of these is a value of any field that a command, a receipt or a birth needs."""


@dataclass(frozen=True, slots=True)
class Now:
    """What a node is in the midst of: its ``boot``, and an ``incident`` that is open; ``spare`` is another input.

    Only commands that know this could do any harm, and nearly do.
    """

    boot: str
    incident: str
    spare: str

    def commands(self, number: int) -> Iterator[dict[str, Any]]:
        """Commands that would be obeyed, each with all the fields that it needs and no others."""
        head = {"v": 1, "id": f"rubbish-{number}", "boot": self.boot, "ttl_s": EXPIRY_S, "by": "guard-desk"}
        for action in ("acknowledge", "reset", "silence"):
            yield {**head, "action": action, "incident": self.incident}
        yield {**head, "action": "walk-test", "for_s": 3600}
        yield {**head, "action": "inhibit", "input": self.spare, "for_s": 3600, "reason": "rubbish"}


class Rubbish:
    """Iterate over it. ``said``: what was really published on the topics a node hears, before."""

    def __init__(self, seed: int, now: Now, said: Sequence[Packet]) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same rubbish for the same seed
        self._now = now
        self._said = said
        self._numbers = itertools.count()
        self._samples = [(packet.topic, _object(packet.payload)) for packet in said if packet.topic != COMMAND]
        self._kinds: tuple[Callable[[], Packet], ...] = (
            self._noise,
            self._words,
            self._spoilt,
            self._spoilt_command,
            self._untimely,
            self._untimely_command,
            self._copy,
        )

    def __iter__(self) -> Iterator[Packet]:
        for topic in TOPICS:
            for payload in WHOLE:
                yield Packet(topic, payload, expiry_s=EXPIRY_S)
        while True:
            yield self._random.choice(self._kinds)()

    def _packet(self, topic: str, payload: bytes | Fields) -> Packet:
        encoded = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return Packet(topic, encoded, retain=self._random.random() < 0.05, expiry_s=EXPIRY_S)

    def _noise(self) -> Packet:
        return self._packet(self._random.choice(TOPICS), self._random.randbytes(self._random.randrange(200)))

    def _words(self) -> Packet:
        fields = {word: self._value() for word in self._random.sample(_WORDS, 6)}
        return self._packet(self._random.choice(TOPICS), {"v": 1, **fields})

    def _spoilt(self) -> Packet:
        """One field of what was really said is wrong or missing; or one byte is."""
        topic, message = self._random.choice(self._samples)
        if self._random.random() < 0.2:
            payload = bytearray(json.dumps(message).encode())
            payload[self._random.randrange(len(payload))] ^= self._random.randrange(1, 256)
            return self._packet(topic, bytes(payload))
        return self._packet(topic, self._with_one_wrong(message))

    def _command(self) -> dict[str, Any]:
        return self._random.choice(list(self._now.commands(next(self._numbers))))

    def _spoilt_command(self) -> Packet:
        return self._packet(COMMAND, self._with_one_wrong(self._command()))

    def _untimely(self) -> Packet:
        """Well said, but not so now, or not by whom it says."""
        boot = self._random.choice((self._now.boot, _NO_BOOT))
        head = {"v": 1, "node": NODE, "boot": boot, "seq": 1, "at_utc": "2026-01-01T00:00:00.000Z", "clock": "free"}
        beat = {"v": 1, "boot": f"{self._random.randrange(2**32):08x}", "period_s": 5}
        seq = self._random.randrange(2**40, 2**53)
        topic, message = self._random.choice(
            (
                ("state", {**head, "state": self._random.choice(("offline", "lost")), "session": 1}),
                ("state", {**head, "state": "online", "session": 2**53}),
                ("alarm", {**head, "phase": "normal", "incidents": []}),
                ("canary", {**head, "session": 2**53}),
                ("receipt", {"v": 1, "monitor": "guard-desk", "kind": "told", "event": {"boot": boot, "seq": seq}}),
                ("receipt", {"v": 1, "monitor": "x", "kind": "held", "event": {"boot": boot, "seq": 1}}),
                (MONITOR, {**beat, "monitor": "guard-desk", "state": "online"}),
                (STRANGER, {**beat, "monitor": "x", "state": "online"}),
            )
        )
        return self._packet(f"{topic}/state" if topic in (MONITOR, STRANGER) else f"{BRANCH}/{topic}", message)

    def _untimely_command(self) -> Packet:
        """Nearly right: another's, for nobody, without an end, with one that is too far, or kept by the broker."""
        command = self._command()
        payload = json.dumps(command).encode()
        incident = f"{self._now.boot}-{2**40}"
        return self._random.choice(
            (
                Packet(COMMAND, json.dumps({**command, "boot": _NO_BOOT}).encode(), expiry_s=EXPIRY_S),
                Packet(COMMAND, json.dumps({**command, "action": "open-door"}).encode(), expiry_s=EXPIRY_S),
                Packet(COMMAND, json.dumps({**command, "action": "reset", "incident": incident}).encode(), expiry_s=9),
                Packet(COMMAND, json.dumps({**command, "ttl_s": 61}).encode(), expiry_s=EXPIRY_S),
                Packet(COMMAND, payload, expiry_s=None),
                Packet(COMMAND, payload, expiry_s=EXPIRY_S + 40),
                Packet(COMMAND, payload, retain=True, expiry_s=EXPIRY_S),
            )
        )

    def _copy(self) -> Packet:
        return self._random.choice(self._said)

    def _with_one_wrong(self, message: Fields) -> Fields:
        name = self._random.choice(list(message))
        if self._random.random() < 0.2:
            return {each: value for each, value in message.items() if each != name}
        return {**message, name: self._random.choice(_WRONG)}

    def _value(self, depth: int = 0) -> object:
        match self._random.randrange(5 if depth > 3 else 7):
            case 0:
                return None
            case 1:
                return self._random.choice((True, 1, 0, -1, 2**53, 2**64, 1e308, -0.0))
            case 2:
                return self._random.choice(
                    ("", _NO_BOOT, f"{_NO_BOOT}-1", "online", "reset", NODE, "\u2028", "a" * 300)
                )
            case 3 | 4:
                return self._random.randrange(-(2**70), 2**70)
            case 5:
                return [self._value(depth + 1) for _ in range(self._random.randrange(4))]
            case _:
                names = self._random.sample(_WORDS, self._random.randrange(5))
                return {name: self._value(depth + 1) for name in names}


def _object(payload: bytes) -> Fields:
    message = json.loads(payload)
    assert isinstance(message, dict)
    return message
