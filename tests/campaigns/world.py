"""A building in virtual time around the pure core: wall, disk, brokers, a desk; and what it may expect of the node.

The core is the real one. Whatever acts on it is here: brokers that come, go and answer what they like, a desk that is
there or not, a disk that stalls, processes that end. Rules:

1. What the desk holds is what a broker took while the desk was there; the node's own opinion is asked for nothing.
   The desk tells people of what a list or an event calls for, unless its channels fail.
2. A press whose event was on no disk when the process ended is the broker's to bring back, where its list had it; where
   neither had it, two memories were lost at once, and nothing is promised.
3. After each stretch of time, and each receipt, ``judge`` looks for a call that is silently undelivered.
"""

from copy import deepcopy
from itertools import count
from random import Random

from node.core import supervision
from node.core.effects import ReadBacklog, ShowLadder
from node.core.events import BacklogRead
from node.core.model import CALLS, PRESSES, Key, Step
from node.core.settings import Receipts, Settings
from node.protocol.monitor_messages import ReceiptKind
from tests.core.outside import Broker, Disk
from tests.core.playbook import EVENT_TOPIC, Playbook

DESK = "desk"
BEAT_S = 5.0
LATE_S = 0.5
NOBODY_SUBSCRIBES, REFUSED = 0x10, 0x87
CALLING = (Step.PRESSED, Step.STORED, Step.ACCEPTED, Step.HELD)


class World:
    """One building. ``away`` are the brokers that can't be reached, ``refusing`` those that refuse events.

    ``present``: the desk is connected to each broker; ``stores``: its history takes what it hears, so it says *held*;
    ``tells``: a channel of its takes what it tells, so it says *told*. A broker in ``play.mute`` stays
    connected, and nothing passes either way. ``held``: the first input is actuated before the start.
    """

    def __init__(self, settings: Settings, chance: Random, held: bool = False) -> None:
        self.chance = chance
        self.settings = settings
        self.boots = (f"{number:08x}" for number in count(11))
        first, *others = (each.name for each in settings.inputs)
        self.play = Playbook(settings, actuated={first: held, **dict.fromkeys(others, False)})
        self.away: set[str] = set()
        self.refusing: set[str] = set()
        self.present, self.stores, self.tells = True, True, True
        self.desk_boot = 1
        self.held: set[Key] = set()
        self.heard_of: set[str] = set()
        self.longest_call_s = 0.0
        self.begun_at = self.heard_at = self.play.now
        self._next_beat = self.play.now
        self._synced: Disk | None = None
        self._told: set[Key] = set()
        self._taken: set[Key] = set()
        self._incidents: dict[Key, str | None] = {}
        self._presses: dict[Key, str] = {}
        self._lost: set[Key] = set()
        self._promised: set[str] = set()
        self._reset: set[str] = set()
        self._seen: dict[Key, float] = {}
        self._calling: dict[str, float] = {}
        self._noted = 0
        self._asked: tuple[Key, ...] | None = None

    # Time.

    def let(self, seconds: float) -> None:
        """Let time pass: brokers come back, the desk says that it is there, what is sent arrives."""
        until = self.play.now + seconds
        while True:
            self._come_back()
            if self.play.now >= self._next_beat:
                self._next_beat = self.play.now + BEAT_S
                self._beat()
            self.deliver()
            self.judge()
            if self.play.now >= until:
                return
            self.play.until(min(until, self._next_beat))

    def _come_back(self) -> None:
        for link in self.play.state.supervision.links:
            if not link.up and link.name not in self.away and self.play.state.begun:
                self.play.connect(link.name)

    def _beat(self) -> None:
        for link in self.reachable() if self.present else ():
            self.heard_at = self.play.now
            self.play.monitor(DESK, boot=f"m{self.desk_boot}", link=link)
            self._tell(link)

    def _tell(self, link: str) -> None:
        """The desk tells people of each call that the list on this broker has and that nobody was told of."""
        for listed in self.play.brokers[link].incidents if self.tells else ():
            if listed.step not in (Step.TOLD, Step.ACKNOWLEDGED):
                self.confirm(listed.press, "told", link)

    def reachable(self) -> list[str]:
        """The links on which something passes."""
        links = self.play.state.supervision.links
        return [link.name for link in links if link.up and link.name not in self.play.mute]

    def deliver(self) -> None:
        """Brokers answer what was sent, the desk confirms what it gets, the record answers what it is asked."""
        for _ in range(500):
            self._note()
            sent, self.play.sent = self.play.sent, []
            if not sent:
                return
            for send in sent:
                if send.link in self.reachable() and send.session == self.play.session(send.link):
                    self._take(send.key, send.link)
        raise AssertionError("each answer leads to another event")

    def _take(self, key: Key, link: str) -> None:
        if link in self.refusing:
            self.play.accepted(key, code=REFUSED, link=link)
            return
        if not self.present:
            self.play.accepted(key, code=NOBODY_SUBSCRIBES, link=link)
            return
        self.held.add(key)
        self.heard_of.add(self._incidents.get(key) or "")
        self._taken.add(key)
        self.play.answer(EVENT_TOPIC, 0, key, link)
        if self.stores:
            self.confirm(key, "held", link)
        if self.tells and self._calls(key):
            self.confirm(key, "told", link)

    def _calls(self, key: Key) -> bool:
        return any(each.key == key and each.kind in (*CALLS, "nobody") for each in self.play.logged)

    def confirm(self, key: Key, kind: ReceiptKind, link: str) -> None:
        """The desk says that it holds this event, or that people were told of it."""
        if kind == "told":
            self._told.add(key)
        self.heard_at = self.play.now
        self.play.receipt(key, kind=kind, monitor=DESK, link=link)
        self.judge()

    def _note(self) -> None:
        """Take in what the node has logged, shown and asked for since the last look."""
        for event in self.play.logged[self._noted :]:
            self._incidents[event.key] = event.incident
            if event.kind in PRESSES and event.presses is not None and event.incident is not None:
                self._presses[event.key] = event.incident
            if event.kind == "reset" and event.incident is not None:
                self._reset.add(event.incident)
        self._noted = len(self.play.logged)
        for effect in self.play.take(object):
            match effect:
                case ShowLadder(at, name, Step.PRESSED):
                    self._calling[name] = at
                case ShowLadder(at, name, Step.TOLD | Step.NOBODY | Step.ACKNOWLEDGED) if name in self._calling:
                    self.longest_call_s = max(self.longest_call_s, at - self._calling.pop(name))
                case ReadBacklog(known):
                    self._asked = known
        if self._asked is not None and self.play.loaded and not self.play.stalled:
            waiting, self._asked = self.play.disk.unreceipted(self._asked), None
            self.play >> BacklogRead(self.play.now, waiting[:5], len(waiting) > 5)

    @property
    def _awaits(self) -> bool:
        """Whether this building has a monitor that is awaited."""
        return self.settings.receipts is Receipts.REQUIRED

    # Machines.

    def stall(self, stalled: bool) -> None:
        """Nothing comes back from the disk for a while, and nothing of that while is on it."""
        if stalled and not self.play.stalled:
            self._synced = deepcopy(self.play.disk)
        elif not stalled:
            self._synced = None
        self.play.stalled = stalled

    def restart(self, *, reboot: bool, away_s: float, record: bool = True) -> None:
        """The process ends, however, and another one begins; ``record`` False: its record was deleted meanwhile."""
        self._note()
        before = self.play
        before.disk = (self._synced or before.disk) if record else Disk()
        self._note_losses(before.disk)
        self.play = before.next_process(boot=next(self.boots), reboot=reboot, away_s=away_s)
        self.play.mute, self._synced = before.mute, None
        self.begun_at = self.heard_at = self._next_beat = self.play.now
        self._noted, self._asked = 0, None
        self._seen.clear()
        self._calling.clear()

    def forget_retained(self, link: str) -> None:
        """A broker without persistence was started anew; its connection has ended."""
        self.play.brokers[link] = Broker(link)
        self._promised &= self._reset | self._listed() | {each.id for each in self.play.state.incidents}

    def _note_losses(self, disk: Disk) -> None:
        self._lost |= self._incidents.keys() - disk.rows.keys() - self.held
        listed = self._listed()
        lost = {self._presses[key] for key in self._lost & self._presses.keys()}
        remembered = {each.id for each in disk.snapshot.incidents} if disk.snapshot is not None else set()
        self._promised &= self._reset | listed | remembered
        self._promised |= (lost & listed) - self._reset

    def _listed(self) -> set[str]:
        return {each.id for broker in self.play.brokers.values() for each in broker.incidents}

    # What may be expected.

    def judge(self) -> None:
        """No call is silently undelivered: in time the button's lamp says *nobody*, and *received* is true."""
        state = self.play.state
        quiet_s = state.now - self.heard_at
        for incident in state.incidents:
            seen = self._seen.setdefault(incident.press, state.now)
            if incident.step in CALLING and (self._awaits or incident.press not in self._taken):
                assert state.now - seen <= self.settings.receipt_s + LATE_S, f"{incident.input}: silently undelivered"
            if Step.TOLD in incident.marks:
                told = self._awaits and incident.press in self._told
                assert told, f"{incident.input}: received, and nobody was told of the newest press"
            if incident.step in (Step.HELD, Step.TOLD):
                assert quiet_s <= supervision.MONITOR_HEARD_S + LATE_S, f"{incident.input}: received by nobody heard"

    def judge_end(self) -> None:
        """Everything works again: each press is with the desk, and each incident can be ended."""
        self._recover()
        play = self.play
        missing = self._presses.keys() - self.held - self._lost
        assert not missing, f"presses that nobody ever got: {missing}"
        gap = self._incidents.keys() - self.held - self._lost
        assert not gap, f"a gap for whoever counts: {gap}"
        forgotten = self._promised - self._reset - {each.id for each in play.state.incidents}
        assert not forgotten, f"a broker listed these, and nobody took them over: {forgotten}"
        assert self._promised <= self.heard_of, "what a broker brought back never reached the desk"
        steps = {each.step for each in play.state.incidents}
        good = {Step.TOLD} if self._awaits else {Step.STORED, Step.ACCEPTED}
        assert steps <= {*good, Step.ACKNOWLEDGED}, f"in the end a call has only got to {steps}"
        for incident in play.state.incidents:
            play.command("reset", incident=incident.id, link=play.settings.links[0], id=f"end-{incident.id}")
        self.let(1.0)
        assert play.state.incidents == (), "an incident can't be ended"
        assert all(broker.incidents == () for broker in play.brokers.values()), "a broker lists what was reset"

    def _recover(self) -> None:
        self.away.clear()
        self.refusing.clear()
        self.present, self.stores, self.tells = True, True, True
        self.stall(False)
        self.play.mute.clear()
        self.play.actuated = dict.fromkeys(self.play.actuated, False)
        self.play.wires.clear()
        if not self.play.loaded:
            self.play.begin()
        for _ in range(100):
            self.play.sample()
            self.let(10.0)
            waiting = self.play.state.waiting
            if not waiting.events and not waiting.spilled:
                return
        raise AssertionError(f"{len(self.play.state.waiting.events)} events wait for ever")
