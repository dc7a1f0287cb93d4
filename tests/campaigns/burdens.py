"""What a node must bear beside a press: 5,000 events that nobody has confirmed, and a flood of commands.

In `make test` 1,000 events have to do: they are 50 times what may be on its way at once.
"""

import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from node.core.delivery import WINDOW
from node.core.effects import LoggedEvent
from node.core.events import EventsStored
from node.core.model import Key, Snapshot
from node.io.health import kernel_boot
from node.io.record.record import Record, Row
from node.protocol.codec import Wire
from node.protocol.record_codec import decode_snapshot, encode_snapshot
from tests.campaigns import reading
from tests.campaigns.campaign import Figures, Try
from tests.campaigns.defects import command
from tests.campaigns.house import house
from tests.campaigns.reading import Reader
from tests.support.broker import Broker
from tests.support.desk import BRANCH
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE, SimulatedNode, wait_until

EVENTS, SHORT_EVENTS = 5_000, 1_000
DRAINED_S = 600.0
COMMANDS = 4_000
SOUNDS_S = 0.5

_OLD_BOOT = "0000000a"


def backlog(one: Try) -> Figures:
    """A record with 5,000 unconfirmed events, and a press; then a desk confirms, and the broker may die meanwhile."""
    chance, count = one.random, SHORT_EVENTS if one.short else EVENTS
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(one.directory / "broker", persistent=chance.random() < 0.5))
        config = house(one.directory, broker.port, heartbeat_s=1)
        alarms = chance.choice((0, 10, 100, 1_500, 2_500)) * count // EVENTS
        _write_backlog(one.directory / "state", chance, count, alarms)
        silent = stack.enter_context(Reader(broker.port, receipts=False))
        node = stack.enter_context(SimulatedNode(config, program=command(one.defect)))
        wait_until(lambda: len(silent.first) >= WINDOW, what="the first events")
        for _ in range(3):  # a second each; a command might not be heard by a node that is drowned in what it sends
            silent.receive("heartbeat")
        _expect_bounded(silent)
        node.tell("button tap 60")
        silent.receive("event", kind="pressed", boot=node.boot)
        begin = time.monotonic()
        readers = [stack.enter_context(Reader(broker.port))]
        readers[0].beat()
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0.0, 5.0))
            broker.kill()
            broker.start()
            readers.append(stack.enter_context(Reader(broker.port)))
            node.tell("button tap 60")  # it hurries the link
            readers[-1].beat()
        wait_until(lambda: _drained(readers) == count, DRAINED_S, f"{count} events at the desk")
        took_s = time.monotonic() - begin
        node.expect(ladder="told")
    events = reading.known(readers)
    old = [reading.is_alarm(event) for (boot, _), event in events.items() if boot == _OLD_BOOT]
    assert old == sorted(old, reverse=True), "telemetry of the backlog came before its alarms"
    return {f"seconds for {count:,} events": took_s}


def _drained(readers: list[Reader]) -> int:
    return len({seq for reader in readers for boot, seq in list(reader.first) if boot == _OLD_BOOT})


def _expect_bounded(silent: Reader) -> None:
    """Nobody has confirmed anything, so what came is what is on its way."""
    came = [reading.is_alarm(event) for event in list(silent.first.values())]
    alarms = sum(came)
    assert alarms <= WINDOW, f"{alarms} alarm events of a backlog are on their way"
    assert len(came) - alarms <= WINDOW, f"{len(came) - alarms} telemetry events are on their way"


def _write_backlog(directory: Path, chance: random.Random, count: int, alarms: int) -> None:
    """A record as a node leaves it that nobody has listened to for weeks; alarms are spread all over it."""
    stored: list[EventsStored] = []
    directory.mkdir()
    record = Record(
        directory,
        boot=_OLD_BOOT,
        kernel_boot=kernel_boot(),
        put=lambda event: stored.append(event) if isinstance(event, EventsStored) else None,
        decode_snapshot=decode_snapshot,
        kept=2 * count,
    )
    snapshot = encode_snapshot(Snapshot(at=time.monotonic()))
    written = Wire("alarm/v1", SITE, NODE, _OLD_BOOT)
    about_alarms = frozenset(chance.sample(range(1, count + 1), alarms))
    for seq in range(1, count + 1):
        event = _event(seq, alarm=seq in about_alarms)
        record.append(Row(event.key, event.is_alarm, event.at, kernel_boot(), written.event(event)), snapshot)
    record.start()
    wait_until(lambda: sum(len(each.keys) for each in stored) == count, what="a record of so many events")
    assert record.stop(20.0)


def _event(seq: int, *, alarm: bool) -> LoggedEvent:
    how = {"at": time.monotonic(), "at_utc": time.time(), "synchronised": False}
    if alarm:
        about = {"input": "button", "alarm_class": "threat", "incident": f"{_OLD_BOOT}-1", "presses": seq}
        return LoggedEvent(Key(_OLD_BOOT, seq), "restored", **how, **about)  # type: ignore[arg-type]
    return LoggedEvent(Key(_OLD_BOOT, seq), "opened", input="north", **how)  # type: ignore[arg-type]


def flood(one: Try) -> Figures:
    """Thousands of commands, as fast as they go, and a press in their midst; each is counted."""
    chance = one.random
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(one.directory / "broker", options=["max_queued_messages 0"]))
        config = house(one.directory, broker.port, heartbeat_s=1)
        desk = stack.enter_context(Reader(broker.port))
        node = stack.enter_context(SimulatedNode(config, program=command(one.defect)))
        desk.beat()
        flooding = stack.enter_context(Client(broker.port))
        pressed_at = chance.randrange(COMMANDS // 4, COMMANDS)
        for number, payload in enumerate(islice(_commands(chance), COMMANDS)):
            flooding.send(f"{BRANCH}/command", payload, expiry_s=chance.choice((None, 10, 600)))
            if number == pressed_at:
                node.tell("button tap 120")
        pressed = node.expect(pressed=True)
        sounded = node.expect(output="buzzer", level=True)
        desk.receive("event", kind="pressed", boot=node.boot)
        node.expect(ladder="told")
        # What is dropped is counted whatever it was: a receipt among it, too.
        desk.receive("heartbeat", lambda each: each["refused"] + each["dropped"] >= COMMANDS, timeout_s=60.0)
    after_s = float(sounded["at"]) - float(pressed["at"])
    assert after_s <= SOUNDS_S, f"it sounded {after_s:.3f} s after the press"
    assert "Traceback" not in node.log, node.log
    return {"seconds until it sounded in a flood": after_s}


def _commands(chance: random.Random) -> Iterator[bytes]:
    """Commands that a node must refuse: malformed, for another boot, unknown."""
    while True:
        message = {"v": 1, "id": f"{chance.getrandbits(64):x}", "boot": "00000000", "ttl_s": 10, "by": "x"}
        action = chance.choice(("reset", "silence", "acknowledge", "identify", "open-the-door"))
        yield chance.choice((b"{", json.dumps({**message, "action": action}).encode()))
