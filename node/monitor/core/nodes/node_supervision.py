"""Who of the nodes is there: new, up, late, down, paused. Pure, in virtual time.

Rules:

1. A node's next heartbeat is due one published period after its last sign of life. Half of the grace later it is late,
   the whole grace later down: with a period of 10 s and a grace of 9 s, after 19 s (EN 50136-1 SP6: 20 s).
2. It is down at once when it says goodbye; and ``WILL_S`` after the broker told its will for the connection that it was
   born with, unless the broker goes meanwhile: one that is stopped tells everybody's will, and then nothing is known.
   One that was kept there is of any time, and the node may be on its way back: its deadline decides.
   A goodbye is *planned*: only when it isn't back by its planned end (or ``GOODBYE_S``) somebody is told. That it is
   heard again, as one that a broker kept, moves no end.
3. Any message that isn't retained is a sign of life, but for a will, and for what a boot says after its own goodbye,
   unless that is its birth again. What came before the last one says nothing new.
4. A broker that we can't reach says nothing about the nodes: the deadlines of those that only it brings wait for it,
   and begin anew once it is back. So a broker's absence is one finding. Whose ways we don't know (nothing of it was
   heard since our start) may be on any broker that we don't reach.
5. Paused means that silence is nobody's business until the pause ends by itself. It hides no alarm and no fault. A node
   that was stopped meanwhile has ``GOODBYE_S`` from then on. Pausing one that is down isn't told as its return.
6. Deadlines stand in a heap, one entry for each node, looked at when it comes up; a heartbeat only moves the node's own
   deadline. So its cost doesn't grow with the fleet.

    heartbeat  |_________|_________|
    late       __________________________________|‾‾‾‾
    down       ______________________________________|
                                   10 s      14.5   19
"""

from collections.abc import Iterable
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from math import inf

from node.monitor.core.decisions import Ledger, Moment, counted_from, lasting
from node.monitor.core.findings.catalogue import DOWN, NEVER_HEARD, OVERDUE_BACK, REDUCED
from node.monitor.core.model import DownReason, FindingKey, Flip, NodeKey, NodeRecord, Pause, Status
from node.monitor.core.monitor_settings import Place
from node.monitor.core.nodes.node import HEARD, Tracked
from node.monitor.core.nodes.roster import Roster
from node.protocol.messages import HeartbeatMessage, State

PERIOD_LIMIT_S = 60.0
"""The longest that node.toml allows: a node that claims more is taken by this, or it could die unnoticed."""

PAUSE = "pause"
"""The subject of the finding that a node is paused."""

GOODBYE_S = 120.0
"""How long a clean stop without a planned end may take."""

WILL_S = 1.0
"""How long the broker that told a will has to stay for it to count."""


class Fleet:
    """All nodes: ``nodes`` are those of ``members``. What it decides goes to the ledger's ``out``."""

    def __init__(
        self,
        ledger: Ledger,
        now: Moment,
        *,
        grace_s: float,
        roster: Iterable[Place] | None = None,
        known: Iterable[NodeRecord] = (),
        pauses: Iterable[Pause] = (),
        brokers: Iterable[str] = (),
    ) -> None:
        self.members = Roster(ledger, now, roster)
        self.nodes = self.members.nodes
        self.brokers: dict[str, bool] = dict.fromkeys(brokers, False)
        self._ledger = ledger
        self._grace_s = grace_s
        self._heap: list[tuple[float, int, Tracked]] = []
        self._numbers = count()
        for record in known:
            self._remember(record, now)
        for pause in pauses:
            self._restore_pause(pause, now)

    @property
    def blind(self) -> bool:
        """Whether no broker is reached: then nothing here says how the nodes are now."""
        return not any(self.brokers.values())

    @property
    def next_due(self) -> float:
        """When ``time_passed`` has something to do; inf when nothing is due."""
        return self._heap[0][0] if self._heap else inf

    def find(self, key: NodeKey, now: Moment, *, speaks: bool = True) -> Tracked | None:
        """This node, made known where it wasn't; None where too many strangers are known already.

        ``speaks``: it says something now, rather than that a broker has kept something of it.
        """
        tracked = self.nodes.get(key)
        if tracked is None:
            tracked = self.members.admit(now, key)
            if tracked is not None:
                self._schedule(tracked)
        if speaks and tracked is not None:
            self.members.speaks(now, tracked)
        return tracked

    def heard(self, now: Moment, tracked: Tracked, broker: str, boot: str) -> None:
        """A message that isn't retained came from this node by this broker."""
        if boot == tracked.gone:
            return
        if tracked.heard is not None and now.at < tracked.heard:
            tracked.ways[broker] = max(now.at, tracked.ways.get(broker, now.at))
            return
        if tracked.boot != boot:
            tracked.boot = boot
            self._ledger.out.nodes.append(_record(tracked))  # a restart may be too fast for a flip
        tracked.gone = tracked.will_by = ""
        tracked.heard = now.at
        tracked.ways[broker] = now.at
        tracked.back_due = None
        tracked.expected = now.at + tracked.period_s
        if tracked.status is not Status.UP:
            self._alive(now, tracked)
        if tracked.expected < tracked.queued:  # else its entry comes up before any deadline that this can have moved
            self._schedule(tracked)

    def heartbeat(self, now: Moment, tracked: Tracked, broker: str, message: HeartbeatMessage) -> None:
        """A node says how it is, and when it will again."""
        if tracked.heard is None or tracked.heard <= now.at:
            tracked.period_s = min(max(message.period_s, 1.0), PERIOD_LIMIT_S)
            tracked.heartbeat = message
        self.members.prove(now, tracked)
        self.heard(now, tracked, broker, message.boot)

    def state(self, now: Moment, tracked: Tracked, broker: str, message: State, *, retained: bool) -> None:
        """A birth, a goodbye or a will."""
        if message.state == "online":
            tracked.born[broker] = (message.boot, message.session)
            if retained:
                self._kept_by(now, tracked, broker)
                tracked.boot = tracked.boot or message.boot
            else:
                tracked.gone = ""  # so it answers a goodbye that wasn't its own (PROTOCOL.md 4.2)
                self.heard(now, tracked, broker, message.boot)
        elif message.state == "offline":
            self._goodbye(now, tracked, message)
        elif retained:
            self._kept_by(now, tracked, broker)
            tracked.boot = tracked.boot or message.boot
        else:
            self._will(now, tracked, broker, message)

    def broker_up(self, now: Moment, broker: str) -> None:
        """A broker is reached (again): whoever it alone brings has its whole time from now."""
        unseen = [tracked for tracked in self.nodes.values() if self.unseen(tracked)]
        self.brokers[broker] = True
        for tracked in unseen:
            if tracked.expected < inf and not self.unseen(tracked):
                tracked.expected = now.at + tracked.period_s
                tracked.will_by = ""
            self._schedule(tracked)

    def broker_down(self, broker: str) -> None:
        """A broker isn't reached any more; what it told of births may be long past when it is back."""
        self.brokers[broker] = False
        for tracked in self.nodes.values():
            tracked.born.pop(broker, None)

    def pause(self, now: Moment, tracked: Tracked, pause: Pause) -> None:
        """Its silence is nobody's business for a while."""
        tracked.pause = pause
        tracked.pause_ends = now.at + _left_s(pause, now)
        self._ledger.out.pauses.append(pause)
        for kind in (DOWN, OVERDUE_BACK, NEVER_HEARD):
            # People would take it for the node's return.
            self._ledger.clear(now, FindingKey(kind.code, *tracked.key, ""), tell=False)
        detail = f"{pause.by}, {lasting(_left_s(pause, now))}: {pause.reason}"
        self._ledger.find(now, _paused(tracked.key), detail=detail, anew=True)
        self._flip(now, tracked, Status.PAUSED, pause.reason)
        self._schedule(tracked)

    def resume(self, now: Moment, tracked: Tracked) -> bool:
        """End its pause; False where it has none."""
        if tracked.pause is None:
            return False
        self._end_pause(now, tracked)
        return True

    def speaks(self, now: Moment, tracked: Tracked) -> bool:
        """Whether it is there, as far as anybody knows, paused or not."""
        if tracked.pause is None:
            return tracked.status in HEARD
        return tracked.heard is not None and not tracked.gone and now.at < tracked.expected + self._grace_s < inf

    def forget(self, now: Moment, tracked: Tracked) -> None:
        """It is no node any more; its entry in the heap is nobody's."""
        self.members.forget(tracked)
        tracked.queued = -inf
        if tracked.pause is not None:
            self._ledger.out.pause_ends.append((tracked.key, now.utc))
        self._ledger.out.forgotten.append(tracked.key)

    def time_passed(self, now: Moment) -> None:
        """Decide whatever was due by now."""
        while self._heap and self._heap[0][0] <= now.at:
            due, _, tracked = heappop(self._heap)
            if due != tracked.queued:
                continue  # an earlier one took its place
            tracked.queued = inf
            if self._due(tracked) <= now.at:
                self._decide(now, tracked)
            self._schedule(tracked)

    def due_s(self, tracked: Tracked, at: float) -> float | None:
        """In how many seconds this node is down unless it is heard; None where nothing is awaited of it."""
        return None if tracked.expected == inf else tracked.expected + self._grace_s - at

    def unseen(self, tracked: Tracked) -> bool:
        """Whether no broker that we reach brings this node, so that its silence says nothing."""
        if self.blind:
            return True
        if tracked.will_by:
            return not self.brokers.get(tracked.will_by, False)
        if not tracked.ways:
            return not all(self.brokers.values())
        return not any(self.brokers.get(name, False) for name in tracked.recent_ways())

    def _remember(self, record: NodeRecord, now: Moment) -> None:
        """A node as it was when the monitor ended; whoever was there has its whole time to be heard."""
        tracked = self.members.remember(now, record.node)
        if tracked is None:
            return
        tracked.status = Status.UP if record.status is Status.LATE else record.status
        tracked.since = Moment(now.at, record.since_utc)
        tracked.reason = record.reason
        tracked.boot = record.boot
        tracked.period_s = record.period_s
        tracked.expected = now.at + record.period_s
        if tracked.status is Status.DOWN:
            tracked.expected = inf
            if tracked.reason == DownReason.GOODBYE and not self._is_found(tracked, OVERDUE_BACK.code):
                tracked.back_due = now.at + GOODBYE_S
        self._schedule(tracked)

    def _restore_pause(self, pause: Pause, now: Moment) -> None:
        tracked = self.nodes.get(pause.node)
        if tracked is not None:
            tracked.pause = pause
            tracked.status = Status.PAUSED
            tracked.pause_ends = now.at + _left_s(pause, now)
            self._schedule(tracked)

    def _kept_by(self, now: Moment, tracked: Tracked, broker: str) -> None:
        """This broker had something of it, of any time: it is a way of it."""
        unseen = self.unseen(tracked)
        tracked.ways.setdefault(broker, -inf)
        if unseen and tracked.expected < inf:
            tracked.expected = now.at + tracked.period_s
            self._schedule(tracked)

    def _alive(self, now: Moment, tracked: Tracked) -> None:
        for kind in (DOWN, OVERDUE_BACK, NEVER_HEARD):
            self._ledger.clear(now, FindingKey(kind.code, *tracked.key, ""))
        if tracked.pause is None:
            self._flip(now, tracked, Status.UP)

    def _goodbye(self, now: Moment, tracked: Tracked, message: State) -> None:
        if tracked.heard is not None and tracked.boot != message.boot:
            return  # of an older boot than the one that speaks
        if tracked.gone == message.boot:
            return
        tracked.boot = tracked.gone = message.boot
        tracked.expected = inf
        wanted = message.back_in_s
        tracked.back_due = now.at + (wanted if wanted is not None and 0 <= wanted <= 30 * 86400 else GOODBYE_S)
        if tracked.pause is None:
            self._flip(now, tracked, Status.DOWN, DownReason.GOODBYE)
        self._schedule(tracked)

    def _will(self, now: Moment, tracked: Tracked, broker: str, message: State) -> None:
        born = tracked.born.pop(broker, None)
        if born is not None and born != (message.boot, message.session):
            tracked.born[broker] = born
            return  # of an older connection than the one that lives
        if born is None and tracked.heard is not None and tracked.boot != message.boot:
            return
        if tracked.heard is not None and now.at < tracked.heard:
            return  # it waited, and its node was back meanwhile
        tracked.ways.pop(broker, None)
        if tracked.gone == message.boot or self._lives_elsewhere(now, tracked):
            return
        tracked.boot = message.boot
        tracked.will_by = broker
        tracked.expected = now.at + WILL_S - self._grace_s
        self._schedule(tracked)

    def _lives_elsewhere(self, now: Moment, tracked: Tracked) -> bool:
        reach_s = tracked.period_s + self._grace_s
        return any(self.brokers.get(name) and now.at - at < reach_s for name, at in tracked.ways.items())

    def _lost(self, now: Moment, tracked: Tracked, reason: DownReason) -> None:
        tracked.expected, tracked.will_by = inf, ""
        tracked.born.clear()
        if tracked.pause is not None:
            return
        never = tracked.status is Status.NEW and tracked.heard is None and not tracked.boot
        if never:
            if tracked.place is not None:
                self._ledger.find(now, FindingKey(NEVER_HEARD.code, *tracked.key, ""))
            return
        self._flip(now, tracked, Status.DOWN, reason)
        self._ledger.find(now, FindingKey(DOWN.code, *tracked.key, ""), detail=reason)

    def _decide(self, now: Moment, tracked: Tracked) -> None:
        """One of its instants has come."""
        if tracked.pause_ends <= now.at:
            self._end_pause(now, tracked)
        if tracked.back_due is not None and tracked.back_due <= now.at:
            tracked.back_due = None
            if tracked.pause is None:
                self._ledger.find(now, FindingKey(OVERDUE_BACK.code, *tracked.key, ""))
        if tracked.expected == inf or self.unseen(tracked):
            return
        if tracked.expected + self._grace_s <= now.at:
            self._lost(now, tracked, DownReason.WILL if tracked.will_by else DownReason.SILENT)
        elif tracked.expected + self._grace_s / 2 <= now.at and _may_be_late(tracked):
            self._flip(now, tracked, Status.LATE)

    def _end_pause(self, now: Moment, tracked: Tracked) -> None:
        tracked.pause, tracked.pause_ends = None, inf
        self._ledger.out.pause_ends.append((tracked.key, now.utc))
        self._ledger.clear(now, _paused(tracked.key))
        if tracked.gone:
            self._flip(now, tracked, Status.DOWN, DownReason.GOODBYE)
            tracked.back_due = max(tracked.back_due or 0.0, now.at + GOODBYE_S)
            self._schedule(tracked)
            return
        if tracked.heard is not None and now.at < tracked.expected + self._grace_s < inf:
            self._flip(now, tracked, Status.UP)
            return
        # From now on its silence counts again: it has its whole time to be heard.
        self._flip(now, tracked, Status.LATE if tracked.boot else Status.NEW)
        tracked.expected = now.at + tracked.period_s
        self._schedule(tracked)

    def _flip(self, now: Moment, tracked: Tracked, after: Status, reason: str = "") -> None:
        if (tracked.status, tracked.reason) == (after, str(reason)):
            return
        flip = Flip(node=tracked.key, before=tracked.status, after=after, at_utc=now.utc, reason=str(reason))
        # As it is before the flip, which the history holds against what another monitor may have told it meanwhile.
        self._ledger.out.nodes.append(_record(tracked))
        self._ledger.out.flips.append(flip)
        tracked.status, tracked.since, tracked.reason = after, now, str(reason)

    def _is_found(self, tracked: Tracked, code: str) -> bool:
        return FindingKey(code, *tracked.key, "") in self._ledger.open

    def _due(self, tracked: Tracked) -> float:
        due = min(tracked.pause_ends, inf if tracked.back_due is None else tracked.back_due)
        if tracked.expected < inf and not self.unseen(tracked):
            due = min(due, tracked.expected + self._grace_s / (2 if _may_be_late(tracked) else 1))
        return due

    def _schedule(self, tracked: Tracked) -> None:
        """One entry in the heap, not later than what is due; a deadline that only moved on stays where it stands."""
        due = self._due(tracked)
        if due < tracked.queued:
            tracked.queued = due
            heappush(self._heap, (due, next(self._numbers), tracked))


def _record(tracked: Tracked) -> NodeRecord:
    return NodeRecord(
        node=tracked.key,
        status=tracked.status,
        since_utc=tracked.since.utc,
        boot=tracked.boot,
        period_s=tracked.period_s,
        reason=tracked.reason,
    )


def _paused(node: NodeKey) -> FindingKey:
    return FindingKey(REDUCED.code, *node, PAUSE)


def _left_s(pause: Pause, now: Moment) -> float:
    """How long a pause still holds: never longer than it was made for, whatever the clock said at a start."""
    made_for = pause.until_utc - pause.since_utc
    if counted_from(now, pause.since_utc) != pause.since_utc:
        return made_for.total_seconds()
    return min(max(pause.until_utc - now.utc, timedelta(0)), made_for).total_seconds()


def _may_be_late(tracked: Tracked) -> bool:
    return tracked.status is Status.UP and not tracked.will_by
