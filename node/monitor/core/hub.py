"""Takes everything that a monitor hears, and decides what follows. Pure: time arrives with each call.

1. An event is given to the history together with everything that follows from it, as one commit. Its receipt goes out
   after the commit, never before. If an event is held already, its node gets the receipt again and nothing changes.
   An exception is a call that no incident here knows: it gets no such receipt, even if its number counts as stored. A
   node's claims about numbers must not hide a call.
2. Each birth is answered with a receipt for the node's newest held event, and with a ``probe``. So the node knows that
   both receipts and commands reach it.
3. A node that isn't in the roster is heard like any other, up to a limit: somebody may need help there.
4. A person's request is answered when the node has answered, or after ``ANSWER_S``.
"""

from collections.abc import Collection
from typing import assert_never

from node.core.model import CALLS
from node.monitor.core.commands.button_tests import ButtonTests
from node.monitor.core.commands.dispatch import Dispatch
from node.monitor.core.commands.probes import Probes
from node.monitor.core.commands.targets import Targets
from node.monitor.core.commands.walk_tests import WalkTests
from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.decisions.ledger import ClearTopics, Decisions, Ledger, Moment
from node.monitor.core.findings.node_faults import NodeFaults
from node.monitor.core.findings.self_check import SelfCheck
from node.monitor.core.findings.target_coverage import TargetCoverage
from node.monitor.core.findings.unknown_words import UnknownWords
from node.monitor.core.incidents.known.reported import Reported
from node.monitor.core.incidents.lifecycle import Incidents
from node.monitor.core.incidents.resync import Resync
from node.monitor.core.incidents.told_calls import ToldCalls
from node.monitor.core.leftovers import clear_leftovers
from node.monitor.core.model.counters import Counters
from node.monitor.core.model.monitor_settings import Settings
from node.monitor.core.model.records import EventKey, IncidentKey, NodeKey
from node.monitor.core.model.requests import Answer, IsolateTarget, Request, RestoreTarget, TryTarget
from node.monitor.core.nodes.duplicate_identity import DuplicateIdentity
from node.monitor.core.nodes.events.heard_events import happened_utc, heard_event
from node.monitor.core.nodes.events.receipts import Receipts
from node.monitor.core.nodes.node import Tracked
from node.monitor.core.nodes.node_supervision import Fleet
from node.monitor.core.nodes.roster import NODES_LIMIT
from node.protocol.messages import Alarm, Event, HeartbeatMessage, ReplyMessage, State

TICK_S = 0.5
"""How often escalations, findings that need some time, and overdue answers are looked at."""

REVIEW_S = 60.0


class Hub:
    """The deciding part of a monitor. ``take`` returns what was decided since the last call."""

    def __init__(self, settings: Settings, now: Moment, memory: Remembered, boot: str) -> None:
        self.settings = settings
        self.started = now
        self.ledger = Ledger(memory.findings)
        self.self_check = SelfCheck(
            self.ledger,
            now,
            settings.monitor,
            brokers=[broker.name for broker in settings.brokers],
            targets=[target.name for target in settings.targets],
            watched=[target.name for target in settings.targets if target.url_file is not None],
        )
        self.fleet = Fleet(
            self.ledger,
            now,
            grace_s=settings.grace_s,
            roster=settings.roster,
            known=memory.nodes,
            pauses=memory.pauses,
            brokers=list(self.self_check.links),
        )
        self.incidents = Incidents(
            self.ledger,
            now,
            escalate_s=settings.escalate_s,
            levels=max((target.level for target in settings.targets), default=0),
            known=memory.incidents,
            closed=memory.closed,
            false_alarms=memory.mistaken,
        )
        self.button_tests = ButtonTests(
            self.ledger,
            now,
            test_days=settings.test_days,
            buttons=memory.buttons,
            walks=memory.walk_tests,
            unconfirmed=memory.unconfirmed,
        )
        self.reach = TargetCoverage(self.ledger, now, settings)
        names = [target.name for target in settings.targets]
        self.targets = Targets(self.ledger, now, settings.monitor, names, memory.targets)
        self.counts = Counters()
        self.receipts = Receipts(self.ledger, self.counts, settings.missing_s, memory.tallies)
        self._reported = Reported()
        self._told = ToldCalls(self.ledger, self.self_check, self.incidents, self._reported, self.receipts, self.counts)
        resync = Resync(self.ledger, self.fleet, self.incidents, self._reported)
        self._walk_tests = WalkTests(self.ledger, self.fleet, self.button_tests, boot)
        self._dispatch = Dispatch(
            self.ledger, self.fleet, self.incidents, self._walk_tests, self._reported, resync, self._forget, boot
        )
        self._probes = Probes(self.ledger, self.fleet, self.self_check, self._dispatch.probe, f"{boot}-")
        self._duplicate_identity = DuplicateIdentity(self.ledger, now)
        self._unknown_words = UnknownWords(self.ledger, now)
        self._kept: set[NodeKey] = set()  # nodes that aren't known here, but of which brokers retain something
        self._tick_at = now.at
        self._review_at = now.at + REVIEW_S
        clear_leftovers(self.ledger, now, self.incidents, self.fleet, self.button_tests)
        self._faults = NodeFaults(self.ledger)
        self._review_reach(now)
        # The name is the same at each start with these targets, so that two monitors with one history call only once.
        self.incidents.call_untold(now, ",".join(sorted(names)), frozenset(memory.uncalled))

    @property
    def next_due(self) -> float:
        """When ``time_passed`` must be called next (monotonic)."""
        return min(self.fleet.next_due, self.button_tests.next_due, self._tick_at)

    def take(self) -> Decisions:
        """What was decided since the last call."""
        return self.ledger.take()

    def hear(
        self,
        now: Moment,
        broker: str,
        node: NodeKey,
        message: State | Alarm | Event | HeartbeatMessage | ReplyMessage,
        *,
        retained: bool,
        unknown: Collection[str] = (),
    ) -> None:
        """Take a message of a node. ``unknown``: its words that this version doesn't know."""
        if retained and node not in self.fleet.nodes and self._says_nothing(message):
            if len(self._kept) < NODES_LIMIT:
                self._kept.add(node)
            return
        tracked = self.fleet.find(node, now, speaks=not retained)
        if tracked is None:
            self.counts.unknown_nodes += 1
            self.counts.dropped += 1
            self.self_check.flooded(now, "strangers")
            return
        if unknown:
            self._unknown_words.heard(now, node, unknown)
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
                    self._spoke(now, node, message.boot)
                sifted = self.incidents.plausibility.sifted(now, node, message)
                self._listed(now, node, sifted, is_newest=self._reported.take(node, sifted))
            case ReplyMessage():
                if not retained:
                    self._probes.reply(now, node, message)
                    self._dispatch.reply(now, node, message)
            case _:
                assert_never(message)

    def stored(self, now: Moment, outcome: Stored) -> None:
        """The history has stored a batch."""
        self.receipts.stored(now, outcome.events)
        self.receipts.counted(outcome.tallies)
        for record in outcome.incidents:
            self.incidents.stored(now, record)
            self._told.stored(now, record)

    def accepted(self, now: Moment, incident: IncidentKey, presses: int) -> None:
        """A target has taken a message about this call that named so many presses."""
        self._told.accepted(now, incident, presses)

    def link_up(self, now: Moment, broker: str) -> None:
        """A broker is connected."""
        self.self_check.link_up(now, broker)
        self.fleet.broker_up(now, broker)
        self._told.say_all(now)

    def link_down(self, now: Moment, broker: str, problem: str) -> None:
        """A broker isn't connected, or not any more. ``problem`` says why."""
        self.self_check.link_down(now, broker, problem)
        self.fleet.broker_down(broker)

    def dropped(self, now: Moment, count: int, *, malformed: bool = False) -> None:
        """Count messages that were dropped before they came here: there were too many, or they can't be read."""
        if malformed:
            self.counts.malformed += count
        else:
            self.counts.dropped += count
            self.self_check.flooded(now, "messages")

    def ask(self, now: Moment, number: int, request: Request) -> None:
        """Take a request of a person or a tool. The answer is a Respond with this number."""
        if isinstance(request, TryTarget | IsolateTarget | RestoreTarget):
            before = self.targets.isolated
            self.targets.ask(now, number, request)
            self._restored(now, before)
        else:
            self._dispatch.ask(now, number, request)

    def time_passed(self, now: Moment) -> None:
        """Decide everything that is due by now."""
        self.fleet.time_passed(now)
        self.button_tests.time_passed(now)
        if now.at < self._tick_at:
            return
        self._tick_at = now.at + TICK_S
        self.incidents.time_passed(now)
        self._told.time_passed(now)
        self._dispatch.time_passed(now)
        self._probes.time_passed(now)
        self.self_check.time_passed(now)
        self._unknown_words.time_passed(now)
        before = self.targets.isolated
        if self.targets.time_passed(now):
            self._restored(now, before)
        self.receipts.time_passed(now, history_ok=self.self_check.history_ok)
        if now.at >= self._review_at:
            self._review_at = now.at + REVIEW_S
            self.button_tests.review(now)
            self._review_reach(now)
            self.incidents.false_alarms.review(now)

    def _says_nothing(self, message: State | Alarm | Event | HeartbeatMessage | ReplyMessage) -> bool:
        """Whether a retained message of a stranger is ignored: the node may have been renamed or taken away."""
        is_call = isinstance(message, Alarm) and message.incidents
        return self.settings.roster is not None and not is_call

    def _forget(self, now: Moment, node: NodeKey) -> Answer:
        if node.site not in self.settings.sites:
            return Answer("unknown", "no-such-node")
        tracked = self.fleet.nodes.get(node)
        if tracked is None and node not in self._kept and not any(each.of == node for each in self.ledger.open):
            return Answer("unknown", "no-such-node")
        self._kept.discard(node)
        if tracked is not None:
            if tracked.place is not None:
                return Answer("refused", "in-the-last-roster" if self.settings.roster_problems else "in-the-roster")
            if self.fleet.speaks(now, tracked):
                return Answer("refused", "still-speaks")
            if self.incidents.of(node):
                return Answer("refused", "alarm-open")
            self.fleet.forget(now, tracked)
        for key in [each for each in self.ledger.open if each.of == node]:
            self.ledger.clear(now, key, tell=False)
        for part in (
            self.incidents,
            self.button_tests,
            self.receipts,
            self._reported,
            self._duplicate_identity,
            self._faults,
            self._unknown_words,
            self._probes,
            self._told,
        ):
            part.forget(node)
        self.ledger.out.says.append(ClearTopics(node))
        return Answer("done")

    def _listed(self, now: Moment, node: NodeKey, message: Alarm, *, is_newest: bool) -> None:
        self.incidents.alarm(now, node, message, is_newest=is_newest)
        self._told.listed(now, node, message)

    def _spoke(self, now: Moment, node: NodeKey, boot: str) -> None:
        kept = self._reported.spoke(node, boot)
        if kept is not None:
            self._listed(now, node, kept, is_newest=True)

    def _heartbeat(self, now: Moment, tracked: Tracked, broker: str, message: HeartbeatMessage) -> None:
        self.counts.heartbeats += 1
        before = tracked.heartbeat
        self._spoke(now, tracked.key, message.boot)
        self._duplicate_identity.heartbeat(now, tracked.key, message)
        self.fleet.heartbeat(now, tracked, broker, message)
        if before is None or before.inputs != message.inputs:
            self.button_tests.heartbeat(now, tracked.key, message)
        self._faults.heartbeat(now, tracked.key, message, is_new=before is None or before.faults != message.faults)
        self.receipts.heartbeat(now, tracked.key, message.boot, message.seq)
        self._walk_tests.heard(now, tracked, message.walk_test_s)

    def _state(self, now: Moment, tracked: Tracked, broker: str, message: State, *, retained: bool) -> None:
        whole = not retained and message.session == 1
        is_now = not retained and message.state == "online"
        self.receipts.expect(tracked.key, message.boot, message.seq, whole=whole, retained=not is_now)
        self.fleet.state(now, tracked, broker, message, retained=retained)
        if message.state != "online" or retained:
            return
        self._spoke(now, tracked.key, message.boot)
        self.receipts.say_newest(tracked.key, message.boot)
        self._told.say_all(now, tracked.key)
        self._probes.probe(now, tracked.key, message.boot)

    def _event(self, now: Moment, tracked: Tracked, broker: str, event: Event) -> None:
        self.counts.events += 1
        self.fleet.heard(now, tracked, broker, event.boot)
        if self.incidents.plausibility.refuses(now, tracked.key, event):
            self.counts.dropped += 1
            return
        key = EventKey(*tracked.key, event.boot, event.seq)
        is_call = event.kind in CALLS and bool(event.presses) and event.incident is not None
        if is_call and self.receipts.is_known(key) and self.incidents.plausibility.contradicts(now, key, event):
            self.incidents.call_anew(now, tracked.key, event, happened_utc(now, event))
            self._told.heard(now, tracked.key, event)
            return  # the history has another event under this number, so this one isn't held
        if self.receipts.is_held(key) and not self.incidents.lacks(tracked.key, event):
            self.counts.repeated += 1
            self.receipts.say(key)
            self._told.heard(now, tracked.key, event)
            return
        if self.receipts.is_awaited(key):
            self._told.heard(now, tracked.key, event)
            return
        calls = is_call and not event.test and self.incidents.lacks(tracked.key, event)
        has_room = self.receipts.finds_room(now, tracked.key, calls=calls)
        if not (has_room and self.incidents.admits(now, tracked.key, event)):
            self.counts.dropped += 1
            return
        if is_call:
            self.incidents.plausibility.came(now, key, event)
        self.receipts.take(now, key, event)
        at_utc = happened_utc(now, event)
        self.ledger.out.events.append(heard_event(now, key, event))
        opened = len(self.incidents.open)
        self.incidents.event(now, tracked.key, event, at_utc)
        later = self._reported.after(tracked.key, event) if len(self.incidents.open) > opened else None
        if later is not None:  # a call that comes late may be acknowledged or over by now
            self.incidents.alarm(now, tracked.key, later)
        self.button_tests.event(now, key, event, at_utc)
        self._told.heard(now, tracked.key, event)

    def _restored(self, now: Moment, before: frozenset[str]) -> None:
        """Call for open incidents that nobody was told of, now that an isolated target may be back."""
        self._review_reach(now)
        for name in sorted(before - self.targets.isolated):
            self.incidents.call_untold(now, f"{name}:{now.utc:%Y%m%dT%H%M%S.%f}")

    def _review_reach(self, now: Moment) -> None:
        self.reach.review(now, self.fleet.nodes.values(), self.targets.isolated)
