"""The node's network path breaks, or is bad: black hole, one way dead, a third of the packets lost, 2 s each way.

Node and broker are in network namespaces of their own, and the relay between them (tests/support/path.py) does what
the try wants. The desk is at the broker; nothing of it passes the path. A dead path is told at the wall: by the lamp,
in the log and in the status file; the log is what is waited for here.

A slow path must not livelock. With 2 s each way a connection takes 4 s for each of TCP, CONNECT, SUBSCRIBE and the
publish; the first deadline of 3 s (node/io/mqtt/answer_timeout.py) ends the session that there was, and the next ones
are 6 s long: about 3 + 4 x 4 s, and so much again where a second deadline runs out on the way. Hence ``SLOW_S``.
"""

import random
import time
from collections.abc import Callable

from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.defects import command
from tests.support.broker import Broker
from tests.support.desk import Desk, decoded
from tests.support.node import SimulatedNode, wait_until, write_config
from tests.support.path import BROKER_ADDRESS, Path, missing

PORT = 20_188
SOUND_S = 1.0
DEAD_S = 20.0
LOST = 0.3
SLOW_WAY_S = 2.0
SLOW_S = 60.0
WELL_S = 60.0

Fault = Callable[[Path, random.Random], None]


def _black_hole(path: Path, _chance: random.Random) -> None:
    for way in path.ways:
        way.dead = True


def _half_open(path: Path, chance: random.Random) -> None:
    chance.choice(path.ways).dead = True


def _loss(path: Path, _chance: random.Random) -> None:
    for way in path.ways:
        way.loss = LOST


def _delay(path: Path, _chance: random.Random) -> None:
    for way in path.ways:
        way.delay_s = SLOW_WAY_S


BLACK_HOLE, HALF_OPEN, LOSS, DELAY = "black hole", "one way dead", "30 % loss", "2 s each way"
KINDS: dict[str, Fault] = {BLACK_HOLE: _black_hole, HALF_OPEN: _half_open, DELAY: _delay, LOSS: _loss}
DEAD = (BLACK_HOLE, HALF_OPEN)


def attempt(this: Try) -> Figures:
    """One path that breaks at a random moment, and a press some time after that."""
    listener = f"listener {PORT} {BROKER_ADDRESS}"
    keys = {"host": BROKER_ADDRESS, "port": PORT, "insecure": True}
    config = write_config(this.directory, brokers=[keys], receipts="required")
    program = command(this.defect)
    with Path(random.Random(this.random.random())) as path, path.at_broker():  # noqa: S311 - which packets are lost
        prefix = ["ip", "netns", "exec", path.node]
        with (
            Broker(this.directory / "broker", options=[listener]) as broker,
            Desk(broker.port, receipts=True) as desk,
            SimulatedNode(config, program=program, prefix=prefix) as node,
        ):
            desk.expect("state", state="online")
            desk.beat()
            desk.expect("event", kind="started")
            node.tap()
            node.expect(ladder="told")
            incident = desk.expect("event", kind="restored")["incident"]
            assert desk.order("reset", incident=incident)["outcome"] == "done"
            figures = _break(this, path, node, desk)
            _judge_events(desk, node.boot)
    return figures


def _break(this: Try, path: Path, node: SimulatedNode, desk: Desk) -> Figures:
    time.sleep(this.random.uniform(0.0, 3.0))  # anywhere between two heartbeats
    told = node.log.count("F010 (")
    KINDS[this.kind](path, this.random)
    broken_at = time.monotonic()
    time.sleep(this.random.choice((0.0, this.random.uniform(0.0, 8.0))))
    mark = node.mark
    node.tap(this.random.randint(60, 400))
    figures = {"s from a press to the sound": _sounded(node, mark)}
    if this.kind in DEAD:
        wait_until(lambda: node.log.count("F010 (") > told, broken_at + DEAD_S - time.monotonic())
        figures["s until a dead path is told"] = time.monotonic() - broken_at
        time.sleep(this.random.uniform(0.0, 15.0))
    if this.kind == DELAY:
        _wait_slowly(node, mark)
        figures["s until received over a slow path"] = time.monotonic() - broken_at
    elif this.kind == LOSS:
        time.sleep(this.random.uniform(5.0, 15.0))
    path.heal()
    healed_at = time.monotonic()
    pressed = node.expect(since=mark, ladder="pressed")["at"]
    node.expect(lambda line: line["at"] >= pressed, WELL_S, since=mark, ladder="told")
    figures["s from a healed path to received"] = time.monotonic() - healed_at
    return figures


def _sounded(node: SimulatedNode, mark: int) -> float:
    """The buzzer goes on: its debounce, and what a loaded machine adds to that."""
    contact = node.expect(since=mark, pressed=True)["at"]
    level = node.expect(lambda line: line["at"] >= contact, since=mark, output="buzzer", level=True)["at"]
    took_s = float(level - contact)
    assert took_s <= SOUND_S, f"the press sounded after {took_s:.2f} s"
    return took_s


def _wait_slowly(node: SimulatedNode, mark: int) -> None:
    """The press is received over the slow path; two deadlines of 3 s in a row are the livelock."""

    def received() -> bool:
        drops = node.log.count("within 3 s")
        assert drops <= 1, f"a deadline that doesn't grow: a livelock\n{node.log}"
        return bool(node.lines(mark, ladder="told"))

    wait_until(received, SLOW_S)


def _told_last(desk: Desk) -> int:
    """The newest event's number, by all that the node has said beside events."""
    return max(
        int(message["seq"]) for topic in ("state", "alarm", "heartbeat", "reply") for message in desk.heard(topic)
    )


def _judge_events(desk: Desk, boot: str) -> None:
    """For a reader who takes each event once there is no gap; after each birth the alarms of before came first."""

    def complete() -> bool:
        numbers = {event["seq"] for event in desk.events if event["boot"] == boot}
        return numbers == set(range(1, max(numbers) + 1)) and max(numbers) >= _told_last(desk)

    wait_until(complete, WELL_S)
    seen: set[int] = set()
    before, telemetry_passed = 0, False
    for received in desk.client.received:
        topic = received.topic.rpartition("/")[2]
        if topic not in ("state", "event"):
            continue
        message = decoded(received)
        if topic == "state":
            if message["state"] == "online":
                before, telemetry_passed = message["seq"], False
            continue
        if message["seq"] in seen or message["seq"] > before:
            seen.add(message["seq"])
            continue
        seen.add(message["seq"])
        alarm = message.get("incident") is not None
        assert not (alarm and telemetry_passed), f"telemetry came before the alarm {message}"
        telemetry_passed = telemetry_passed or not alarm


NETWORK = Campaign(
    "network",
    "a press sounds at once, a dead path is told within 20 s, a slow one livelocks nothing; afterwards there is no gap",
    full=60,
    short=len(KINDS),
    attempt=attempt,
    kinds=tuple(KINDS),
    parallel=10,
    missing=missing,
)
