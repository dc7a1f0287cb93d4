"""Tests with due dates, and walk tests: a button that nobody tests may be broken without anybody noticing.

Rules:

1. A button becomes known by its node's heartbeat, or by its test. Its next test is due ``test_days`` after its last
   test, or after the button was first seen. An overdue test is a finding. Due dates are calendar dates: here, and
   nowhere else, the wall clock decides. A date from a clock that wasn't set, or was ahead, counts from the moment when
   we notice that. While our own clock isn't set, nothing is due.
2. A test counts once the node got our receipt for it. Only then is the path to the monitor known to work.
3. A walk test has an actor and a mandatory end, at most an hour ahead. The nodes end it by themselves.
4. We tell a node of a walk test until its heartbeat says that it tests: it may have been between two connections, and
   started meanwhile. After that we never tell it again. A restart of the node ends the walk test there (PROTOCOL.md
   10). If we told it anew, it would take a button that was tested already for an untested one, and its next real call
   for a test. Before its first heartbeat that says so, and after a restart, the node is shown as not testing. After a
   restart of the monitor nobody knows which nodes had been told, so none is told anew.
5. A button has no test in a walk test if it was pressed in the ``RECENT_S`` before it, or in another walk test that is
   still running. For its node each press is real (node/core/walk_test.py). The answer to whoever started the walk test
   names these buttons, as far as we have heard of the presses.
6. A node that takes part in several walk tests tests until the last of them ends, by its time or because somebody ends
   it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

from msgspec.structs import replace

from node.core.model import EventKind
from node.core.walk_test import RECENT_S
from node.errors.faults import INPUT_UNREADABLE
from node.monitor.core.decisions.ledger import CLOCK_SET, Ledger, Moment, counted_from, lasting, plain
from node.monitor.core.model.catalogue import REDUCED, TEST_OVERDUE
from node.monitor.core.model.records import Button, ButtonTest, EventKey, FindingKey, NodeKey, WalkTest
from node.protocol.messages import Event, HeartbeatMessage

WALK_TEST_S = (60.0, 3600.0)
_PRESSES = (EventKind.PRESSED, EventKind.TESTED, EventKind.INHIBITED_PRESS)
BUTTONS_LIMIT = 50_000
NODE_BUTTONS_LIMIT = 64
"""More than a node has pins. A sender that invents buttons can't use up the room of other nodes."""


@dataclass(slots=True)
class Walk:
    """A walk test that is running until ``ends`` (monotonic). ``tested``: its (node, input) pairs that passed so far.

    ``told``: when each node was told (monotonic). ``testing``: of each node that has said that it tests, whether it
    tests now. ``spent``: the buttons that have no test left in it: they were pressed in it, shortly before it, or in
    another one.
    """

    record: WalkTest
    ends: float
    tested: set[tuple[NodeKey, str]] = field(default_factory=set)
    told: dict[NodeKey, float] = field(default_factory=dict)
    testing: dict[NodeKey, bool] = field(default_factory=dict)
    spent: set[tuple[NodeKey, str]] = field(default_factory=set)

    @property
    def since(self) -> float:
        """When it began (monotonic)."""
        return self.ends - (self.record.until_utc - self.record.started_utc).total_seconds()

    def covers(self, node: NodeKey) -> bool:
        """Whether this node is part of it."""
        return node.site == self.record.site and node.node in self.record.nodes

    def nodes(self) -> list[NodeKey]:
        """The nodes that are part of it."""
        return [NodeKey(self.record.site, name) for name in self.record.nodes]


class ButtonTests:
    """All known buttons, and the walk tests that are running."""

    def __init__(
        self,
        ledger: Ledger,
        now: Moment,
        *,
        test_days: int,
        buttons: Iterable[Button] = (),
        walks: Iterable[WalkTest] = (),
        unconfirmed: Iterable[ButtonTest] = (),
    ) -> None:
        self.buttons: dict[tuple[NodeKey, str], Button] = {(each.node, each.input): each for each in buttons}
        self.walks: dict[str, Walk] = {}
        self._ledger = ledger
        self._every = timedelta(days=test_days)
        self._of_node: dict[NodeKey, frozenset[str]] = {}
        self._known: dict[NodeKey, set[str]] = {}
        self._pressed: dict[tuple[NodeKey, str], float] = {}
        for node, name in self.buttons:
            self._known.setdefault(node, set()).add(name)
        named = {(each.event.of, each.input): each for each in unconfirmed}
        self._pending = {name: each for name, each in named.items() if name in self.buttons}  # the others found no room
        for walk in walks:
            left_s = (walk.until_utc - now.utc).total_seconds()
            restored = Walk(walk, now.at + min(max(left_s, 0.0), WALK_TEST_S[1]))
            restored.testing = dict.fromkeys(restored.nodes(), False)
            self.walks[walk.id] = restored

    def heartbeat(self, now: Moment, node: NodeKey, message: HeartbeatMessage) -> None:
        """A node's heartbeat lists its inputs: learn its buttons, and clear overdue tests of those that are gone."""
        names = frozenset(
            name for name, each in message.inputs.items() if each.kind == "button" and plain(name) == name
        )
        if self._of_node.get(node) == names:
            return
        self._of_node[node] = names
        for name in sorted(names):
            self._knows(now, node, name)
        for name in sorted(self._known.get(node, set()) - names):
            # The button was taken off the wall, so its test isn't overdue any more.
            self._ledger.clear(now, FindingKey(TEST_OVERDUE.code, *node, name))

    def event(self, now: Moment, key: EventKey, event: Event, at_utc: datetime) -> None:
        """Take an event that hadn't been heard before."""
        name = (key.of, event.input or "")
        if event.kind in _PRESSES and name in self.buttons:
            self._spend(now, name, event.age_ms)
        if event.kind == EventKind.TESTED:
            walk = next((each for each in self.walks.values() if each.covers(key.of)), None)
            test = ButtonTest(event=key, input=name[1], at_utc=at_utc, walk_test=walk.record.id if walk else "")
            if self._knows(now, *name):
                self._pending[name] = test
            self._ledger.out.tests.append(test)
        elif event.kind == EventKind.TEST_CONFIRMED:
            pending = self._pending.pop(name, None)
            if pending is not None:
                self._confirmed(now, name, replace(pending, reaction_s=event.for_s))

    def hears(self, node: NodeKey, *, tests: bool) -> list[Walk]:
        """Note whether a node tests, by its heartbeat. Returns the walk tests that it may not know of yet."""
        unknown = []
        for walk in self.walks.values():
            if not walk.covers(node):
                continue
            if tests or node in walk.testing:
                walk.testing[node] = tests
            else:
                unknown.append(walk)
        return unknown

    def forget(self, node: NodeKey) -> None:
        """Remove a node and its buttons."""
        for name in self._known.pop(node, set()):
            del self.buttons[node, name]
            self._pending.pop((node, name), None)
            self._pressed.pop((node, name), None)
        self._of_node.pop(node, None)

    def start(self, now: Moment, walk: WalkTest) -> Walk:
        """Begin a walk test."""
        started = Walk(walk, now.at + (walk.until_utc - walk.started_utc).total_seconds())
        spent = {name for name, at in self._pressed.items() if at > now.at - RECENT_S}
        spent |= {name for other in self.walks.values() for name in other.spent}
        started.spent = {name for name in spent if started.covers(name[0])}
        self.walks[walk.id] = started
        self._ledger.out.walk_tests.append(walk)
        detail = f"{walk.by}, {lasting(started.ends - now.at)}"
        self._ledger.raise_finding(now, _running(walk), count=len(walk.nodes), detail=detail)
        return started

    def end(self, now: Moment, walk: Walk) -> None:
        """End a walk test, because its time is over or because somebody asked."""
        del self.walks[walk.record.id]
        self._ledger.out.walk_tests.append(replace(walk.record, ended_utc=now.utc))
        self._ledger.clear(now, _running(walk.record))

    def time_passed(self, now: Moment) -> None:
        """End the walk tests whose time is over."""
        for walk in [each for each in self.walks.values() if each.ends <= now.at]:
            self.end(now, walk)

    def review(self, now: Moment) -> None:
        """Find overdue tests. Call this now and then; once a minute is enough."""
        if now.utc < CLOCK_SET:
            return
        for (node, name), known in self.buttons.items():
            button = self.buttons[node, name] = _dated(now, known)
            key = FindingKey(TEST_OVERDUE.code, *node, name)
            late = now.utc - self.due_utc(button)
            if late >= timedelta(0) and name in self._of_node.get(node, ()):
                self._ledger.raise_finding(now, key, count=late.days)
            elif key in self._ledger.open and late < timedelta(0):
                self._ledger.clear(now, key)

    def due_utc(self, button: Button) -> datetime:
        """When the next test of this button is due."""
        return (button.last_test_utc or button.since_utc) + self._every

    def untested(self, walk: Walk) -> list[tuple[NodeKey, str]]:
        """The buttons of a walk test that haven't been tested yet."""
        return sorted(name for name in self.buttons if walk.covers(name[0]) and name not in walk.tested)

    def unreadable(self, walk: Walk) -> list[tuple[NodeKey, str]]:
        """Its buttons that their nodes can't read now: a press of one is neither a test nor an alarm."""
        return [
            (node, name)
            for node, name in self.untested(walk)
            if FindingKey(INPUT_UNREADABLE.code, *node, name) in self._ledger.open
        ]

    @staticmethod
    def real(walk: Walk) -> list[tuple[NodeKey, str]]:
        """Its buttons that weren't tested and have no test left: a press of one is a real call."""
        return sorted(walk.spent - walk.tested)

    def free_at(self, now: Moment, walk: Walk) -> float:
        """When a new walk test would give its spent buttons a test again (monotonic), if this one has ended by then."""
        others = [each.ends for each in self.walks.values() if each is not walk and each.spent & walk.spent]
        pressed = [self._pressed.get(name, now.at) + RECENT_S for name in walk.spent]
        return max([now.at, *others, *pressed])

    def not_testing(self, walk: Walk) -> list[NodeKey]:
        """Its nodes at which a press is real, as far as they have said. A node tests for all its walk tests at once."""
        testing = {node for each in self.walks.values() for node, tests in each.testing.items() if tests}
        return [node for node in walk.nodes() if node not in testing]

    def last_end(self, node: NodeKey) -> float:
        """When the last running walk test of this node ends; -inf if it has none."""
        return max((each.ends for each in self.walks.values() if each.covers(node)), default=-inf)

    @property
    def next_due(self) -> float:
        """When the next walk test ends; inf if none is running."""
        return min((each.ends for each in self.walks.values()), default=inf)

    def _spend(self, now: Moment, name: tuple[NodeKey, str], age_ms: object) -> None:
        """Note that this button was pressed, ``age_ms`` ago."""
        at = now.at - age_ms / 1000 if isinstance(age_ms, int) else now.at
        self._pressed[name] = max(at, self._pressed.get(name, at))
        for walk in self.walks.values():
            if walk.covers(name[0]) and at > walk.since - RECENT_S:
                walk.spent.add(name)

    def _confirmed(self, now: Moment, name: tuple[NodeKey, str], test: ButtonTest) -> None:
        self._ledger.out.tests.append(test)
        button = self.buttons[name]
        if button.last_test_utc is None or button.last_test_utc < test.at_utc:
            self._put(replace(button, last_test_utc=test.at_utc))
        self._ledger.clear(now, FindingKey(TEST_OVERDUE.code, *name[0], name[1]))
        for walk in self.walks.values():
            if walk.record.id == test.walk_test:
                walk.tested.add(name)

    def _knows(self, now: Moment, node: NodeKey, name: str) -> bool:
        """Whether this button is known; learns it if it wasn't. False if there are too many buttons."""
        if (node, name) in self.buttons:
            return True
        if len(self.buttons) >= BUTTONS_LIMIT or len(self._known.get(node, ())) >= NODE_BUTTONS_LIMIT:
            return False
        self._put(Button(node=node, input=name, since_utc=now.utc))
        return True

    def _put(self, button: Button) -> None:
        self.buttons[button.node, button.input] = button
        self._known.setdefault(button.node, set()).add(button.input)
        self._ledger.out.buttons.append(button)


def _dated(now: Moment, button: Button) -> Button:
    """The button with the date from which its next test is counted (rule 1)."""
    label = button.last_test_utc or button.since_utc
    counted = counted_from(now, label)
    if counted == label:
        return button
    return replace(button, since_utc=counted, last_test_utc=None if button.last_test_utc is None else counted)


def _running(walk: WalkTest) -> FindingKey:
    return FindingKey(REDUCED.code, walk.site, "", walk.id)
