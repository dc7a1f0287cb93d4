"""Tells nodes when a walk test begins and ends. Pure.

1. The monitor tells the nodes of a walk test with the time that is left, until they say that they test
   (button_tests.py, rule 4). The command's id consists of the walk test's id and the node's boot. A node that already
   has that command changes nothing when it hears it again.
2. If somebody ends a walk test early, the monitor tells its nodes until they say that they don't test. Otherwise the
   first press at a node that was away for a moment would be a test that nobody expects any more. A node that tests for
   no longer than another walk test of it still lasts counts as testing for that one.
3. A node knows only one walk test, so it is told the latest end of all its walk tests. If somebody ends the one with
   that end while others run, the node is told the latest end of those.
"""

from datetime import timedelta
from itertools import count
from math import ceil, inf
from typing import Any

from node.errors.faults import INPUT_UNREADABLE
from node.monitor.core.commands.button_tests import WALK_TEST_S, ButtonTests, Walk
from node.monitor.core.decisions.ledger import Ledger, Moment, SendCommand
from node.monitor.core.model.records import NodeKey, WalkTest
from node.monitor.core.model.requests import Answer, EndWalkTest, StartWalkTest
from node.monitor.core.nodes.node import Tracked
from node.monitor.core.nodes.node_supervision import Fleet
from node.sanitize import same

NODES_LIMIT = 500
NAMED = 10

TOLD_AGAIN_S = 5.0
"""How long a node that was told has to confirm it by a heartbeat. A heartbeat may already have been on its way."""

LEFT_S = 1.0
"""The shortest time for which a node takes a walk test (messages.py). If less is left, the node isn't told."""


class WalkTests:
    """Tells nodes of walk tests. ``boot`` makes the ids of walk tests differ from those of other runs."""

    def __init__(self, ledger: Ledger, fleet: Fleet, button_tests: ButtonTests, boot: str) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._button_tests = button_tests
        self._boot = boot
        self._numbers = count(1)
        self._ended: dict[NodeKey, tuple[Walk, str]] = {}

    def start(self, now: Moment, request: StartWalkTest) -> Answer:
        """Begin a walk test at all nodes that can be reached. The answer names those that can't."""
        if not WALK_TEST_S[0] <= request.for_s <= WALK_TEST_S[1]:
            return Answer("refused", f"for_s must be from {WALK_TEST_S[0]:g} to {WALK_TEST_S[1]:g}")
        chosen = [tracked for tracked in self._fleet.nodes.values() if _chosen(tracked, request)]
        reached = [each for each in chosen if each.is_reached]
        if not reached:
            return Answer("refused", "all-these-nodes-are-down") if chosen else Answer("unknown", "no-such-node")
        if len(reached) > NODES_LIMIT:
            return Answer("refused", "too-many-nodes")
        walk = WalkTest(
            id=f"walk-{self._boot}-{next(self._numbers)}",
            site=request.site,
            nodes=tuple(each.key.node for each in reached),
            by=request.by,
            started_utc=now.utc,
            until_utc=now.utc + timedelta(seconds=request.for_s),
        )
        started = self._button_tests.start(now, walk)
        for tracked in reached:
            self._tell(now, started, tracked)
        unreadable = _unreadable(self._button_tests, started)
        note = "; ".join(filter(None, (_left_out(chosen), unreadable, _spent(now, self._button_tests, started))))
        return Answer("done", note, walk.id, until=walk.until_utc)

    def end(self, now: Moment, request: EndWalkTest) -> Answer:
        """End a walk test, and tell its nodes."""
        walk = self._button_tests.walks.get(request.id)
        if walk is None:
            return Answer("unknown", "no-such-walk-test")
        self._button_tests.end(now, walk)
        self._ended = {node: each for node, each in self._ended.items() if each[0].ends > now.at}
        for node in walk.nodes():
            if node not in self._ended or self._ended[node][0].ends <= walk.ends:
                self._ended[node] = walk, request.by
            tracked = self._fleet.nodes.get(node)
            if tracked is not None and tracked.boot:
                self._tell_end(now, walk, tracked, request.by)
        return Answer("done", _still_tested(self._button_tests, walk))

    def heard(self, now: Moment, tracked: Tracked, left_s: float | None) -> None:
        """Take from a heartbeat for how long the node still tests (None: it doesn't), and tell it what it lacks."""
        for walk in self._button_tests.hears(tracked.key, tests=left_s is not None):
            if walk.told[tracked.key] + TOLD_AGAIN_S <= now.at <= walk.ends - LEFT_S:
                self._tell(now, walk, tracked)
        if tracked.key not in self._ended:
            return
        walk, by = self._ended[tracked.key]
        if walk.told.get(tracked.key, -inf) + TOLD_AGAIN_S > now.at:
            return
        if left_s is None or now.at >= walk.ends:
            del self._ended[tracked.key]
        elif not self._holds(tracked.key, now.at + left_s):
            self._tell_end(now, walk, tracked, by)

    def _holds(self, node: NodeKey, until: float) -> bool:
        """Whether a running walk test lets this node test until then. The node may have been told a moment late."""
        return any(
            each.covers(node) and until <= each.ends + TOLD_AGAIN_S for each in self._button_tests.walks.values()
        )

    def _tell(self, now: Moment, walk: Walk, tracked: Tracked) -> None:
        self._say(now, walk, tracked, walk.record.by, for_s=self._button_tests.last_end(tracked.key) - now.at)

    def _tell_end(self, now: Moment, walk: Walk, tracked: Tracked, by: str) -> None:
        last = self._button_tests.last_end(tracked.key)
        if last < walk.ends:  # else the node goes on testing for that one, and ends with it
            self._say(now, walk, tracked, by, for_s=last - now.at, suffix="-end")

    def _say(self, now: Moment, walk: Walk, tracked: Tracked, by: str, *, for_s: float, suffix: str = "") -> None:
        """Send the command that the node tests for so long, or, if that is too short, that it doesn't."""
        walk.told[tracked.key] = now.at
        action, arguments = "walk-test-end", dict[str, Any]()
        if for_s >= LEFT_S:
            action, arguments = "walk-test", {"for_s": round(for_s, 3)}
        command_id = f"{walk.record.id}-{tracked.boot}{suffix}"
        self._ledger.out.says.append(SendCommand(tracked.key, command_id, tracked.boot, by, action, arguments))


def _left_out(chosen: list[Tracked]) -> str:
    """The nodes that the walk test leaves out, the first by name: nobody must think that their buttons were tested."""
    return _named("left out", [f"{each.key.node} ({each.status.value})" for each in chosen if not each.is_reached])


def _unreadable(button_tests: ButtonTests, walk: Walk) -> str:
    """The buttons that their nodes can't read: a press of one shows nothing."""
    names = [f"{node.node}/{name} ({INPUT_UNREADABLE.code})" for node, name in button_tests.unreadable(walk)]
    return _named("can't be tested now", names)


def _spent(now: Moment, button_tests: ButtonTests, walk: Walk) -> str:
    """The buttons whose presses are real during the walk test, and until when: testing one would call people."""
    if not walk.spent:
        return ""
    named = _named(
        "pressed a moment ago or in another walk test, so their next press raises an alarm",
        [f"{node.node}/{name}" for node, name in sorted(walk.spent)],
    )
    free = now.utc + timedelta(seconds=ceil(button_tests.free_at(now, walk) - now.at) + 1)
    return f"{named}; wait until {free:%Y-%m-%dT%H:%M:%SZ}, end this walk test, then start a new one for them"


def _still_tested(button_tests: ButtonTests, ended: Walk) -> str:
    """The nodes where a press isn't real yet although this walk test is over."""
    names = [node.node for node in ended.nodes() if button_tests.last_end(node) > -inf]
    return _named("also in another walk test, so a first press there is a test until that one ends", names)


def _named(what: str, names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{what}: {', '.join(names[:NAMED])}{more}" if names else ""


def _chosen(tracked: Tracked, request: StartWalkTest) -> bool:
    if tracked.key.site != request.site:
        return False
    if request.nodes:
        return tracked.key.node in request.nodes
    return not request.floor or (tracked.place is not None and same(tracked.place.floor, request.floor))
