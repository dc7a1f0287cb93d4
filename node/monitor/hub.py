"""Where all that a monitor hears comes together, and what follows from it. Pure: time arrives with each call.

1. An event is handed to the history with everything that follows from it, as one commit; its receipt goes out once that
   is done, and never before. One that is held already gets its receipt again and changes nothing; but of a call about
   which nothing is known here nobody says that it is held: what a node says of numbers must not hide one.
2. Each birth is answered with a receipt for the newest event that is held of it and a ``probe``, so that the node knows
   that both ways reach it.
3. A node that the roster doesn't know is heard like any other, within a bound: a frightened person may stand there.
4. What a person asks for is answered when the node has, or after ``ANSWER_S``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from node.messages import FAULTS_LIMIT, Alarm, Event, HeartbeatMessage, ReplyMessage, State
from node.monitor.batch import Memory
from node.monitor.decisions import Decisions, Ledger, Moment, SendReceipt, plain
from node.monitor.drills import Drills
from node.monitor.findings import (
    BROKER_AWAY,
    EVENTS_MISSING,
    FLOOD,
    HISTORY_FAILS,
    MISTAKEN_CALLS,
    NOT_OURS,
    OPEN_ALARM_UNSTORED,
    REFUSED,
    RESET_MISSING,
    STOLEN_ID,
    TARGET_FAILS,
)
from node.monitor.fleet import Fleet, Tracked
from node.monitor.incidents import Incidents
from node.monitor.model import (
    EventKey,
    FindingKey,
    HeardEvent,
    IncidentKey,
    NodeKey,
    Tally,
)
from node.monitor.orders import Orders
from node.monitor.requests import Request
from node.monitor.settings import Settings
from node.monitor.tally import Account
from node.monitor.wire import event_body

TICK_S = 0.5
"""How often escalations, findings that stand for a while, and answers that stay away are looked at."""

REVIEW_S = 60.0
BROKER_GRACE_S = 5.0
SHOWN_S = 60.0
"""How long a flood, a refusal or a stolen id is shown after it was last seen."""

STORING_S = 30.0
"""After this an event that is still not stored may be taken again from the node."""

_DOORS = ("opened", "closed")


@dataclass(slots=True)
class Link:
    """A broker as we reach it, ``since`` when."""

    name: str
    up: bool
    since: Moment
    problem: str = ""


@dataclass(slots=True)
class Target:
    """A target as its deliveries went."""

    failing: bool = False
    problem: str = ""


@dataclass(slots=True)
class Counts:
    """What has happened since the start."""

    heartbeats: int = 0
    events: int = 0
    receipts: int = 0
    repeated: int = 0
    malformed: int = 0
    dropped: int = 0
    stored: int = 0
    stored_s: float = 0.0


class Hub:
    """The deciding part of a monitor. ``take`` gives what was decided since the last time."""

    def __init__(self, settings: Settings, now: Moment, memory: Memory, boot: str) -> None:
        self.settings = settings
        self.started = now
        self.ledger = Ledger(memory.findings)
        self.fleet = Fleet(
            self.ledger,
            now,
            grace_s=settings.grace_s,
            roster=settings.roster,
            known=memory.nodes,
            pauses=memory.pauses,
            brokers=[broker.name for broker in settings.brokers],
        )
        self.incidents = Incidents(
            self.ledger,
            now,
            escalate_s=settings.escalate_s,
            steps=max((target.step for target in settings.targets), default=0),
            known=memory.incidents,
            closed=memory.closed,
            mistakes=memory.mistaken,
        )
        self.drills = Drills(
            self.ledger,
            now,
            test_days=settings.test_days,
            buttons=memory.buttons,
            walks=memory.walk_tests,
        )
        self.links = {broker.name: Link(broker.name, False, now) for broker in settings.brokers}
        self.targets = {target.name: Target() for target in settings.targets}
        self.counts = Counts()
        self.history_ok = True
        self._orders = Orders(self.ledger, self.fleet, self.incidents, self.drills, boot)
        self._accounts: dict[NodeKey, Account] = {}
        self._storing: dict[EventKey, float] = {}
        self._faults: dict[NodeKey, frozenset[FindingKey]] = {}
        self._shown: dict[FindingKey, float] = {}
        self._tick_at = now.at
        self._review_at = now.at + REVIEW_S
        self._restore(now, memory)

    @property
    def next_due(self) -> float:
        """When ``time_passed`` has to be called again (monotonic)."""
        return min(self.fleet.next_due, self.drills.next_due, self._tick_at)

    def take(self) -> Decisions:
        """What was decided since the last time."""
        return self.ledger.take()

    def hear(
        self,
        now: Moment,
        broker: str,
        node: NodeKey,
        message: State | Alarm | Event | HeartbeatMessage | ReplyMessage,
        *,
        retained: bool,
    ) -> None:
        """A node's message came."""
        tracked = self.fleet.find(node, now)
        if tracked is None:
            self.counts.dropped += 1
            self._show(now, FindingKey(FLOOD.code, "", "", "strangers"))
            return
        match message:
            case HeartbeatMessage():
                if not retained:
                    self._heartbeat(now, tracked, broker, message)
            case Event():
                if not retained:
                    self._event(now, tracked, broker, message)
            case State():
                self._state(now, tracked, broker, message, retained=retained)
            case Alarm():
                if not retained:
                    self.fleet.heard(now, tracked, broker, message.boot)
                self.incidents.alarm(now, node, message)
            case ReplyMessage():
                if not retained:
                    self._orders.reply(now, node, message)
            case _:
                assert_never(message)

    def link_up(self, now: Moment, broker: str) -> None:
        """A broker is reached."""
        self.links[broker] = Link(broker, True, now)
        self.ledger.clear(now, FindingKey(BROKER_AWAY.code, "", "", broker))
        self.fleet.broker_up(now, broker)

    def link_down(self, now: Moment, broker: str, problem: str) -> None:
        """A broker isn't reached (any more); ``problem`` says why."""
        known = self.links[broker]
        self.links[broker] = Link(broker, False, now if known.up else known.since, problem)
        self.fleet.broker_down(broker)

    def refused(self, now: Moment, broker: str, topic: str) -> None:
        """A broker refused what we said on a topic."""
        self._show(now, FindingKey(REFUSED.code, "", "", broker), topic)

    def stolen(self, now: Moment, broker: str) -> None:
        """Another client speaks as we."""
        self._show(now, FindingKey(STOLEN_ID.code, "", "", broker))

    def dropped(self, now: Moment, count: int, *, malformed: bool = False) -> None:
        """Messages were dropped before they came here: too many, or none that means anything."""
        if malformed:
            self.counts.malformed += count
        else:
            self.counts.dropped += count
            self._show(now, FindingKey(FLOOD.code, "", "", "messages"))

    def stored(self, now: Moment, events: Iterable[EventKey]) -> None:
        """The history holds these events: their nodes are told."""
        for key in events:
            begun = self._storing.pop(key, None)
            if begun is not None:
                self.counts.stored += 1
                self.counts.stored_s += now.at - begun
            self._account(key.of).account(key.boot, key.seq, key.seq)
            self._receipt(key)

    def unstored(self, events: Iterable[EventKey]) -> None:
        """The history won't have these events: their nodes may send them again."""
        for key in events:
            self._storing.pop(key, None)

    def history_failed(self, now: Moment, reason: str) -> None:
        """The history can't be written."""
        self.history_ok = False
        self.ledger.find(now, FindingKey(HISTORY_FAILS.code, "", "", ""), detail=reason)

    def history_works(self, now: Moment) -> None:
        """It can again."""
        self.history_ok = True
        self.ledger.clear(now, FindingKey(HISTORY_FAILS.code, "", "", ""))

    def target_failed(self, now: Moment, name: str, reason: str) -> None:
        """A target can't be told."""
        self.targets[name] = Target(failing=True, problem=reason)
        self.ledger.find(now, FindingKey(TARGET_FAILS.code, "", "", name), detail=reason)

    def target_works(self, now: Moment, name: str) -> None:
        """It can again."""
        self.targets[name] = Target()
        self.ledger.clear(now, FindingKey(TARGET_FAILS.code, "", "", name))

    def ask(self, now: Moment, number: int, request: Request) -> None:
        """A person or a tool wants something; the answer is a Respond with this number."""
        self._orders.ask(now, number, request)

    def time_passed(self, now: Moment) -> None:
        """Decide whatever was due by now."""
        self.fleet.time_passed(now)
        self.drills.time_passed(now)
        if now.at < self._tick_at:
            return
        self._tick_at = now.at + TICK_S
        self.incidents.time_passed(now)
        self._orders.time_passed(now)
        for link in self.links.values():
            if not link.up and now.at - link.since.at >= BROKER_GRACE_S:
                self.ledger.find(now, FindingKey(BROKER_AWAY.code, "", "", link.name), detail=link.problem)
        for key, until in list(self._shown.items()):
            if until <= now.at:
                del self._shown[key]
                self.ledger.clear(now, key)
        for event, begun in list(self._storing.items()):
            if now.at - begun > STORING_S:
                del self._storing[event]
        if now.at >= self._review_at:
            self._review_at = now.at + REVIEW_S
            self.drills.review(now)
            self.incidents.mistakes.review(now)

    def missing(self, node: NodeKey, at: float) -> int:
        """How many events of a node never came."""
        account = self._accounts.get(node)
        return 0 if account is None else account.missing(at, self.settings.missing_s)

    def _heartbeat(self, now: Moment, tracked: Tracked, broker: str, message: HeartbeatMessage) -> None:
        self.counts.heartbeats += 1
        before = tracked.heartbeat
        self.fleet.heartbeat(now, tracked, broker, message)
        account = self._account(tracked.key)
        account.expect(message.boot, message.seq)
        if before is None or before.inputs != message.inputs:
            self.drills.heartbeat(now, tracked.key, message)
        if before is None or before.faults != message.faults:
            self._compare_faults(now, tracked.key, message)
        self._find_missing(now, tracked.key, account)

    def _find_missing(self, now: Moment, node: NodeKey, account: Account) -> None:
        missing = account.missing(now.at, self.settings.missing_s)
        key = FindingKey(EVENTS_MISSING.code, *node, "")
        if missing:
            self.ledger.find(now, key, count=missing)
        elif key in self.ledger.open:
            self.ledger.clear(now, key)

    def _compare_faults(self, now: Moment, node: NodeKey, message: HeartbeatMessage) -> None:
        faults = message.faults[:FAULTS_LIMIT]
        reported = frozenset(FindingKey(plain(each.code, 8), *node, plain(each.subject, 200)) for each in faults)
        for key in self._faults.get(node, frozenset()) - reported:
            self.ledger.clear(now, key)
        for key in sorted(reported):
            self.ledger.find(now, key)
        self._faults[node] = reported

    def _state(self, now: Moment, tracked: Tracked, broker: str, message: State, *, retained: bool) -> None:
        account = self._account(tracked.key)
        account.expect(message.boot, message.seq, whole=not retained and message.session == 1)
        self.fleet.state(now, tracked, broker, message, retained=retained)
        if message.state != "online" or retained:
            return
        held = account.boots[message.boot].ranges
        if held:
            self._receipt(EventKey(*tracked.key, message.boot, held[-1][1]))
        self._orders.probe(tracked.key, message.boot)

    def _event(self, now: Moment, tracked: Tracked, broker: str, event: Event) -> None:
        self.counts.events += 1
        self.fleet.heard(now, tracked, broker, event.boot)
        key = EventKey(*tracked.key, event.boot, event.seq)
        account = self._account(tracked.key)
        boot = account.boots.get(event.boot)
        if boot is not None and boot.holds(event.seq) and not self.incidents.lacks(tracked.key, event):
            self.counts.repeated += 1
            self._receipt(key)
            return
        if key in self._storing:
            return
        self._storing[key] = now.at
        account.expect(event.boot, event.seq, whole=event.kind == "started")
        at_utc = _when(now, event)
        self._keep(now, key, event)
        self._account_for(account, key, event)
        self.incidents.event(now, tracked.key, event, at_utc)
        self.drills.event(now, key, event, at_utc)

    def _keep(self, now: Moment, key: EventKey, event: Event) -> None:
        # When a door was opened says where people are: outside an incident that is nobody's business (README).
        private = event.kind in _DOORS and event.incident is None
        heard = HeardEvent(
            key=key,
            kind=event.kind,
            at_utc=event.at_utc,
            heard_utc=now.utc,
            urgent=event.incident is not None or event.test,
            incident=event.incident,
            input=None if private else event.input,
            body="" if private else event_body(event),
        )
        self.ledger.out.events.append(heard)
        self.ledger.out.tallies.append(Tally(node=key.of, boot=key.boot, ranges=((key.seq, key.seq),)))

    def _account_for(self, account: Account, key: EventKey, event: Event) -> None:
        if event.kind == "evicted":
            for each in event.ranges:
                account.evict(each.boot, each.first, each.last)
                tally = Tally(node=key.of, boot=each.boot, ranges=((each.first, each.last),))
                self.ledger.out.tallies.append(tally)
        if event.previous is not None and event.previous.boot in account.boots:
            account.expect(event.previous.boot, event.previous.seq)

    def _receipt(self, key: EventKey) -> None:
        self.counts.receipts += 1
        self.ledger.out.says.append(SendReceipt(key))

    def _account(self, node: NodeKey) -> Account:
        account = self._accounts.get(node)
        if account is None:
            account = self._accounts[node] = Account()
        return account

    def _show(self, now: Moment, key: FindingKey, detail: str = "") -> None:
        """A finding that stands for ``SHOWN_S`` after it was last seen."""
        self._shown[key] = now.at + SHOWN_S
        self.ledger.find(now, key, detail=detail)

    def _is_over(self, key: FindingKey) -> bool:
        """Whether nobody will ever clear this finding of an earlier run."""
        if key.code in _OF_NOW:
            return True
        if key.code in _OF_INCIDENTS:
            return IncidentKey(*key.of, key.subject) not in self.incidents.open
        if key.code == MISTAKEN_CALLS.code:
            return self.incidents.mistakes.count(key.of, key.subject) < 2
        tracked = self.fleet.nodes.get(key.of)
        not_ours = FindingKey(NOT_OURS.code, *key.of, "")
        if key == not_ours:
            return tracked is not None and tracked.known
        return bool(key.node) and tracked is None and not_ours not in self.ledger.open

    def _restore(self, now: Moment, memory: Memory) -> None:
        for tally in memory.tallies:
            account = self._account(tally.node)
            for first, last in tally.ranges:
                account.account(tally.boot, first, last)
        for key in list(self.ledger.open):
            if self._is_over(key):
                del self.ledger.open[key]
                self.ledger.out.cleared.append((key, now.utc))
            elif key.code.startswith("F"):
                self._faults[key.of] = self._faults.get(key.of, frozenset()) | {key}


_OF_NOW = frozenset({BROKER_AWAY.code, FLOOD.code, HISTORY_FAILS.code, REFUSED.code, STOLEN_ID.code, TARGET_FAILS.code})
"""Findings about the monitor itself: a restart looks anew."""

_OF_INCIDENTS = frozenset({RESET_MISSING.code, OPEN_ALARM_UNSTORED.code})


def _when(now: Moment, event: Event) -> datetime:
    """When it happened by our clock, where the node says how long ago that is; else by the node's, but never later."""
    if isinstance(event.age_ms, int):
        try:
            return now.utc - timedelta(milliseconds=event.age_ms)
        except OverflowError:
            pass
    try:
        return min(datetime.fromisoformat(event.at_utc), now.utc)
    except ValueError:
        return now.utc
