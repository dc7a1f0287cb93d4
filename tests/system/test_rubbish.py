"""Rubbish on everything that a node listens to: it lives, it stays what it was, and a press among it is what it is."""

import json
import logging
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker
from tests.support.desk import BRANCH, Desk, Message, decoded, faults
from tests.support.examples import examples
from tests.support.flood import Flood, Packet
from tests.support.mqtt import Client
from tests.support.node import BUTTON, NODE, SITE, SimulatedNode, wait_until, write_config
from tests.support.rubbish import EXPIRY_S, MONITOR, TOPICS, WHOLE, Now, Rubbish
from tests.support.used import Used

CHUNK = 1_000
CHUNKS = examples(100)
WARM = CHUNKS // 5
PRESSED_AT = range(CHUNKS // 12, CHUNKS, max(2, CHUNKS // 8))
HUGE_AT = range(CHUNKS // 4, CHUNKS, max(3, CHUNKS // 6))
HUGE = b"[" * 2**24

SOUND_S = 0.5
"""What a press may take until it sounds, be the node flooded or not: 20 ms of it are the debouncing."""

TOLD_S = 5.0
GROWTH_KIB = 2_560 + (CHUNKS - WARM) * CHUNK * 32 / 1024
"""What the node may take once it is warm: what varies from run to run (two of Python's arenas, and some), and 32 bytes
for each further message. A message that is kept takes several hundred."""

LARGEST = 20_000
"""A payload beyond this is in a packet of more than 20 KiB, which the node's broker keeps to itself."""

HELP = {**BUTTON, "name": "help", "class": "assist", "sound": "silent", "lamp": "shown"}
DESK = {**BUTTON, "name": "desk", "pin": 27}
DOOR = {**BUTTON, "name": "door", "pin": 24}

log = logging.getLogger(__name__)


class Progress:
    """How many messages the node has answered with PUBACK since this was made, by its broker's log."""

    def __init__(self, broker: Broker) -> None:
        self._log = broker.log.open("rb")
        self._log.seek(0, 2)
        self._rest = b""
        self._count = 0

    @property
    def count(self) -> int:
        """So far."""
        *lines, self._rest = (self._rest + self._log.read()).split(b"\n")
        self._count += sum(f"Received PUBACK from {SITE}/node/{NODE}".encode() in line for line in lines)
        return self._count

    def close(self) -> None:
        """Look no more, and throw the log away: it has grown too long to be kept."""
        Path(self._log.name).unlink()
        self._log.close()


def _overheard(witness: Client) -> list[Packet]:
    """Copies of all that was said so far on topics that a node hears, so that it can be said again."""
    heard = [message for message in witness.received if message.topic in TOPICS and not message.retain]
    return [
        Packet(each.topic, each.payload, expiry_s=EXPIRY_S if each.topic.endswith("/command") else None)
        for each in heard
    ]


def _greet(desk: Desk) -> None:
    desk.beat()
    state = {"v": 1, "monitor": "guard-desk", "boot": desk.boot, "state": "online"}
    desk.client.publish(f"{MONITOR}/state", json.dumps(state))


def _earlier_boot(broker: Broker, config: Path) -> list[Packet]:
    """A node lives a little and ends; what was said meanwhile."""
    with Client(broker.port, subscribe=["alarm/v1/#"]) as witness:
        with Desk(broker.port, receipts=True) as desk, SimulatedNode(config) as node:
            _greet(desk)
            node.tell("button:desk tap 120")
            pressed = desk.expect("event", kind="restored")
            for action in ("acknowledge", "silence", "reset", "probe"):
                desk.order(action, incident=pressed["incident"])
            assert node.quit() == 0
            desk.receive("state", state="offline")
        return _overheard(witness)


def _insist(desk: Desk, action: str, **fields: object) -> None:
    """Give the same command again and again, as every tool should: a flood may drown one, and a copy does no harm."""
    command = desk.command(action, **fields)
    for _ in range(60):
        desk.give(command)
        with suppress(AssertionError):
            reply = desk.expect("reply", id=command["id"], timeout_s=1.0)
            assert reply["outcome"] == "done", reply
            return
    raise AssertionError(f"{action} was never answered")


def _press(desk: Desk, node: SimulatedNode) -> tuple[float, float]:
    """Press, see it through to its reset; after how many seconds it sounded, and was told to the desk."""
    known = {event.get("incident") for event in desk.events}
    mark = node.mark
    node.tell("button:desk tap 120")
    contact = node.expect(since=mark, input="desk", pressed=True)["at"]
    sound = node.expect(since=mark, output="buzzer", level=True)["at"]
    told = desk.receive("event", lambda event: event["incident"] not in known, kind="pressed", input="desk")
    desk.receive("event", kind="restored", incident=decoded(told)["incident"])
    _insist(desk, "reset", incident=decoded(told)["incident"])
    wait_until(lambda: node.lines(output="buzzer")[-1]["level"] is False)
    return sound - contact, told.at - contact


def _heartbeat(desk: Desk) -> Message:
    """One that comes after this was asked for."""
    newest = max(message["uptime_s"] for message in desk.heard("heartbeat"))
    return desk.expect("heartbeat", lambda message: message["uptime_s"] > newest)


def _knows(heartbeat: Message) -> dict[str, object]:
    """What rubbish must not change."""
    inputs = {name: (each["state"], "inhibited_s" in each) for name, each in heartbeat["inputs"].items()}
    connected = {name: each["connected"] for name, each in heartbeat["links"].items()}
    return {"inputs": inputs, "links": connected, **{name: heartbeat[name] for name in ("incidents", "monitors")}}


def _retained(broker: Broker, topic: str) -> Mapping[str, Any]:
    with Client(broker.port, subscribe=[f"{BRANCH}/{topic}"]) as late:
        return decoded(late.expect(lambda message: message.retain))


def _incidents(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{**each, "sound_s": 0.0} for each in alarm.get("incidents", ())]


def _flood(
    desk: Desk, node: SimulatedNode, flood: Flood, progress: Progress, rubbish: Rubbish
) -> tuple[list[tuple[float, float]], Used]:
    """All of it, with presses in its midst; how quick these were, and what the node took once it was warm."""
    supply = iter(rubbish)
    presses: list[tuple[float, float]] = []
    warm = Used.by(node.pid)
    reaching = 0
    for number in range(CHUNKS):
        chunk = list(islice(supply, CHUNK))
        reaching += sum(len(each.payload) <= LARGEST for each in chunk)
        flood.pour(chunk)
        if number in HUGE_AT:
            flood.pour([Packet(TOPICS[number % len(TOPICS)], HUGE)])
        if number in PRESSED_AT:
            presses.append(_press(desk, node))
        if number == WARM:
            warm = Used.by(node.pid)
        desk.beat()
        wait_until(lambda: progress.count >= reaching - CHUNK, 60.0)  # noqa: B023 - asked at once
    # The desk's own messages are among what the node has answered.
    wait_until(lambda: progress.count >= reaching, 60.0)
    return presses, warm


@pytest.mark.many
@pytest.mark.timeout(600)
def test_rubbish_changes_nothing_and_holds_up_no_press(tmp_path: Path) -> None:
    """Messages that mean nothing, on every topic: no crash, no change, flat memory; a press sounds as ever."""
    seed = random.getrandbits(32)
    log.warning("the seed of this rubbish is %d", seed)
    # Nothing that was poured may be lost on its way: what counts is what the node is made to bear.
    options = ("max_inflight_messages 0", "max_queued_messages 0")
    with Broker(tmp_path / "broker", options=options) as broker, Flood(broker.port) as flood:
        config = write_config(tmp_path, broker.port, buttons=(HELP, DESK, DOOR), heartbeat_s=2, monitors=["guard-desk"])
        said = _earlier_boot(broker, config)
        flood.pour([Packet(topic, WHOLE[1 + number % 4], retain=True) for number, topic in enumerate(TOPICS)])
        flood.pour([Packet(f"{BRANCH}/receipt", HUGE, retain=True)])
        with Desk(broker.port, receipts=True) as desk, SimulatedNode(config) as node:
            with Client(broker.port, subscribe=["alarm/v1/#"]) as witness:
                _greet(desk)
                node.tell("button:help tap 120")
                pressed = desk.expect("event", kind="pressed")
                node.expect(ladder="told")
                usual = [_press(desk, node) for _ in range(3)]
                said += _overheard(witness)
            # Last, so that no copy of it is among the rubbish: a second one would let it last longer.
            desk.order("inhibit", input="door", for_s=80_000, reason="paint")
            before = _heartbeat(desk)
            listed = _incidents(_retained(broker, "alarm"))
            desk.client.unsubscribe(f"{BRANCH}/state", f"{BRANCH}/alarm")
            heard = len(desk.events)
            mark = node.mark
            progress = Progress(broker)

            presses, warm = _flood(desk, node, flood, progress, Rubbish(seed, _now(node, pressed), said))

            reached = progress.count
            after = _heartbeat(desk)
            used = Used.by(node.pid)
            wait_until(lambda: _incidents(_retained(broker, "alarm")) == listed)
            wait_until(lambda: _retained(broker, "state").get("state") == "online")
            progress.close()
            log.warning("reached %d; %s then %s; usual %s, in its midst %s", reached, warm, used, usual, presses)

            assert node.is_alive
            assert "Traceback" not in node.log
            assert "is down" not in node.log
            assert _knows(after) == _knows(before)
            assert set(faults(after)) - set(faults(before)) <= {
                "F013",
                "F054",
            }  # others did speak in its name, and without an expiry
            assert after["refused"] > before["refused"]
            assert after["dropped"] > before["dropped"]
            assert _decided(desk.events[heard:]) == {"pressed", "restored", "reset"}
            assert len({each["incident"] for each in desk.events[heard:] if each["kind"] == "reset"}) == len(presses)
            assert {line["ladder"] for line in node.lines(mark) if line.get("input") == "help"} == set()
            wait_until(lambda: node.lines(output="lamp")[-1]["pattern"] == "received")
            assert reached >= CHUNKS * CHUNK * 0.9
            assert used.kib - warm.kib < GROWTH_KIB
            # A file may be open just now, and no more: none of the messages has left one behind.
            wait_until(lambda: Used.by(node.pid).files <= warm.files, what="the files from before")
            assert used.threads == warm.threads
            assert max(sound_s for sound_s, _ in usual + presses) < SOUND_S
            assert max(told_s for _, told_s in usual + presses) < TOLD_S
            assert node.quit() == 0


def _now(node: SimulatedNode, pressed: Message) -> Now:
    return Now(node.boot, str(pressed["incident"]), "desk")


def _decided(events: Sequence[Message]) -> set[str]:
    """What happened, beside what such messages honestly mean: a second node of this name, and orders that fail."""
    kinds = {str(event["kind"]) for event in events if event.get("fault") != "F013"}
    return kinds - {"command-refused"}
