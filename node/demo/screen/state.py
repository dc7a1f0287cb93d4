"""What a person who looks on knows by now: put together from what was seen, drawn by layout.py."""

from collections import deque
from dataclasses import dataclass, field

from node.core.model import Step
from node.core.signals import LampPattern
from node.demo.observe.observations import Fleet, Heard, NodeEnded, NotDone, Rang, Seen, Shown
from node.demo.rooms import Room
from node.demo.screen import message_line
from node.protocol.messages import Alarm, Event, HeartbeatMessage, OpenIncident, ReplyMessage, StandingFault, State
from node.sanitize import plain

PASSED_LIMIT = 200

_REFUSALS = {
    "input-active": "the button is still pressed: r lets go of it",
    "already-acknowledged": "it is acknowledged already",
    "no-such-incident": "the incident has ended already",
}


@dataclass(frozen=True, slots=True)
class Passed:
    """A message that went by; ``heartbeats``: how many of its sender's it stands for, 0 where it is none.

    ``node``: on whose branch; empty where it is a monitor's.
    """

    at: float
    sender: str
    text: str
    heartbeats: int = 0
    node: str = ""


@dataclass(slots=True)
class Wall:
    """A node's wall. ``at`` and its like are monotonic seconds; ``lamp`` is None where no node drives it.

    The fields up to ``faults`` are set by whoever knows them; the rest follows from what was seen. ``last_words``: the
    end of the log of a node that has ended. ``ladder``: when the newest press's call reached a step.
    """

    room: Room
    pressed: bool = False
    node_on: bool = False
    last_words: str = ""
    faults: tuple[StandingFault, ...] = ()
    ever_pressed: bool = False
    lamp: LampPattern | None = None
    lamp_at: float = 0.0
    buzzer: bool = False
    buzzer_at: float | None = None
    ladder: dict[Step, float] = field(default_factory=dict)
    incidents: list[OpenIncident] = field(default_factory=list)
    walk_test: bool = False
    heartbeat_at: float | None = None
    period_s: float = 0.0

    @property
    def in_alarm(self) -> bool:
        """Whether somebody calls for help here."""
        return bool(self.ladder or self.incidents)

    def take_shown(self, seen: Shown) -> None:
        """It changed."""
        match seen.fields:
            case {"output": "lamp", "pattern": str(pattern)}:
                self.lamp, self.lamp_at = LampPattern(pattern), seen.at
            case {"output": "buzzer", "level": bool(level)}:
                self.buzzer, self.buzzer_at = level, seen.at
            case {"ladder": str(step)}:
                self._climb(Step(step), seen.at)

    def take_heard(self, heard: Heard) -> None:
        """Its node said something, or was told something."""
        match heard.message:
            case Alarm() as alarm:
                self.incidents = alarm.incidents
                if not alarm.incidents:
                    self.ladder.clear()
            case State(state="online") | Event(kind="walk-test-ended"):
                self.walk_test = False
            case Event(kind="walk-test-started"):
                self.walk_test = True
            case HeartbeatMessage() as heartbeat:
                self.heartbeat_at, self.period_s = heard.at, heartbeat.period_s
                self.walk_test = heartbeat.walk_test_s is not None

    def end(self) -> None:
        """Its node has ended."""
        self.lamp = None
        self.buzzer = False
        self.buzzer_at = None

    def _climb(self, step: Step, at: float) -> None:
        if step is Step.PRESSED:
            self.ladder.clear()
            self.ever_pressed = True
        elif step in (Step.TOLD, Step.ACKNOWLEDGED):
            self.ladder.pop(Step.NOBODY, None)
        self.ladder.setdefault(step, at)


@dataclass(slots=True)
class Picture:
    """All walls by their nodes' names, the ``chosen`` one, and what is between them. Instants as a wall's.

    The fields up to ``monitor_on`` are set by whoever knows them. ``fleet``: what the monitor shows, None until it has
    shown anything. ``note``: an answer to the last key.
    """

    began_at: float
    port: int
    walls: dict[str, Wall]
    chosen: str
    broker_on: bool = False
    monitor_on: bool = True
    fleet: Fleet | None = None
    note: str = ""
    note_at: float = 0.0
    passed: deque[Passed] = field(default_factory=lambda: deque(maxlen=PASSED_LIMIT))

    @property
    def wall(self) -> Wall:
        """The chosen one."""
        return self.walls[self.chosen]

    def take(self, seen: Seen) -> None:
        """Something more was seen."""
        match seen:
            case Shown():
                self.walls[seen.node].take_shown(seen)
            case Heard():
                self._take_heard(seen)
            case NodeEnded():
                self.walls[seen.node].end()
            case Fleet():
                self.fleet = seen
            case Rang():
                self.passed.append(Passed(seen.at, "telephone", plain(seen.title)))
            case NotDone():
                self.answer(seen.reason, seen.at)

    def answer(self, note: str, at: float) -> None:
        """Say this in answer to a key; nothing for an empty note."""
        self.note, self.note_at = note, at

    def _take_heard(self, heard: Heard) -> None:
        wall = self.walls.get(heard.node)
        if wall is not None:
            wall.take_heard(heard)
        match heard.message:
            case ReplyMessage(outcome="refused", reason=reason):
                self.answer(f"refused, {_REFUSALS.get(reason or '', reason)}", heard.at)
        self._pass(heard)

    def _pass(self, heard: Heard) -> None:
        """Add it to what went by. A heartbeat takes the place of the one before, or they would push out all else."""
        sender, heartbeats = message_line.sender(heard), 0
        if message_line.is_heartbeat(heard):
            alike = (each for each in self.passed if (each.node, each.sender) == (heard.node, sender))
            before = next(alike, None)
            heartbeats = 1
            if before is not None:
                self.passed.remove(before)
                heartbeats += before.heartbeats
        self.passed.append(Passed(heard.at, sender, message_line.summary(heard), heartbeats, heard.node))
