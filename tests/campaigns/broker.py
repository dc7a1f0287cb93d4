"""The broker is killed, stopped and restarted, is slow or drowned, while presses and other events come.

What holds for a desk that confirms what it hears and takes each event once, by boot and seq:

1. In the end no number is missing up to the last one that the node has told of, and each accepted press is there once.
2. Of what had to wait, alarms come first, and a fresh press overtakes all of it.
3. At most 20 telemetry events, and as many alarm events of those that wait, are on their way without a receipt.
4. The ladder of a press reaches *received* in the end, and whoever comes late reads the open alarm.
5. A flood of commands delays no sound, and each of them is counted as refused or dropped.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from node.io.record.record import read_log
from tests.campaigns import reading
from tests.campaigns.burdens import backlog, flood
from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.defects import command
from tests.campaigns.house import DOORS, house, toggles
from tests.campaigns.reading import Reader
from tests.support.broker import Broker
from tests.support.desk import BRANCH, decoded, incidents
from tests.support.mqtt import Client
from tests.support.node import PAUSE_S, SimulatedNode, wait_until

_TAP_MS = 45
_DOWN_S = 1.5


def killed(one: Try) -> Figures:
    """One to three times the broker dies, with or without a memory on its disk, and comes back."""
    return _outages(one, Broker.kill)


def stopped(one: Try) -> Figures:
    """The same, by its service manager."""
    return _outages(one, Broker.stop)


def _outages(one: Try, end: Callable[[Broker], None]) -> Figures:
    chance = one.random
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(one.directory / "broker", persistent=chance.random() < 0.5))
        readers = [stack.enter_context(Reader(broker.port))]
        config = house(one.directory, broker.port)
        node = stack.enter_context(SimulatedNode(config, program=command(one.defect)))
        readers[0].beat()
        presses = chance.randint(3, 8)
        driver = random.Random(chance.random())  # noqa: S311 - of its own: the two threads take turns by chance
        with ThreadPoolExecutor(1) as pool:
            driven = pool.submit(_live, node, driver, presses)
            for _ in range(chance.randint(1, 3)):
                time.sleep(chance.uniform(0.0, 0.5))
                end(broker)
                time.sleep(chance.uniform(0.0, _DOWN_S))
                broker.start()
                readers.append(stack.enter_context(Reader(broker.port)))
            driven.result()
        _settle(node, broker, readers, presses)
    return {}


def _live(node: SimulatedNode, chance: random.Random, presses: int) -> None:
    """So many presses, and doors that open and close in between."""
    door_moves = toggles(chance)
    for _ in range(presses):
        for _ in range(chance.randint(0, 3)):
            node.tell(next(door_moves))
            time.sleep(PAUSE_S)
        node.tap(_TAP_MS)


def slow(one: Try) -> Figures:
    """A desk hangs, the broker's queue for it overflows, and what the broker has dropped is sent again.

    The queue can hold what a node has on its way, which is twice the window: whoever is quick enough misses nothing.
    """
    chance = one.random
    limits = [f"max_inflight_messages {chance.randint(1, 4)}", f"max_queued_messages {chance.randint(45, 60)}"]
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(one.directory / "broker", options=limits))
        config = house(one.directory, broker.port, receipt_s=5)
        readers = [stack.enter_context(Reader(broker.port))]
        node = stack.enter_context(SimulatedNode(config, program=command(one.defect)))
        readers[0].beat()
        presses = chance.randint(1, 4)
        time.sleep(chance.uniform(0.0, 0.2))
        readers[0].hang()
        stack.callback(readers[0].go_on)
        door_moves = toggles(chance)
        for _ in range(presses):
            _burst(node, door_moves, rounds=chance.randint(6, 10))
            node.tap(_TAP_MS)
        with Client(broker.port, subscribe=[f"{BRANCH}/reply"]) as asking:
            for _ in range(100):  # the replies are for the desk, too; all are said before the next desk comes
                asking.publish(f"{BRANCH}/command", json.dumps(readers[0].command("probe")), expiry_s=20)
                asking.expect_topic(f"{BRANCH}/reply")
        wait_until(lambda: "messages are being dropped" in _text(broker.log), what="an overflow at the broker")
        readers[0].go_on()
        readers.append(stack.enter_context(Reader(broker.port)))
        _settle(node, broker, readers, presses)
    return {}


def away(one: Try) -> Figures:
    """Doors and presses while the broker is away: when it is back, all that is about alarms comes before the rest."""
    chance = one.random
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(one.directory / "broker", persistent=chance.random() < 0.5))
        config = house(one.directory, broker.port)
        readers = [stack.enter_context(Reader(broker.port))]
        node = stack.enter_context(SimulatedNode(config, program=command(one.defect)))
        readers[0].beat()
        readers[0].receive("event", kind="started")
        broker.kill()
        presses = chance.randint(2, 6)
        door_moves = toggles(chance)
        for _ in range(presses):
            _burst(node, door_moves, rounds=chance.randint(1, 4))
            node.tap(_TAP_MS)
        wait_until(lambda: _stored(config, node.boot, "restored") == presses, what="all of it on the disk")
        node.freeze()  # so that the reader is there first
        waited = {row.key for row in read_log(config.parent / "state")} - set(readers[0].first)
        broker.start()
        readers.append(stack.enter_context(Reader(broker.port)))
        node.thaw()
        _settle(node, broker, readers, presses)

    came = [event for identity, event in readers[1].first.items() if identity in waited]
    alarms = [reading.is_alarm(event) for event in came]
    assert alarms == sorted(alarms, reverse=True), f"telemetry came before alarms: {[each['kind'] for each in came]}"
    return {}


def _burst(node: SimulatedNode, door_moves: Iterator[str], rounds: int) -> None:
    """Every door moves at once, again and again."""
    for _ in range(rounds):
        node.tell(*(next(door_moves) for _ in DOORS))
        time.sleep(PAUSE_S)


def _settle(node: SimulatedNode, broker: Broker, readers: list[Reader], presses: int) -> None:
    """One more press, which is received; then the readers together know everything, and each thing once."""
    last = readers[-1]
    mark = node.mark
    node.tap(_TAP_MS)  # it hurries the link
    last.beat()
    wait_until(lambda: _received(node, mark), timeout_s=30.0, what="the last press received")

    def gaps() -> list[int]:
        return reading.missing(reading.known(readers), node.boot, reading.told_last(last, node.boot))

    wait_until(lambda: not gaps(), what=f"all up to the last number ({gaps()} are missing)")
    events = reading.known(readers)
    pressed = reading.of_kind(events, "pressed")
    accepted = len(node.lines(ladder="pressed"))
    assert accepted == presses + 1, f"{accepted} of {presses + 1} presses were accepted"
    assert sorted(each["presses"] for each in pressed) == list(range(1, presses + 2)), pressed
    (incident,) = {each["incident"] for each in pressed}
    with Client(broker.port, subscribe=[f"{BRANCH}/alarm"]) as late:
        retained = late.expect_topic(f"{BRANCH}/alarm")
        assert retained.retain
        assert incidents(decoded(retained)) == [incident]
    assert "Traceback" not in node.log, node.log


def _received(node: SimulatedNode, since: int) -> bool:
    """Whether a press was received after this mark: the receipt of an older one, which comes late, is none for it."""
    ladder = [change["ladder"] for change in node.lines(since) if "ladder" in change]
    return "pressed" in ladder and "told" in ladder[ladder.index("pressed") :]


def _stored(config: Path, boot: str, kind: str) -> int:
    rows = read_log(config.parent / "state")
    return sum(row.key.boot == boot and f'"kind":"{kind}"'.encode() in row.body for row in rows)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


KINDS: Mapping[str, Callable[[Try], Figures]] = {
    "killed": killed,
    "stopped": stopped,
    "slow reader": slow,
    "away": away,
    "backlog of 5,000": backlog,
    "flood": flood,
}


def attempt(one: Try) -> Figures:
    """One try of its kind."""
    return KINDS[one.kind](one)


BROKER = Campaign(
    name="broker",
    invariant="whatever the broker does: no number is missing at the desk, nothing is there twice, alarms come first, "
    "what is on its way is bounded, and a press is received in the end",
    full=200,
    short=len(KINDS),
    attempt=attempt,
    kinds=tuple(KINDS),
    parallel=4,
)
