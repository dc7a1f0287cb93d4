"""A building in any order of things: a node by PROTOCOL.md, its broker, monitors with their history, and people."""

from collections import deque
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec.structs import replace

from node.core.model import Phase
from node.monitor.core.decisions.batch import Batch
from node.monitor.core.decisions.ledger import Respond, SendCommand, SendReceipt
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import EventKey, IncidentKey, NodeKey, Notice
from node.monitor.core.model.requests import Acknowledge, PauseNode, Reset, Resume
from node.protocol.messages import Alarm, Event, EventId, State
from tests.monitor.core.committed import Committed
from tests.monitor.core.node_messages import (
    ROOM,
    about,
    alarm,
    birth,
    event,
    goodbye,
    heartbeat,
    press,
    reply,
    will,
)
from tests.monitor.core.play import DrivenHub

FIRST_BOOT = 0xB000
LEVELS = 2
KNOWN_WITHIN_S = 20.0

GROUPS = range(LEVELS + 1)
TARGETS = tuple(Target(f"t{level}", "json://x", level=level) for level in range(LEVELS + 1))


class Desk(DrivenHub):
    """A monitor that was started at ``at``: with what it has given the history and isn't on the disk yet.

    ``ended``: what it takes for ended. ``listed``: when its node last listed what. ``late_at``: since when a next group
    should be called. ``calls``: what it told people, or would from memory.
    """

    def __init__(self, disk: Committed, at: float, boot: str) -> None:
        memory = disk.remember()
        super().__init__(memory, at=at, boot=boot, targets=TARGETS)
        self.disk = disk
        self.queue: deque[Batch] = deque()
        self.ended = {IncidentKey(*key): presses for key, presses in memory.closed}
        self.listed: dict[IncidentKey, float] = {}
        self.late_at: dict[str, float] = {}
        self.calls: dict[str, Notice] = {}

    def hear(self, at: float, message: Any, node: NodeKey = ROOM, **given: Any) -> None:
        """The node says something, or the broker what it kept of it."""
        super().hear(at, message, node, **given)
        if isinstance(message, Alarm):
            self.listed |= {IncidentKey(*ROOM, each.incident): at for each in message.incidents}


class BuildingMachine(RuleBasedStateMachine):
    """One node by PROTOCOL.md, one broker, monitors on one history or each on its own, and people at their desks."""

    desks_count = 1
    shared = True

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        self.disks = [Committed() for _ in range(1 if self.shared else self.desks_count)]
        self.starts = 0
        self.commands: deque[SendCommand] = deque()

        self.boot_number = FIRST_BOOT
        self.session = 1
        self.seq = 0
        self.is_alive = True
        self.hears_receipts = True
        self.unreceipted: dict[EventKey, Event] = {}
        self.logged_at: dict[EventKey, float] = {}
        self.incident: tuple[str, int] | None = None
        self.presses = 0
        self.phase: Phase = "active"
        self.lists: list[Alarm] = []
        self.kept: State = birth(boot=self.boot, session=1)
        self.pressed: dict[EventKey, tuple[IncidentKey, int]] = {}
        self.ended_at_node: set[IncidentKey] = set()
        self.asked_to_end: set[IncidentKey] = set()
        self.may_know: dict[IncidentKey, int] = {}
        self.answered_at_node: dict[IncidentKey, int] = {}
        self.press: EventId = EventId(self.boot, 0)
        self.taken: dict[IncidentKey, int] = {}

        self.is_up = True
        self.last_sign = 0.0
        self.desks: list[Desk] = []
        for which in range(self.desks_count):
            self.desks.append(self._started(self.disks[which % len(self.disks)]))
        self._look_around(self.desks)
        self.say(self.kept)

    # The node

    @property
    def boot(self) -> str:
        """The node's boot now."""
        return f"{self.boot_number:08x}"

    def say(self, message: Any) -> None:
        """The node says something, and the broker brings it if it is there."""
        if self.is_up and self.is_alive:
            self.last_sign = max(self.last_sign, self.at)
            for desk in self.desks:
                desk.hear(self.at, message)
                self.settle(desk)

    def log(self, made: Event, *, is_lost: bool = False) -> None:
        """An event of the node, which it sends until it has a receipt."""
        key = EventKey(*ROOM, made.boot, made.seq)
        self.unreceipted[key], self.logged_at[key] = made, self.at
        if made.incident is not None:
            self.lists.append(self.listed())
            self.say(self.lists[-1])
        if not is_lost:
            self.say(made)

    @precondition(lambda self: self.lists)
    @rule(data=st.data())
    def an_old_list_is_heard(self, data: st.DataObject) -> None:
        """A broker that the node doesn't reach has kept it."""
        kept = data.draw(st.sampled_from(self.lists))
        for desk in self.desks:
            desk.hear(self.at, kept, retained=True)
            self.settle(desk)

    def listed(self) -> Alarm:
        """Its list of open incidents."""
        if self.incident is None:
            return alarm(boot=self.boot)
        boot, number = self.incident
        made = alarm((number, self.phase), boot=boot, presses=self.presses)
        return replace(made, incidents=[replace(each, press=self.press) for each in made.incidents])

    def next_seq(self) -> int:
        """The number of the next event."""
        self.seq += 1
        return self.seq

    def key(self) -> IncidentKey:
        """The open incident."""
        assert self.incident is not None
        return IncidentKey(*ROOM, f"{self.incident[0]}-{self.incident[1]}")

    def born(self) -> None:
        """Its birth, which the broker keeps."""
        self.kept = birth(boot=self.boot, seq=self.seq, session=self.session)
        self.say(self.kept)

    @precondition(lambda self: self.is_alive)
    @rule(is_lost=st.booleans())
    def presses_button(self, is_lost: bool) -> None:
        """Somebody calls, once more or for the first time."""
        seq = self.next_seq()
        if self.incident is None:
            self.incident, self.presses = (self.boot, seq), 0
        self.presses, self.phase, self.press = self.presses + 1, "active", EventId(self.boot, seq)
        made = press(seq, boot=self.boot, presses=self.presses)
        key = self.key()
        made = Event(**{**_fields(made), "incident": key.incident})
        self.pressed[EventKey(*ROOM, self.boot, seq)] = (key, self.presses)
        self.log(made, is_lost=is_lost)

    def about(self, kind: Any, **fields: Any) -> Event:
        """An event about the open incident."""
        made = about(self.next_seq(), kind, 1, boot=self.boot, **fields)
        return Event(**{**_fields(made), "incident": self.key().incident, "presses": self.presses})

    @precondition(lambda self: self.is_alive and self.incident is not None)
    @rule(is_lost=st.booleans())
    def is_acknowledged_at_the_wall(self, is_lost: bool) -> None:
        """Somebody turns a key there, say."""
        self.phase = "acknowledged"
        self.answered_at_node[self.key()] = self.presses
        self._knows(self.key(), self.presses)
        self.log(self.about("acknowledged", by="key"), is_lost=is_lost)

    @precondition(lambda self: self.is_alive and self.incident is not None)
    @rule(is_lost=st.booleans())
    def is_reset_at_the_wall(self, is_lost: bool) -> None:
        """It is over."""
        made = self.about("reset", by="key", reason="real")
        self.ended_at_node.add(self.key())
        self._knows(self.key(), self.presses)
        self.incident = None
        self.log(made, is_lost=is_lost)

    @precondition(lambda self: self.is_alive)
    @rule(is_lost=st.booleans())
    def says_something_else(self, is_lost: bool) -> None:
        """Telemetry."""
        self.log(event(self.next_seq(), "identified", boot=self.boot, by="desk"), is_lost=is_lost)

    @rule()
    def sends_again(self) -> None:
        """Whatever has no receipt."""
        for key, made in list(self.unreceipted.items()):
            self.say(replace(made, age_ms=round((self.at - self.logged_at[key]) * 1000)))

    @rule()
    def restarts(self) -> None:
        """With its memory."""
        previous = EventId(self.boot, self.seq)
        self.boot_number, self.seq, self.session, self.is_alive = self.boot_number + 1, 0, 1, True
        self.born()
        self.log(event(self.next_seq(), "started", boot=self.boot, previous=previous))

    @precondition(lambda self: self.is_alive)
    @rule(how=st.sampled_from(["will", "goodbye", "silent"]))
    def goes(self, how: str) -> None:
        """It burns, is cut off, or is stopped."""
        if how != "silent":
            self.kept = will(boot=self.boot, session=self.session) if how == "will" else goodbye(boot=self.boot)
            self.say(self.kept)
        self.is_alive = False

    @rule(hears=st.booleans())
    def hears(self, hears: bool) -> None:
        """Receipts reach it, or not."""
        self.hears_receipts = hears

    @precondition(lambda self: self.commands)
    @rule(is_lost=st.booleans())
    def is_told_what_to_do(self, is_lost: bool) -> None:
        """A command comes, and is answered."""
        command = self.commands.popleft()
        if is_lost or not (self.is_alive and self.is_up):
            return
        reason = self.refuses(command)
        if reason is None and command.action == "acknowledge":
            self.is_acknowledged_at_the_wall(is_lost=False)
        elif reason is None:
            self.is_reset_at_the_wall(is_lost=False)
        self.say(reply(command.id, reason, boot=self.boot))

    def shows_received(self, event_key: EventKey) -> None:
        """Its list says that people were told of the newest press."""
        is_calling = self.incident is not None and self.phase == "active"
        if is_calling and self.pressed.get(event_key) == (self.key(), self.presses):
            self.phase = "received"
            self.lists.append(self.listed())
            self.say(self.lists[-1])

    def _knows(self, incident: IncidentKey, presses: int) -> None:
        """Somebody who answers it, or ends it, knows of so many presses."""
        self.may_know[incident] = max(presses, self.may_know.get(incident, 0))

    def refuses(self, command: SendCommand) -> str | None:
        """Why it doesn't do that."""
        if command.boot != self.boot:
            return "other-boot"
        if self.incident is None or self.key().incident != command.arguments["incident"]:
            return "no-such-incident"
        if command.arguments["presses"] < self.presses:
            return "pressed-again"
        return "already-acknowledged" if command.action == "acknowledge" and self.phase == "acknowledged" else None

    # Time, broker and history

    @rule(for_s=st.sampled_from([0.1, 1.0, 5.0, 12.0, 35.0, 70.0]))
    def time_passes(self, for_s: float) -> None:
        """The node beats, if it lives."""
        until = self.at + for_s
        while self.at < until:
            self.pass_until(min(until, self.at + 10.0))
            self.say(heartbeat(boot=self.boot, seq=self.seq))

    def pass_until(self, at: float) -> None:
        """The monitors look at whatever is due."""
        while (due := min(desk.next_due for desk in self.desks)) <= at:
            self.at = max(self.at, due)
            for desk in self.desks:
                desk.jump(self.at)
                self.settle(desk)
        self.at = at

    @rule()
    def broker_comes_or_goes(self) -> None:
        """For the monitors and the node at once."""
        self.is_up = not self.is_up
        if self.is_up:
            self._look_around(self.desks)
            self.session += 1
            if self.is_alive:
                self.born()
            return
        for desk in self.desks:
            desk.link_down(self.at)
            self.settle(desk)

    def _look_around(self, desks: list[Desk]) -> None:
        """The broker is reached, and says what it kept."""
        self.last_sign = max(self.last_sign, self.at)
        for desk in desks:
            desk.link_up(self.at)
            for kept in (self.kept, self.listed()):
                desk.hear(self.at, kept, retained=True)
            self.settle(desk)

    @rule(count=st.integers(1, 5), whose=st.integers(0, 1))
    def history_commits(self, count: int, whose: int) -> None:
        """What a monitor gave it, in its order."""
        desk = self.desks[whose % self.desks_count]
        for _ in range(min(count, len(desk.queue))):
            desk.stored(self.at, desk.disk.store(desk.queue.popleft()))
            self.settle(desk)

    @rule(whose=st.integers(0, 1))
    def history_refuses(self, whose: int) -> None:
        """An event's batch can't be stored, for whatever reason."""
        desk = self.desks[whose % self.desks_count]
        if desk.queue and desk.queue[0].events:
            desk.unstored(*(each.key for each in desk.queue.popleft().events))

    @rule(committed=st.integers(0, 3), whose=st.integers(0, 1))
    def monitor_is_killed(self, committed: int, whose: int) -> None:
        """With what it knew; of some it hadn't told the node yet that it is on the disk."""
        whose %= self.desks_count
        queue, disk = self.desks[whose].queue, self.desks[whose].disk
        for _ in range(min(committed, len(queue))):
            disk.store(queue.popleft())
        self.commands.clear()
        self.desks[whose] = self._started(disk)
        if self.is_up:
            self._look_around([self.desks[whose]])

    def _started(self, disk: Committed) -> Desk:
        self.last_sign = max(self.last_sign, self.at)
        self.starts += 1
        desk = Desk(disk, self.at, f"{self.starts:08x}")
        self.settle(desk)
        return desk

    # People

    def calls_of(self, desk: Desk) -> dict[str, Notice]:
        """What this monitor may tell: what the history has, and what it tells from memory."""
        return {key: each for key, each in desk.disk.notices.items() if each.is_call} | desk.calls

    @precondition(lambda self: any(self.calls_of(desk) for desk in self.desks))
    @rule(data=st.data(), whose=st.integers(0, 1), then=st.sampled_from(["all", "not settled", "killed", "unsaid"]))
    def a_target_takes_a_message(self, data: st.DataObject, whose: int, then: str) -> None:
        """It is settled, and the hub hears of it; or the monitor is killed between any two of these."""
        desk = self.desks[whose % self.desks_count]
        calls = self.calls_of(desk)
        if calls:
            self.take(desk, calls[data.draw(st.sampled_from(sorted(calls)))], then)
        if then in ("killed", "unsaid"):
            self.monitor_is_killed(0, whose)

    def take(self, desk: Desk, call: Notice, then: str = "all") -> None:
        """A message was accepted."""
        incident = IncidentKey(call.site, call.node, call.incident)
        self.taken[incident] = max(call.presses, self.taken.get(incident, 0))
        if then in ("all", "not settled"):
            desk.accept(self.at, incident, call.presses)
            self.settle(desk)
        if then in ("all", "unsaid") and call.key in desk.disk.notices:
            desk.disk.tell(call)

    @precondition(lambda self: self.pressed)
    @rule(data=st.data(), ends=st.booleans(), whose=st.integers(0, 1))
    def somebody_asks(self, data: st.DataObject, ends: bool, whose: int) -> None:
        """To acknowledge, or to end."""
        desk = self.desks[whose % self.desks_count]
        key = data.draw(st.sampled_from(sorted({key for key, _ in self.pressed.values()})))
        request = Reset(key, "desk", "real") if ends else Acknowledge(key, "desk")
        if ends:
            self.asked_to_end.add(key)
        if key in desk.incidents:
            self._knows(key, desk.incidents[key].presses)
        before = len(self.commands)
        desk.ask(self.at, request)
        self.settle(desk)
        for command in list(self.commands)[before:]:
            self._knows(key, command.arguments["presses"])

    @rule(for_s=st.sampled_from([60.0, 300.0]), ends=st.booleans())
    def somebody_works_there(self, for_s: float, ends: bool) -> None:
        """Its silence is nobody's business for a while."""
        request = Resume(ROOM, "x") if ends else PauseNode(ROOM, "x", "paint", for_s)
        for desk in self.desks:
            desk.ask(self.at, request)
            self.settle(desk)
        # When it ends its silence counts anew.
        self.last_sign = max(self.last_sign, self.at) if ends else max(self.last_sign, self.at + for_s)

    # What it decides is done, and looked at

    def settle(self, desk: Desk) -> None:
        """Do what was decided, as the service does."""
        decisions = desk.take()
        for record in decisions.incidents:
            if record.reset_utc is not None:
                assert record.key in self.ended_at_node | self.asked_to_end, "it isn't over"
                desk.ended[record.key] = max(record.presses, desk.ended.get(record.key, 0))
        desk.calls.update({each.key: each for each in decisions.notices if each.is_call})
        if decisions.to_store:
            desk.queue.append(decisions)
        for say in decisions.says:
            if isinstance(say, SendReceipt):
                self.is_said(desk, say)
            elif isinstance(say, SendCommand) and say.action != "probe":
                self.commands.append(say)
            else:
                assert isinstance(say, Respond | SendCommand)

    def is_said(self, desk: Desk, receipt: SendReceipt) -> None:
        """A monitor says of an event that it is held, or that people were told."""
        heard = self.hears_receipts and self.is_alive and self.is_up
        if receipt.kind == "told":
            incident, _ = self.pressed[receipt.event]
            answered = desk.incidents[incident].answered
            assert self.taken.get(incident, 0) > answered, "told, and no target has taken it"
            if heard:
                self.shows_received(receipt.event)
            return
        assert receipt.event in desk.disk.events, "a receipt for what isn't stored"
        if heard:
            self.unreceipted.pop(receipt.event, None)

    def groups(self) -> list[tuple[Committed, list[Desk]]]:
        """Each history, and the monitors that have it."""
        return [(disk, [desk for desk in self.desks if desk.disk is disk]) for disk in self.disks]

    def is_told(self, disk: Committed, incident: IncidentKey) -> bool:
        """Whether the first group was, of whichever press."""
        return any(key.startswith(f"alarm:{incident}:") and key.endswith(":0") for key in disk.notices)


def _fields(made: Event) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__struct_fields__}
