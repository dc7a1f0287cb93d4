"""kill -9 at a random moment around a press; the node is started again, and a desk that confirms hears it.

What holds, by what was there:

1. The record kept: a press that was *stored* reaches a desk that confirms, whether or not the broker was there.
2. The record kept or deleted: an alarm that the broker had retained is there again, by the same id.
3. Both mean the whole alarm: retained, sounding and shining from the start until a reset, and never ``normal`` between.
4. A reader who takes each event once sees each press once. Without a press there is no alarm.

What wasn't stored, and what the broker didn't have, may come back or not. In some tries the node is killed once more
while it comes back.
"""

import random
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns import reading
from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.defects import command
from tests.campaigns.reading import Reader
from tests.support.broker import Broker
from tests.support.desk import Desk, Message, incidents
from tests.support.node import SimulatedNode, wait_until, write_config

STARTS_S = 0.3
"""So long a start takes; it is forked (tests/support/prepared.py)."""

ARRIVES_S = 15.0

_IN_ALARM = ("calling", "received", "nobody")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a kind means. ``told``: an earlier press had reached the broker before it went."""

    pressed: bool = True
    broker_away: bool = False
    confirmed: bool = True
    deleted: bool = False
    told: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """How far the ladder can get."""
        if self.broker_away:
            return "pressed", "stored"
        climbed = ("pressed", "stored", "accepted")
        return (*climbed, "held", "told") if self.confirmed else climbed


SCENES: Mapping[str, Scene] = {
    "broker there": Scene(),
    "broker there, desk confirms nothing": Scene(confirmed=False),
    "broker away": Scene(broker_away=True),
    "broker there, record deleted": Scene(deleted=True),
    "broker away after a press, record deleted": Scene(broker_away=True, deleted=True, told=True),
    "no press": Scene(pressed=False),
}


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of the killed one. ``retained``: what the broker holds. ``desk`` counts where it has confirmed."""

    boot: str
    stored: int
    pressed: int
    retained: list[str]
    desk: Reader


def attempt(one: Try) -> Figures:
    """Press and kill, perhaps kill again, start, look, reset; how long it took until the building was told anew."""
    scene = SCENES[one.kind]
    with Broker(one.directory / "broker", persistent=True) as broker:
        config = write_config(one.directory, broker.port, receipts="required")
        before = _first_life(one, scene, broker, config)
        if scene.deleted:
            shutil.rmtree(one.directory / "state")
        returns_late = scene.broker_away and not scene.deleted and one.random.random() < 0.5
        if scene.broker_away and not returns_late:
            broker.start()
        with ExitStack() as stack:
            desk = None if returns_late else stack.enter_context(Reader(broker.port))
            if one.random.random() < 0.25:
                with SimulatedNode(config, program=command(one.defect)) as node:
                    time.sleep(one.random.uniform(0.0, STARTS_S))
                    node.kill()
            begin = time.monotonic()
            node = stack.enter_context(SimulatedNode(config, program=command(one.defect)))
            if desk is None:
                if before.stored:
                    _expect_on_the_wall(node)
                broker.start()
                desk = stack.enter_context(Reader(broker.port))
            told_after_s = desk.receive("alarm", boot=node.boot).at - begin
            desk.beat()
            _look(scene, before, node, desk)
    return {"seconds until the alarm was told again": told_after_s}


def _first_life(one: Try, scene: Scene, broker: Broker, config: Path) -> Before:
    with (
        Reader(broker.port, receipts=scene.confirmed) as desk,
        SimulatedNode(config, program=command(one.defect)) as node,
    ):
        if not scene.pressed:
            _kill_within(0.6, one.random, node)
        else:
            node.expect_log("session 1 is up")
            if scene.told:
                node.tap()
                desk.receive("alarm", phase="active")
            if scene.broker_away:
                broker.stop()
            _press_and_kill(one.random, scene, node)
            if not scene.broker_away:
                desk.receive("state", state="lost", boot=node.boot)  # behind it comes nothing more of this node
    alarms = desk.heard("alarm")
    boot = node.boot if scene.pressed else ""
    retained = incidents(alarms[-1]) if alarms else []
    return Before(boot, len(node.lines(ladder="stored")), 1 + scene.told if scene.pressed else 0, retained, desk)


def _press_and_kill(chance: random.Random, scene: Scene, node: SimulatedNode) -> None:
    """Most of a ladder's steps follow each other within milliseconds: the moments are as close."""
    mark = node.mark
    node.tell("button tap 120")
    match chance.choice(("step", "near", "near" if scene.confirmed else "far", "far")):
        case "step":
            node.expect(ladder=chance.choice(scene.steps), since=mark)
            _kill_within(chance.choice((0.0, 0.003)), chance, node)
        case "near":
            node.expect(since=mark, pressed=True)
            _kill_within(0.040, chance, node)
        case _:
            _kill_within(0.4, chance, node)


def _kill_within(longest_s: float, chance: random.Random, node: SimulatedNode) -> None:
    time.sleep(chance.uniform(0.0, longest_s))
    node.kill()


def _expect_on_the_wall(node: SimulatedNode) -> None:
    node.expect(output="buzzer", level=True)
    node.expect(lambda line: line.get("pattern") in _IN_ALARM, output="lamp")


def _look(scene: Scene, before: Before, node: SimulatedNode, desk: Reader) -> None:
    """Compare what there is now with what has to be, and end it by a reset."""
    promised = 0 if scene.deleted else before.stored
    confirming = [before.desk, desk] if scene.confirmed else [desk]

    def presses() -> list[Message]:
        return reading.of_kind(reading.known(confirming), "pressed")

    if promised:
        what = f"{promised} stored presses at a desk that confirms"
        wait_until(lambda: len(presses()) >= promised, ARRIVES_S, what)
    if promised or before.retained:
        _expect_on_the_wall(node)
        wait_until(lambda: any(incidents(alarm) for alarm in _alarms(desk, node.boot)), what="the alarm at the desk")
    assert desk.order("probe", boot=node.boot)["outcome"] == "done"

    told = [incidents(alarm) for alarm in _alarms(desk, not_by=before.boot)]
    everywhere = reading.known([before.desk, desk])
    pressed = reading.of_kind(everywhere, "pressed")
    if not before.pressed:
        assert not any(told), f"an alarm without a press: {told}"
        assert not node.lines(output="buzzer"), "a sound without a press"
    if promised or before.retained:
        ids = before.retained or [f"{event['boot']}-{event['seq']}" for event in pressed][:1]
        assert all(each == ids for each in told), f"the alarm is {ids}, and was told as {told}"
    assert len(pressed) <= before.pressed, f"more presses than there were: {pressed}"
    ids_told = {event["incident"] for event in everywhere.values() if "incident" in event}
    assert len(ids_told) <= 1, f"several incidents: {ids_told}"
    for incident in incidents(_alarms(desk, node.boot)[-1]):
        assert desk.order("reset", boot=node.boot, incident=incident)["outcome"] == "done"
        desk.receive("alarm", phase="normal", boot=node.boot)
        node.expect(lambda line: line.get("pattern") in ("ready", "fault"), output="lamp")


def _alarms(desk: Desk, by: str = "", not_by: str = "") -> list[Message]:
    return [each for each in desk.heard("alarm") if (not by or each["boot"] == by) and each["boot"] != not_by]


KILL = Campaign(
    name="kill",
    invariant="what was stored, or retained by the broker, survives kill -9: same incident, in alarm until reset, each "
    "press once; no press, no alarm",
    full=1_000,
    short=3 * len(SCENES),
    attempt=attempt,
    kinds=tuple(SCENES),
    parallel=5,
)
