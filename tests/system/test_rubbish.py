"""Rubbish on everything that a node listens to: it lives, and a press among it is what it always is."""

import json
import random
from collections.abc import Iterator
from itertools import islice

from tests.support.desk import BRANCH, Desk
from tests.support.node import SITE, SimulatedNode

MESSAGES = 2_000
TOPICS = (
    *(f"{BRANCH}/{each}" for each in ("state", "alarm", "canary", "receipt", "command")),
    *(f"alarm/v1/{SITE}/monitor/{name}" for name in ("guard-desk/state", "guard-desk/heartbeat", "x/state", "x/y")),
)
_WORDS = ("v", "node", "boot", "seq", "monitor", "event", "incidents", "action", "id", "ttl_s", "state", "session")
_DEEP = b"[" * 10_000
_WHOLE = (
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
    json.dumps({"v": 1, "monitor": "guard-desk", "boot": "0" * 8, "state": 7}).encode(),
)


def _value(random_: random.Random, depth: int = 0) -> object:
    kinds = 5 if depth > 3 else 7
    match random_.randrange(kinds):
        case 0:
            return None
        case 1:
            return random_.choice((True, 1, 0, -1, 2**53, 2**64, 1e308, -0.0))
        case 2:
            return random_.choice(("", "00000000", "00000000-1", "online", "reset", "room-214", "\u2028", "a" * 300))
        case 3 | 4:
            return random_.randrange(-(2**70), 2**70)
        case 5:
            return [_value(random_, depth + 1) for _ in range(random_.randrange(4))]
        case _:
            return {word: _value(random_, depth + 1) for word in random_.sample(_WORDS, random_.randrange(5))}


def _rubbish(random_: random.Random) -> Iterator[tuple[str, bytes]]:
    for topic in TOPICS:
        for payload in _WHOLE:
            yield topic, payload
    while True:
        payload = random_.randbytes(random_.randrange(200))
        if random_.random() < 0.7:
            payload = json.dumps({"v": 1, **dict.fromkeys(random_.sample(_WORDS, 6), _value(random_))}).encode()
        yield random_.choice(TOPICS), payload


def test_rubbish_on_every_topic_holds_up_no_press(desk: Desk, node: SimulatedNode) -> None:
    """2,000 messages that mean nothing, a press in their midst and one after: both sound and arrive; it never fell."""
    messages = list(islice(_rubbish(random.Random(214)), MESSAGES))  # noqa: S311 - the same rubbish each time

    for number, (topic, payload) in enumerate(messages):
        if number == MESSAGES // 2:
            node.tell("button tap 120")
        if number % 50 == 49:
            desk.client.publish(topic, payload, expiry_s=10)
        else:
            desk.client.send(topic, payload, expiry_s=10)
    node.expect(output="buzzer", level=True)
    desk.receive("event", kind="pressed", presses=1)
    desk.receive("event", kind="restored", presses=1)
    node.tap()
    desk.receive("event", kind="pressed", presses=2)

    assert desk.order("probe", boot=node.boot)["outcome"] == "done"
    assert "is down" not in node.log
    assert "Traceback" not in node.log
    assert node.quit() == 0
