"""Supervises the nodes: new, up, late, down, paused. Pure, in virtual time.

Rules:

1. A node's next heartbeat is due one published period after its last sign of life. After half of the grace more the
   node is late, after the whole grace it is down: with a period of 10 s and a grace of 9 s that is after 19 s
   (EN 50136-1 SP6: 20 s).
2. A node is down at once when it says goodbye. It is down ``WILL_S`` after a broker sent the will of the connection
   with which the node was born, unless that broker goes away meanwhile: a broker that is stopped sends the wills of all
   nodes, and then nothing is known. A retained will may be of any time, and the node may be on its way back, so there
   the deadline decides.
   A goodbye is *planned*: people are told only if the node isn't back by its planned end (or after ``GOODBYE_S``).
   A copy of the goodbye, such as a retained one, doesn't extend that time.
3. Each message that isn't retained is a sign of life, with two exceptions: a will, and what a boot sends after its own
   goodbye unless that is a new birth. A message that came before the last one changes nothing.
4. A broker that we don't reach tells us nothing about its nodes. The deadlines of nodes that only it brings wait, and
   begin anew once the broker is back. So a broker that is away makes one finding. A node of which nothing was heard
   since our start may be on any broker that we don't reach.
5. Paused means maintenance: don't report the node as down until the pause ends by itself. A pause hides no alarm and no
   fault. A node that was stopped meanwhile has ``GOODBYE_S`` from the end of the pause to be back. When a node that is
   down is paused, people aren't told that it is back.

    heartbeat  |_________|_________|
    late       __________________________________|‾‾‾‾
    down       ______________________________________|
                                   10 s      14.5   19
"""

from collections.abc import Iterable
from math import inf

from node.monitor.core.decisions.ledger import Ledger, Moment, lasting
from node.monitor.core.model.catalogue import DOWN, NEVER_HEARD, OVERDUE_BACK, REDUCED
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import DownReason, FindingKey, Flip, NodeKey, NodeRecord, Pause, Status
from node.monitor.core.nodes.deadlines import Deadlines
from node.monitor.core.nodes.node import HEARD, Tracked
from node.monitor.core.nodes.restored_nodes import GOODBYE_S, left_s, restore_nodes, restore_pauses
from node.monitor.core.nodes.roster import Roster
from node.protocol.messages import HeartbeatMessage, State

PERIOD_LIMIT_S = 60.0
"""The longest period that node.toml allows. A node that claims more gets this one, or its death wouldn't be noticed."""

PAUSE = "pause"
"""The subject of the finding about a paused node."""

WILL_S = 1.0
"""How long the broker that sent a will must stay connected for the will to count."""


class Fleet:
    """All nodes: ``nodes`` are those of ``members``. The decisions go to the ledger's ``out``."""

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
        self.deadlines = Deadlines()
        restore_nodes(self.members, ledger, now, known)
        restore_pauses(self.members, now, pauses)
        for tracked in self.nodes.values():
            self._schedule(tracked)

    @property
    def blind(self) -> bool:
        """Whether no broker is connected. Then the monitor doesn't know how any node is now."""
        return not any(self.brokers.values())

    @property
    def next_due(self) -> float:
        """When ``time_passed`` must be called next; inf if nothing is due."""
        return self.deadlines.next_due

    def find(self, key: NodeKey, now: Moment, *, speaks: bool = True) -> Tracked | None:
        """The node with this key; makes it known if it wasn't. None if too many strangers are known already.

        ``speaks``: it sends something now. False for something of it that a broker retained.
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
        """A message of this node that isn't retained came by this broker."""
        if boot == tracked.goodbye_boot:
            return
        if tracked.heard_at is not None and now.at < tracked.heard_at:
            tracked.brought_at[broker] = max(now.at, tracked.brought_at.get(broker, now.at))
            return
        if tracked.boot != boot:
            tracked.boot = boot
            self._ledger.out.nodes.append(tracked.record())  # a restart may be too fast for a flip
        tracked.goodbye_boot = tracked.will_by = ""
        tracked.heard_at = now.at
        tracked.brought_at[broker] = now.at
        tracked.back_due = None
        tracked.expected = now.at + tracked.period_s
        if tracked.status is not Status.UP:
            self._alive(now, tracked)
        if tracked.expected < tracked.queued:  # else its entry comes up before any deadline that moved here
            self._schedule(tracked)

    def heartbeat(self, now: Moment, tracked: Tracked, broker: str, message: HeartbeatMessage) -> None:
        """Take a heartbeat: how the node is, and when the next one is due."""
        if tracked.heard_at is None or tracked.heard_at <= now.at:
            tracked.period_s = min(max(message.period_s, 1.0), PERIOD_LIMIT_S)
            tracked.heartbeat = message
        self.members.prove(now, tracked)
        self.heard(now, tracked, broker, message.boot)

    def state(self, now: Moment, tracked: Tracked, broker: str, message: State, *, retained: bool) -> None:
        """Take a birth, a goodbye or a will."""
        if message.state == "online":
            tracked.births[broker] = (message.boot, message.session)
            if retained:
                self._kept_by(now, tracked, broker)
                tracked.boot = tracked.boot or message.boot
            else:
                tracked.goodbye_boot = ""  # it answers a goodbye that wasn't its own (PROTOCOL.md 4.2)
                self.heard(now, tracked, broker, message.boot)
        elif message.state == "offline":
            self._goodbye(now, tracked, message)
        elif retained:
            self._kept_by(now, tracked, broker)
            tracked.boot = tracked.boot or message.boot
        else:
            self._will(now, tracked, broker, message)

    def broker_up(self, now: Moment, broker: str) -> None:
        """A broker is connected (again): nodes that only it brings have their whole time from now."""
        unseen = [tracked for tracked in self.nodes.values() if self.unseen(tracked)]
        self.brokers[broker] = True
        for tracked in unseen:
            if tracked.expected < inf and not self.unseen(tracked):
                tracked.expected = now.at + tracked.period_s
                tracked.will_by = ""
            self._schedule(tracked)

    def broker_down(self, broker: str) -> None:
        """A broker isn't connected any more. The births that it brought may be long past when it is back."""
        self.brokers[broker] = False
        for tracked in self.nodes.values():
            tracked.births.pop(broker, None)

    def pause(self, now: Moment, tracked: Tracked, pause: Pause) -> None:
        """Don't report this node as down for a while."""
        tracked.pause = pause
        tracked.pause_ends = now.at + left_s(pause, now)
        self._ledger.out.pauses.append(pause)
        for kind in (DOWN, OVERDUE_BACK, NEVER_HEARD):
            # If people were told that these findings are over, they would believe that the node is back.
            self._ledger.clear(now, FindingKey(kind.code, *tracked.key, ""), tell=False)
        detail = f"{pause.by}, {lasting(left_s(pause, now))}: {pause.reason}"
        self._ledger.raise_finding(now, _paused(tracked.key), detail=detail, anew=True)
        self._flip(now, tracked, Status.PAUSED, pause.reason)
        self._schedule(tracked)

    def resume(self, now: Moment, tracked: Tracked) -> bool:
        """End the pause of a node. False if it has none."""
        if tracked.pause is None:
            return False
        self._end_pause(now, tracked)
        return True

    def speaks(self, now: Moment, tracked: Tracked) -> bool:
        """Whether the node lives as far as is known, paused or not."""
        if tracked.pause is None:
            return tracked.status in HEARD
        return (
            tracked.heard_at is not None
            and not tracked.goodbye_boot
            and now.at < tracked.expected + self._grace_s < inf
        )

    def forget(self, now: Moment, tracked: Tracked) -> None:
        """Remove a node. Its entry in the heap is ignored from now on."""
        self.members.forget(tracked)
        tracked.queued = -inf
        if tracked.pause is not None:
            self._ledger.out.pause_ends.append((tracked.key, now.utc))
        self._ledger.out.forgotten.append(tracked.key)

    def time_passed(self, now: Moment) -> None:
        """Decide everything that is due by now."""
        for tracked in self.deadlines.passed(now.at):
            if self._due(tracked) <= now.at:
                self._decide(now, tracked)
            self._schedule(tracked)

    def due_s(self, tracked: Tracked, at: float) -> float | None:
        """In how many seconds this node is down unless it is heard; None if no heartbeat is awaited."""
        return None if tracked.expected == inf else tracked.expected + self._grace_s - at

    def unseen(self, tracked: Tracked) -> bool:
        """Whether no connected broker brings this node, so that its silence means nothing."""
        if self.blind:
            return True
        if tracked.will_by:
            return not self.brokers.get(tracked.will_by, False)
        if not tracked.brought_at:
            return not all(self.brokers.values())
        return not any(self.brokers.get(name, False) for name in tracked.recent_brokers())

    def _kept_by(self, now: Moment, tracked: Tracked, broker: str) -> None:
        """Note that this broker retained something of the node, however old: it is a way to the node."""
        unseen = self.unseen(tracked)
        tracked.brought_at.setdefault(broker, -inf)
        if unseen and tracked.expected < inf:
            tracked.expected = now.at + tracked.period_s
            self._schedule(tracked)

    def _alive(self, now: Moment, tracked: Tracked) -> None:
        for kind in (DOWN, OVERDUE_BACK, NEVER_HEARD):
            self._ledger.clear(now, FindingKey(kind.code, *tracked.key, ""))
        if tracked.pause is None:
            self._flip(now, tracked, Status.UP)

    def _goodbye(self, now: Moment, tracked: Tracked, message: State) -> None:
        if tracked.heard_at is not None and tracked.boot != message.boot:
            return  # it is of an older boot than the present one
        if tracked.goodbye_boot == message.boot:
            return
        tracked.boot = tracked.goodbye_boot = message.boot
        tracked.expected = inf
        wanted = message.back_in_s
        tracked.back_due = now.at + (wanted if wanted is not None and 0 <= wanted <= 30 * 86400 else GOODBYE_S)
        if tracked.pause is None:
            self._flip(now, tracked, Status.DOWN, DownReason.GOODBYE)
        self._schedule(tracked)

    def _will(self, now: Moment, tracked: Tracked, broker: str, message: State) -> None:
        born = tracked.births.pop(broker, None)
        if born is not None and born != (message.boot, message.session):
            tracked.births[broker] = born
            return  # it is of an older connection than the present one
        if born is None and tracked.heard_at is not None and tracked.boot != message.boot:
            return
        if tracked.heard_at is not None and now.at < tracked.heard_at:
            return  # the will waited in the inbox, and the node was back meanwhile
        tracked.brought_at.pop(broker, None)
        if tracked.goodbye_boot == message.boot or self._lives_elsewhere(now, tracked):
            return
        tracked.boot = message.boot
        tracked.will_by = broker
        tracked.expected = now.at + WILL_S - self._grace_s
        self._schedule(tracked)

    def _lives_elsewhere(self, now: Moment, tracked: Tracked) -> bool:
        reach_s = tracked.period_s + self._grace_s
        return any(self.brokers.get(name) and now.at - at < reach_s for name, at in tracked.brought_at.items())

    def _lost(self, now: Moment, tracked: Tracked, reason: DownReason) -> None:
        tracked.expected, tracked.will_by = inf, ""
        tracked.births.clear()
        if tracked.pause is not None:
            return
        never = tracked.status is Status.NEW and tracked.heard_at is None and not tracked.boot
        if never:
            if tracked.place is not None:
                self._ledger.raise_finding(now, FindingKey(NEVER_HEARD.code, *tracked.key, ""))
            return
        self._flip(now, tracked, Status.DOWN, reason)
        self._ledger.raise_finding(now, FindingKey(DOWN.code, *tracked.key, ""), detail=reason)

    def _decide(self, now: Moment, tracked: Tracked) -> None:
        """Decide what follows from a deadline of this node that has come."""
        if tracked.pause_ends <= now.at:
            self._end_pause(now, tracked)
        if tracked.back_due is not None and tracked.back_due <= now.at:
            tracked.back_due = None
            if tracked.pause is None:
                self._ledger.raise_finding(now, FindingKey(OVERDUE_BACK.code, *tracked.key, ""))
        if tracked.expected == inf or self.unseen(tracked):
            return
        if tracked.expected + self._grace_s <= now.at:
            self._lost(now, tracked, DownReason.WILL if tracked.will_by else DownReason.SILENT)
        elif tracked.expected + self._grace_s / 2 <= now.at and tracked.may_be_late:
            self._flip(now, tracked, Status.LATE)

    def _end_pause(self, now: Moment, tracked: Tracked) -> None:
        tracked.pause, tracked.pause_ends = None, inf
        self._ledger.out.pause_ends.append((tracked.key, now.utc))
        self._ledger.clear(now, _paused(tracked.key))
        if tracked.goodbye_boot:
            self._flip(now, tracked, Status.DOWN, DownReason.GOODBYE)
            tracked.back_due = max(tracked.back_due or 0.0, now.at + GOODBYE_S)
            self._schedule(tracked)
            return
        if tracked.heard_at is not None and now.at < tracked.expected + self._grace_s < inf:
            self._flip(now, tracked, Status.UP)
            return
        # From now on its silence counts again, and it has its whole time to be heard.
        self._flip(now, tracked, Status.LATE if tracked.boot else Status.NEW)
        tracked.expected = now.at + tracked.period_s
        self._schedule(tracked)

    def _flip(self, now: Moment, tracked: Tracked, after: Status, reason: str = "") -> None:
        if (tracked.status, tracked.reason) == (after, str(reason)):
            return
        flip = Flip(node=tracked.key, before=tracked.status, after=after, at_utc=now.utc, reason=str(reason))
        # The record as it was before the flip. The history compares it with what another monitor told meanwhile.
        self._ledger.out.nodes.append(tracked.record())
        self._ledger.out.flips.append(flip)
        tracked.status, tracked.since, tracked.reason = after, now, str(reason)

    def _due(self, tracked: Tracked) -> float:
        due = min(tracked.pause_ends, inf if tracked.back_due is None else tracked.back_due)
        if tracked.expected < inf and not self.unseen(tracked):
            due = min(due, tracked.expected + self._grace_s / (2 if tracked.may_be_late else 1))
        return due

    def _schedule(self, tracked: Tracked) -> None:
        self.deadlines.schedule(tracked, self._due(tracked))


def _paused(node: NodeKey) -> FindingKey:
    return FindingKey(REDUCED.code, *node, PAUSE)
