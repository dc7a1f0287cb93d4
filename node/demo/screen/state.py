"""What the screen shows, as data: made of observations, and drawn by layout.py."""

from collections import deque
from dataclasses import dataclass, field

from node.core.model import Step
from node.core.signals import LampPattern
from node.demo.observe.observations import (
    ActionFailed,
    BrokerMessage,
    MonitorView,
    NodeEnded,
    NodeOutput,
    Observation,
    PhoneRang,
)
from node.demo.rooms import Room
from node.demo.screen import message_line
from node.protocol.messages import Alarm, Event, HeartbeatMessage, OpenIncident, ReplyMessage, StandingFault, State
from node.sanitize import plain

MESSAGES_LIMIT = 200

_REFUSALS = {
    "input-active": "the button is still pressed; r releases it",
    "already-acknowledged": "it is acknowledged already",
    "no-such-incident": "the incident has ended already",
}


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A message in the list. ``heartbeats``: how many of its sender's it stands for, 0 if it is none.

    ``node``: whose topic it has; "" for a message of the monitor or to the phone.
    """

    at: float
    sender: str
    text: str
    heartbeats: int = 0
    node: str = ""


@dataclass(slots=True)
class RoomState:
    """A room with its button, lamp, buzzer and node. ``at`` and its like are monotonic seconds.

    The fields up to ``faults`` are set by whoever knows them; the others follow from observations. ``last_line``: the
    end of the log of a node that has ended. ``lamp``: None while no node drives it. ``ladder``: when the newest press
    reached each step.
    """

    room: Room
    pressed: bool = False
    node_on: bool = False
    last_line: str = ""
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
        """Whether a call for help is open here."""
        return bool(self.ladder or self.incidents)

    def take_output(self, output: NodeOutput) -> None:
        """The node has set its lamp or buzzer, or a call has reached a step."""
        match output.fields:
            case {"output": "lamp", "pattern": str(pattern)}:
                self.lamp, self.lamp_at = LampPattern(pattern), output.at
            case {"output": "buzzer", "level": bool(level)}:
                self.buzzer, self.buzzer_at = level, output.at
            case {"ladder": str(step)}:
                self._reach(Step(step), output.at)

    def take_message(self, heard: BrokerMessage) -> None:
        """A message of the node, or to it."""
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

    def node_ended(self) -> None:
        """The node's process has ended: its outputs are off."""
        self.lamp = None
        self.buzzer = False
        self.buzzer_at = self.heartbeat_at = None

    def _reach(self, step: Step, at: float) -> None:
        if step is Step.PRESSED:
            self.ladder.clear()
            self.ever_pressed = True
        elif step in (Step.TOLD, Step.ACKNOWLEDGED):
            self.ladder.pop(Step.NOBODY, None)
        self.ladder.setdefault(step, at)


@dataclass(slots=True)
class ScreenState:
    """All rooms by their nodes' names, the chosen one, broker and monitor. ``at`` and its like as in RoomState.

    The fields up to ``monitor_on`` are set by whoever knows them. ``view``: what the monitor shows, None until it has
    shown anything. ``note``: the answer to the last key.
    """

    began_at: float
    port: int
    rooms: dict[str, RoomState]
    chosen: str
    broker_on: bool = False
    monitor_on: bool = True
    view: MonitorView | None = None
    note: str = ""
    note_at: float = 0.0
    messages: deque[MessageLine] = field(default_factory=lambda: deque(maxlen=MESSAGES_LIMIT))

    @property
    def room(self) -> RoomState:
        """The chosen one."""
        return self.rooms[self.chosen]

    @property
    def monitor_answers(self) -> bool:
        """Whether the monitor shows its view; it doesn't in the first seconds after its start."""
        return self.view is not None and bool(self.view.statuses)

    def take(self, observation: Observation) -> None:
        """Add one more observation."""
        match observation:
            case NodeOutput() as output:
                self.rooms[output.node].take_output(output)
            case BrokerMessage() as heard:
                self._take_message(heard)
            case NodeEnded():
                self.rooms[observation.node].node_ended()
            case MonitorView() as view:
                self.view = view
            case PhoneRang():
                self.messages.append(MessageLine(observation.at, "guard's phone", plain(observation.title)))
            case ActionFailed():
                self.answer(observation.reason, observation.at)

    def answer(self, note: str, at: float) -> None:
        """Show this as the answer to a key; "" for none."""
        self.note, self.note_at = note, at

    def _take_message(self, heard: BrokerMessage) -> None:
        if heard.node in self.rooms:
            self.rooms[heard.node].take_message(heard)
        match heard.message:
            case ReplyMessage(outcome="refused", reason=reason):
                self.answer(f"refused: {_REFUSALS.get(reason or '', reason)}", heard.at)
        self._list(heard)

    def _list(self, heard: BrokerMessage) -> None:
        """Add it to the list. A heartbeat replaces the one before it, or heartbeats would push out all else."""
        sender, heartbeats = message_line.sender(heard), 0
        if message_line.is_heartbeat(heard):
            heartbeats = 1
            earlier = [
                each for each in self.messages if each.heartbeats and (each.node, each.sender) == (heard.node, sender)
            ]
            for each in earlier:
                self.messages.remove(each)
                heartbeats += each.heartbeats
        line = MessageLine(heard.at, sender, message_line.summary(heard), heartbeats, heard.node)
        self.messages.append(line)
