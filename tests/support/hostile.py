"""Rubbish for a monitor: packets without end for every topic that it hears, the same for the same seed.

Noise, JSON that hurts readers, a node's real messages with one field spoilt, real ones said again, well-formed ones of
nodes that nobody knows, and well-formed ones with absurd numbers. A broker that binds each node to its own branch lets
few of these through; a monitor must stand all of them.
"""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.support.flood import Packet
from tests.support.node import NODE, SITE
from tests.support.rubbish import WHOLE

KINDS = ("state", "alarm", "event", "heartbeat", "reply")
MOST = 2**53
NEARLY = b'{"v":1,"node":"' + NODE.encode() + b'","x":"' + b"y" * 19_000 + b'"}'
"""More than a payload may have, and less than the broker is told to hold back."""

_TAKEN = tuple(each for each in WHOLE if len(each) <= 20_000)
"""A larger one isn't passed on. With mosquitto 2.0.21 it keeps back what waits behind it (test_deaf_session.py)."""

_STAMP = "2026-11-25T08:00:00.000Z"
_WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    MOST,
    2**70,
    "",
    "Ö",
    "A b",
    "\x00",
    "x" * 300,
    [],
    {},
    [[]],
    "9" * 40,
)


def _topic(node: str, kind: str) -> str:
    return f"alarm/v1/{SITE}/node/{node}/{kind}"


class Hostile:
    """Iterate over it. ``said`` is what a real node has published; ``monitor`` is whose own state is written over."""

    def __init__(self, seed: int, monitor: str, said: Sequence[Packet], strangers: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same rubbish for the same seed
        self._own = f"alarm/v1/{SITE}/monitor/{monitor}/state"
        self._said = said
        self._samples = [(each.topic, json.loads(each.payload)) for each in said if each.payload]
        self._strangers = itertools.cycle(range(strangers))
        self._makers: tuple[Callable[[], Packet], ...] = (
            self._noise,
            self._whole,
            self._spoilt,
            self._spoilt,
            self._again,
            self._absurd,
            self._thief,
        )

    def __iter__(self) -> Iterator[Packet]:
        """Every second one is of a node that nobody knows."""
        for kind in KINDS:
            for payload in _TAKEN:
                yield Packet(_topic(NODE, kind), payload)
        while True:
            yield self._stranger()
            yield self._random.choice(self._makers)()

    def _noise(self) -> Packet:
        return Packet(self._any_topic(), self._random.randbytes(self._random.randrange(200)))

    def _whole(self) -> Packet:
        return Packet(self._any_topic(), self._random.choice((*_TAKEN, NEARLY)))

    def _spoilt(self) -> Packet:
        topic, message = self._random.choice(self._samples)
        name = self._random.choice(list(message))
        if self._random.random() < 0.2:
            payload = bytearray(json.dumps(message).encode())
            payload[self._random.randrange(len(payload))] ^= self._random.randrange(1, 256)
            return Packet(topic, bytes(payload))
        return Packet(topic, json.dumps({**message, name: self._random.choice(_WRONG)}).encode())

    def _again(self) -> Packet:
        """What was really said before; a node's birth and list are the broker's too."""
        return self._random.choice(self._said)

    def _absurd(self) -> Packet:
        node = f"absurd-{self._random.randrange(50)}"
        match self._random.randrange(5):
            case 0:
                return self._heartbeat(node, period_s=self._random.choice((1e308, -1e308, 0.0, 5e-324)))
            case 1:
                incidents = [self._listed(number) for number in range(self._random.choice((48, 49, 1)))]
                return self._message(node, "alarm", phase="active", incidents=incidents)
            case 2:
                return self._press(node, self._random.choice((MOST, 1)), presses=MOST)
            case 3:
                ranges = [{"boot": self._boot(), "first": 0, "last": MOST}] * 100
                return self._message(node, "event", seq=MOST, kind="evicted", ranges=ranges)
            case _:
                return self._message(node, "state", state="online", session=MOST, seq=MOST)

    def _thief(self) -> Packet:
        """Speaks as the monitor, or says of the real node that it has gone."""
        boot = self._random.choice([message.get("boot", "00000000") for _, message in self._samples])
        if self._random.random() < 0.5:
            said = {"v": 1, "monitor": "guard-desk", "boot": self._boot(), "state": "online", "session": 1}
            return Packet(self._own, json.dumps(said).encode(), retain=True)
        state = self._random.choice(("lost", "offline"))
        return self._message(NODE, "state", boot=boot, state=state, session=self._random.choice((1, MOST)))

    def _stranger(self) -> Packet:
        node = f"stranger-{next(self._strangers)}"
        match self._random.randrange(5):
            case 0:
                return self._message(node, "state", state=self._random.choice(("online", "lost", "offline")), session=1)
            case 1:
                return self._message(node, "alarm", phase="active", incidents=[self._listed(1)])
            case 2:
                return self._press(node, 1)
            case 3:
                return self._heartbeat(node, period_s=10.0)
            case _:
                return self._message(node, "reply", id="x-1", outcome="done", reason="\x00")

    def _press(self, node: str, seq: int, presses: int = 1) -> Packet:
        boot = self._boot()
        about = {"input": "button", "class": "amok", "incident": f"{boot}-{seq % 10**15 or 1}", "presses": presses}
        age_ms = self._random.choice((0, MOST, None))
        return self._message(node, "event", boot=boot, seq=seq, kind="pressed", age_ms=age_ms, by="\x00", **about)

    def _heartbeat(self, node: str, period_s: float) -> Packet:
        button = {"kind": "button", "state": "normal", "wire": "unsupervised"}
        inputs = {f"{number}": button for number in range(self._random.choice((0, 1, 100)))}
        faults = [
            {"code": f"F{number:03}", "subject": "x\x00" * 50, "since": _STAMP, "text": "", "next": ""}
            for number in range(self._random.choice((0, 0, 12)))
        ]
        counts = dict.fromkeys(("faults_standing", "incidents", "waiting", "record_depth", "refused", "dropped"), MOST)
        said = {"period_s": period_s, "uptime_s": 1e308, "inputs": inputs, "faults": faults, "links": {}, "health": {}}
        return self._message(node, "heartbeat", seq=MOST, monitors=[], spilled=False, **said, **counts)

    def _listed(self, number: int) -> dict[str, Any]:
        boot = self._boot()
        press = {"boot": boot, "seq": MOST}
        about = {"class": "amok", "input": "button", "phase": "active", "presses": MOST, "since": _STAMP}
        return {"incident": f"{boot}-{number + 1}", "press": press, **about}

    def _message(self, node: str, kind: str, /, **fields: object) -> Packet:
        head = {"v": 1, "node": node, "boot": self._boot(), "seq": 1, "at_utc": _STAMP, "clock": "free"}
        return Packet(_topic(node, kind), json.dumps({**head, **fields}).encode())

    def _boot(self) -> str:
        return f"{self._random.randrange(2**32):08x}"

    def _any_topic(self) -> str:
        names = (NODE, "stranger-1", "A b", "x" * 64)
        return self._random.choice((_topic(self._random.choice(names), self._random.choice(KINDS)), self._own))
