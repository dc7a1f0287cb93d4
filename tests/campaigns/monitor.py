"""kill -9 of the building's monitor at random moments of alarms, again and again, on every kind of history.

One try is LIVES lives of a monitor (or of two on one history, of which one or both are killed), with a broker, real
receivers of messages, and nodes by PROTOCOL.md that say again whatever has no receipt. What holds:

1. No receipt for what the history doesn't hold: looked up in the database while the monitor is dead.
2. Nobody is told the same thing twice, unless the later message says that it may have been told before, or the database
   was away: then each monitor tells it from memory.
3. No lamp says *received* for a call that no channel took: no receipt *told* for a press whose message no receiver had
   answered before, whichever fails, hangs or is killed, and while the database is away. What was taken is told in the
   end, also by who was started after it.
4. Nothing is forgotten: every event gets its receipt, each incident is there with all its presses and was told, and one
   that nobody has acknowledged is told to the next group after the restart; one that somebody has, isn't.
"""

import atexit
import functools
import math
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.defects import monitor_command
from tests.support import kept
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.mqtt import Client
from tests.support.node import SITE, wait_until
from tests.support.postgres import Postgres
from tests.support.receivers import HttpReceiver, Posted
from tests.support.standins import Incident, Said, StandIns, names

LIVES = 4
ESCALATE_S = 10
ESCALATES_WITHIN_S = 19.0
"""From a start that is ready; less than it takes to adopt what only the broker knows (10 s) and to escalate that."""

STARTS_S = 1.5
"""So long a start takes at most; it is forked (tests/support/prepared.py)."""

ARRIVES_S = 20.0
AWAY_S = 15.0
"""Longer than it takes until people are told from memory: 3 s, once the database has been waited for, which is 5 s."""

REMARK = "You may have got this message before."

_ACKNOWLEDGED_YOUNG_S = 5.0
_CALLS = re.compile(r"^Pressed (\S+) times$", re.MULTILINE)
_AS_WELL = re.compile(r"^- ([^:]+): ([^,]+), .*?(?: \(([0-9a-f]{8}-\d+)\))?$", re.MULTILINE)
_INCIDENT = re.compile(r"acknowledge (\S+)")
_postgres_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a kind means."""

    monitors: int = 1
    postgres: bool = False


SCENES: Mapping[str, Scene] = {
    "SQLite": Scene(),
    "PostgreSQL": Scene(postgres=True),
    "two on one PostgreSQL": Scene(monitors=2, postgres=True),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a message tells: the beginning of its title, the incident or else the place, and how many calls.

    A further call, after all were told and nobody came, is told again: it is another thing. What waited of the same
    node stands below, on a line each, without how many calls: whether that was told before can't be seen.
    """

    what: str
    about: str
    perhaps: bool
    calls: str

    @classmethod
    def of(cls, posted: Posted) -> "Told":
        """What this message tells first."""
        what, _, rest = posted.title.partition(": ")
        found = _INCIDENT.search(posted.body)
        calls = _CALLS.search(posted.body)
        return cls(what, found[1] if found else rest, REMARK in posted.body, calls[1] if calls else "1")

    @classmethod
    def all_of(cls, messages: Iterable[Posted]) -> "list[Told]":
        """What these messages tell."""
        told = []
        for posted in messages:
            told.append(cls.of(posted))
            for what, node, incident in _AS_WELL.findall(posted.body):
                told.append(cls(what, f"{node}/{incident}" if incident else node, True, "?"))
        return told


class World:
    """All that a try starts."""

    def __init__(self, one: Try, stack: ExitStack) -> None:
        scene = SCENES[one.kind]
        self.chance = one.random
        self.url = stack.enter_context(_history(scene, one.directory))
        self.broker = stack.enter_context(Broker(one.directory / "broker"))
        self.first = stack.enter_context(HttpReceiver())
        self.next = stack.enter_context(HttpReceiver())
        told = {"language": "en", "findings": "none"}
        targets = [
            {"name": "first", "url": self.first.url, "level": 0, **told},
            {"name": "next", "url": self.next.url, "level": 1, **told},
        ]
        program = monitor_command(one.defect)
        self.monitors = []
        for name in ("desk-a", "desk-b")[: scene.monitors]:
            config = write_monitor(
                one.directory / name,
                self.broker.port,
                name=name,
                history_url=self.url,
                targets=targets,
                incidents={"escalate_s": ESCALATE_S},
            )
            monitor = RunningMonitor(config, program=program)
            stack.push(monitor)
            self.monitors.append(monitor)
        states = [f"alarm/v1/{SITE}/monitor/+/state"]
        self.witness = stack.enter_context(Client(self.broker.port, subscribe=states))
        self.nodes = stack.enter_context(StandIns(self.broker.port, retained=one.random.random() < 0.5))
        self.free = list(names(40))
        self.acknowledged: list[Incident] = []
        self.unsure: set[str] = set()

    def start(self) -> None:
        """Start whoever is dead, and wait until all are ready."""
        for monitor in self.monitors:
            if not monitor.runs:
                monitor.start()
        for monitor in self.monitors:
            monitor.wait_until_ready()

    def took(self, incident: Incident) -> float:
        """When a receiver first took a message that calls for it; infinite where none did."""
        taken = [each for receiver in (self.first, self.next) for each in receiver.taken.items]
        about = _name(incident)
        calls = (each.at for each in taken if about in [told.about for told in Told.all_of([each])])
        return min(calls, default=math.inf)

    def call(self) -> None:
        """A few things happen at once: new calls, further presses, somebody is coming, it is over."""
        for _ in range(self.chance.randint(1, 3)):
            self.nodes.press(self.free.pop())
        for incident in list(self.nodes.incidents.values()):
            taken = self.nodes.receipts(incident.first)
            match self.chance.randrange(5):
                case 0 if incident.is_calling:
                    self.nodes.press(incident.node)
                case 1 if incident.is_calling and taken and self.is_young(incident):
                    self.acknowledged.append(incident)
                    self.nodes.acknowledge(incident)
                case 2 if incident in self.acknowledged and incident.phase == "acknowledged":
                    self.nodes.reset(incident)

    def is_young(self, incident: Incident) -> bool:
        """Whether it can't have been told to the next group yet."""
        return self.nodes.age_s(incident.first) < _ACKNOWLEDGED_YOUNG_S

    def kill(self) -> None:
        """At a moment by chance: most of what follows a press follows within milliseconds."""
        chance = self.chance
        self.first.behaviour = chance.choice(("take", "take", "take", "slow", "fail"))
        if self.first.behaviour == "slow":
            self.first.answering.clear()
        asked, receipts = len(self.first.asked.items), len(self.nodes.receipted)
        self.call()
        match chance.choice(("near", "near", "receipt", "receipt", "told", "told", "far")):
            case "near":
                time.sleep(chance.uniform(0.0, 0.03))
            case "receipt":
                self.nodes.wait(lambda: len(self.nodes.receipted) > receipts)
                time.sleep(chance.choice((0.0, 0.002, 0.01)))
            case "told":
                self.first.asked.first(asked + 1)
                time.sleep(chance.choice((0.0, 0.0, 0.002, 0.01)))
            case _:
                time.sleep(chance.uniform(0.0, 1.0))
        killed = self.monitors if chance.random() < 0.5 else [chance.choice(self.monitors)]
        for monitor in killed:
            monitor.kill()
        for _ in killed:
            self.witness.expect(lambda message: b'"lost"' in message.payload and not message.retain)
        self.first.behaviour = "take"
        self.first.answering.set()

    def live_without_a_database(self) -> None:
        """Nobody can write: people are told from memory, where anybody takes it."""
        self.first.behaviour = self.chance.choice(("take", "take", "fail"))
        with kept.blocked(self.url):
            told = len(self.nodes.told)
            self.call()
            if self.first.behaviour == "take":
                with suppress(AssertionError):  # what happened was no call, or one that was told before
                    self.nodes.wait(lambda: len(self.nodes.told) > told, AWAY_S)
            else:
                time.sleep(self.chance.uniform(0.0, AWAY_S / 2))
        for incident in self.nodes.incidents.values():
            self.unsure |= {_name(incident), f"{SITE}/{incident.node}"}
        self.first.behaviour = "take"

    def look(self) -> None:
        """Rules 1 to 3. The will came after the last receipt, so all of those are known."""
        receipted = self.nodes.receipted
        held = {Said(*row) for row in kept.rows(self.url, "SELECT node, boot, seq FROM events")}
        assert receipted <= held, f"a receipt, but not in the history: {sorted(receipted - held)}"
        for press, at in self.nodes.told.items():
            incident = self.nodes.incidents.get(press.node)
            took_at = math.inf if incident is None else self.took(incident)
            assert took_at < at, f"told {press}, but nobody took it: {took_at}, {at}"
        for name, receiver in (("first", self.first), ("next", self.next)):
            refused = {*map(id, receiver.refused.items)}
            read = Told.all_of(each for each in receiver.asked.items if id(each) not in refused)
            sure = [each for each in read if not each.perhaps and each.about not in self.unsure]
            twice = Counter((each.what, each.about, each.calls) for each in sure)
            again = {key: count for key, count in twice.items() if count > 1}
            assert not again, f"{name} was told more than once: {again}"


def attempt(one: Try) -> Figures:
    """Live, be killed, look; and after the last life look at everything."""
    with ExitStack() as stack:
        world = World(one, stack)
        world.start()
        world.nodes.begin(*world.free[:2])
        for _ in range(LIVES):
            if world.chance.random() < 0.15:
                world.live_without_a_database()
            world.kill()
            world.look()
            if world.chance.random() < 0.25:
                _kill_at_start(world)
            if world.chance.random() < 0.5:
                world.call()  # while nobody hears it, or only the other one
            world.start()
        ready = time.monotonic()
        world.nodes.wait_for_all(ARRIVES_S)
        _look_at_all(world, ready)
        again = sum(Told.of(each).perhaps for each in (*world.first.asked.items, *world.next.asked.items))
    return {"messages that were perhaps told before": again}


def _kill_at_start(world: World) -> None:
    """Once more, while it comes back."""
    monitor = next(each for each in world.monitors if not each.runs)
    monitor.start()
    time.sleep(world.chance.uniform(0.0, STARTS_S))
    monitor.kill()


def _look_at_all(world: World, ready: float) -> None:
    world.look()
    incidents = list(world.nodes.incidents.values())
    select = "SELECT node, incident, presses, acknowledged_utc IS NOT NULL, reset_utc IS NOT NULL FROM incidents"
    held = {tuple(row) for row in kept.rows(world.url, select)}
    said = {(each.node, each.id, each.presses, each in world.acknowledged, each.phase == "reset") for each in incidents}
    assert held == said, f"the history has {sorted(held - said)}, and hasn't {sorted(said - held)}"
    unanswered = {_name(each) for each in incidents if each.is_calling}

    def escalated() -> set[str]:
        return {told.about for told in Told.all_of(world.next.asked.items) if told.what.startswith("NOT ACKNOWLEDGED")}

    left_s = max(1.0, ready + ESCALATES_WITHIN_S - time.monotonic())
    wait_until(lambda: unanswered <= escalated(), left_s, f"the next group of {sorted(unanswered)}")
    resync = "SELECT notice, target FROM deliveries WHERE outcome IS NULL"
    wait_until(lambda: kept.rows(world.url, resync) == [], ARRIVES_S, "everything that people are still to be told")

    world.nodes.wait(lambda: all(each.phase != "active" for each in incidents), ARRIVES_S, "told")
    world.look()
    told = Told.all_of(world.first.asked.items)
    called = {each.about for each in told if each.what.startswith("ALARM")}
    assert called == {_name(each) for each in incidents}, f"called for {called}"
    coming = {each.about for each in told if each.what.startswith("Somebody")}
    over = {each.about for each in told if each.what.startswith("Alarm is over")}
    acknowledged = {f"{SITE}/{each.node}" for each in world.acknowledged}
    ended = {f"{SITE}/{each.node}" for each in world.acknowledged if each.phase == "reset"}
    assert coming <= acknowledged, f"somebody is coming to {coming - acknowledged}, which nobody has acknowledged"
    unsaid = acknowledged - coming - (ended & over)
    assert not unsaid, f"told neither that somebody is coming nor that it is over: {unsaid}"
    needless = {_name(each) for each in world.acknowledged} & escalated()
    assert not needless, f"acknowledged, and told to the next group: {needless}"


def _name(incident: Incident) -> str:
    return f"{SITE}/{incident.node}/{incident.id}"


@contextmanager
def _history(scene: Scene, directory: Path) -> Iterator[str]:
    if not scene.postgres:
        yield f"sqlite:///{directory}/history.db"
        return
    with _postgres_lock:
        cluster = _postgres()
    with cluster.database() as name:
        yield cluster.url(name)


@functools.cache
def _postgres() -> Postgres:
    """One for all tries of a process."""
    cluster = Postgres()
    atexit.register(cluster.__exit__, None, None, None)
    return cluster.__enter__()


def _missing() -> str:
    found = any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return "" if found and shutil.which("mosquitto", path="/usr/sbin:/usr/bin") else "PostgreSQL isn't installed"


MONITOR = Campaign(
    name="monitor",
    invariant=f"a monitor that is killed {LIVES} times says held of nothing that it hasn't stored and told of no call "
    "that no channel took, tells nothing twice without saying so, and forgets nothing",
    full=201,
    short=len(SCENES),
    attempt=attempt,
    kinds=tuple(SCENES),
    parallel=3,
    missing=_missing,
)
