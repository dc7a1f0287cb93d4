"""Tests with due dates, and walk tests: buttons fail by being forgotten, not by breaking.

Rules:

1. A button is known from its node's heartbeat, or from its test. Its next test is due ``test_days`` after its last one,
   or after it was first seen; beyond that it is a finding. Due dates are of the calendar: here, and nowhere else, wall
   time decides. So a date by a clock that wasn't set, or was ahead, counts as of the time when that was found; and
   while the clock isn't set nothing is due.
2. A test counts once the node had our receipt for it: only then the way to the building is known to work.
3. A walk test has an actor and a mandatory end, an hour at most. The nodes end it by themselves.
4. A node of it is told until its heartbeat says that it tests: it may have been between two connections, and started
   meanwhile. After that never again: a restart ends the test there (PROTOCOL.md 10), and told anew it would take a
   button that was tested for one that wasn't, and a real call for a test. Until the one and after the other it is shown
   as not testing. After a restart of ours nobody knows who had been told, so nobody is told anew.
5. A button that was pressed in the ``RECENT_S`` before a walk test, or before in one that holds, has no test in it: its
   node takes each press for real (node/core/modes.py), and whoever tests is told so, as far as we have heard.
6. A node of several walk tests tests until the last of them ends, by its time or by somebody.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

from msgspec.structs import replace

from node.core.modes import RECENT_S
from node.monitor.core.decisions import CLOCK_SET, Ledger, Moment, counted_from, lasting, plain
from node.monitor.core.findings.catalogue import REDUCED, TEST_OVERDUE
from node.monitor.core.model import Button, ButtonTest, EventKey, FindingKey, NodeKey, WalkTest
from node.protocol.messages import Event, HeartbeatMessage

WALK_TEST_S = (60.0, 3600.0)
_PRESSES = ("pressed", "tested", "inhibited-press")
BUTTONS_LIMIT = 50_000
NODE_BUTTONS_LIMIT = 64
"""More than a node has pins: whoever invents buttons takes no other node's room."""


@dataclass(slots=True)
class Walk:
    """A walk test that holds, until ``ends`` (monotonic); ``tested`` are its (node, input) pairs so far.

    ``told``: when each node was, by the monotonic clock. ``testing``: whether it tests now, of each that said so once.
    ``spent``: the buttons that have no test in it (any more): they were pressed, in it, of late or in another one.
    """

    record: WalkTest
    ends: float
    tested: set[tuple[NodeKey, str]] = field(default_factory=set)
    told: dict[NodeKey, float] = field(default_factory=dict)
    testing: dict[NodeKey, bool] = field(default_factory=dict)
    spent: set[tuple[NodeKey, str]] = field(default_factory=set)

    @property
    def since(self) -> float:
        """When it began, by the monotonic clock."""
        return self.ends - (self.record.until_utc - self.record.started_utc).total_seconds()

    def covers(self, node: NodeKey) -> bool:
        """Whether this node is part of it."""
        return node.site == self.record.site and node.node in self.record.nodes

    def nodes(self) -> list[NodeKey]:
        """Those that are part of it."""
        return [NodeKey(self.record.site, name) for name in self.record.nodes]


class ButtonTests:
    """All buttons, and the walk tests that hold."""

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
        self._pending = {name: each for name, each in named.items() if name in self.buttons}  # others found no room
        for walk in walks:
            left_s = (walk.until_utc - now.utc).total_seconds()
            restored = Walk(walk, now.at + min(max(left_s, 0.0), WALK_TEST_S[1]))
            restored.testing = dict.fromkeys(restored.nodes(), False)
            self.walks[walk.id] = restored

    def heartbeat(self, now: Moment, node: NodeKey, message: HeartbeatMessage) -> None:
        """A node says which inputs it has."""
        names = frozenset(
            name for name, each in message.inputs.items() if each.kind == "button" and plain(name) == name
        )
        if self._of_node.get(node) == names:
            return
        self._of_node[node] = names
        for name in sorted(names):
            self._knows(now, node, name)
        for name in sorted(self._known.get(node, set()) - names):
            # It was taken off the wall: its test is nobody's business any more.
            self._ledger.clear(now, FindingKey(TEST_OVERDUE.code, *node, name))

    def event(self, now: Moment, key: EventKey, event: Event, at_utc: datetime) -> None:
        """An event that hadn't been heard before."""
        name = (key.of, event.input or "")
        if event.kind in _PRESSES and name in self.buttons:
            self._spend(now, name, event.age_ms)
        if event.kind == "tested":
            walk = next((each for each in self.walks.values() if each.covers(key.of)), None)
            test = ButtonTest(event=key, input=name[1], at_utc=at_utc, walk_test=walk.record.id if walk else "")
            if self._knows(now, *name):
                self._pending[name] = test
            self._ledger.out.tests.append(test)
        elif event.kind == "test-confirmed":
            pending = self._pending.pop(name, None)
            if pending is not None:
                self._confirmed(now, name, replace(pending, reaction_s=event.for_s))

    def hears(self, node: NodeKey, *, tests: bool) -> list[Walk]:
        """By its heartbeat a node tests, or it doesn't: the walk tests of which it may not know yet."""
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
        """It is no node any more, and so are its buttons."""
        for name in self._known.pop(node, set()):
            del self.buttons[node, name]
            self._pending.pop((node, name), None)
        self._of_node.pop(node, None)

    def start(self, now: Moment, walk: WalkTest) -> Walk:
        """A walk test begins."""
        started = Walk(walk, now.at + (walk.until_utc - walk.started_utc).total_seconds())
        spent = {name for name, at in self._pressed.items() if at > now.at - RECENT_S}
        spent |= {name for other in self.walks.values() for name in other.spent}
        started.spent = {name for name in spent if started.covers(name[0])}
        self.walks[walk.id] = started
        self._ledger.out.walk_tests.append(walk)
        detail = f"{walk.by}, {lasting(started.ends - now.at)}"
        self._ledger.find(now, _running(walk), count=len(walk.nodes), detail=detail)
        return started

    def end(self, now: Moment, walk: Walk) -> None:
        """It ends, by its time or by somebody."""
        del self.walks[walk.record.id]
        self._ledger.out.walk_tests.append(replace(walk.record, ended_utc=now.utc))
        self._ledger.clear(now, _running(walk.record))

    def time_passed(self, now: Moment) -> None:
        """Walk tests end by themselves."""
        for walk in [each for each in self.walks.values() if each.ends <= now.at]:
            self.end(now, walk)

    def review(self, now: Moment) -> None:
        """Find whose test is overdue; to be called now and then, and once a minute is enough."""
        if now.utc < CLOCK_SET:
            return
        for (node, name), known in self.buttons.items():
            button = self.buttons[node, name] = _dated(now, known)
            key = FindingKey(TEST_OVERDUE.code, *node, name)
            late = now.utc - self.due_utc(button)
            if late >= timedelta(0) and name in self._of_node.get(node, ()):
                self._ledger.find(now, key, count=late.days)
            elif key in self._ledger.open and late < timedelta(0):
                self._ledger.clear(now, key)

    def due_utc(self, button: Button) -> datetime:
        """When its next test is due."""
        return (button.last_test_utc or button.since_utc) + self._every

    def untested(self, walk: Walk) -> list[tuple[NodeKey, str]]:
        """The buttons of a walk test that haven't passed yet."""
        return sorted(name for name in self.buttons if walk.covers(name[0]) and name not in walk.tested)

    @staticmethod
    def real(walk: Walk) -> list[tuple[NodeKey, str]]:
        """Those that haven't passed, and have no test any more: a press is real."""
        return sorted(walk.spent - walk.tested)

    def not_testing(self, walk: Walk) -> list[NodeKey]:
        """Its nodes at which a press is real, as far as they have said: one that tests does so for each that holds."""
        testing = {node for each in self.walks.values() for node, tests in each.testing.items() if tests}
        return [node for node in walk.nodes() if node not in testing]

    def last_end(self, node: NodeKey) -> float:
        """When the last of the walk tests ends that hold at this node; -inf where none does."""
        return max((each.ends for each in self.walks.values() if each.covers(node)), default=-inf)

    @property
    def next_due(self) -> float:
        """When a walk test ends; inf where none holds."""
        return min((each.ends for each in self.walks.values()), default=inf)

    def _spend(self, now: Moment, name: tuple[NodeKey, str], age_ms: object) -> None:
        """This button was pressed, so long ago."""
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
        """Whether this button is known, from now on at the latest; False where there are too many."""
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
    """With the date from which its next test is counted."""
    label = button.last_test_utc or button.since_utc
    counted = counted_from(now, label)
    if counted == label:
        return button
    return replace(button, since_utc=counted, last_test_utc=None if button.last_test_utc is None else counted)


def _running(walk: WalkTest) -> FindingKey:
    return FindingKey(REDUCED.code, walk.site, "", walk.id)
