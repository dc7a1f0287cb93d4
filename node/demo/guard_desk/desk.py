"""What a guard at the monitor sees and does.

Threads: ``monitor view`` asks the monitor for its view, from ``start`` to ``close``; each action has one of its own,
because the monitor answers only after the node has.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from node.demo.guard_desk.api import Items, MonitorApi, RequestError
from node.demo.observe.observations import ActionFailed, Finding, MonitorView, Observation
from node.demo.rooms import SITE
from node.threads import new_thread

LOOK_S = 0.4
WALK_TEST_S = 600.0

_IN_MEMORY = "M041"
"""The history lies in memory. So does the demo's on many machines, and it isn't needed after the demo."""


class _Node(msgspec.Struct):
    node: str
    status: str


class _Finding(msgspec.Struct):
    code: str
    node: str
    text: str
    next: str


class _WalkTest(msgspec.Struct):
    id: str


class _Fleet(msgspec.Struct):
    blind: bool


class GuardDesk:
    """``put`` gets the monitor's view whenever it changes.

    No action waits. What comes of it is seen at the broker. If it doesn't get as far as the node, ``put`` gets
    ActionFailed.
    """

    def __init__(self, api: MonitorApi, put: Callable[[Observation], None]) -> None:
        self._api = api
        self._put = put
        self._view = MonitorView(0.0, {})
        self._closing = threading.Event()
        self._viewer = new_thread("monitor view", self._follow_view)
        self._actions: list[threading.Thread] = []

    def start(self) -> None:
        """Follow the monitor's view."""
        self._viewer.start()

    def close(self) -> None:
        """End; to be called once the monitor has ended, so that no action waits for it any more."""
        self._closing.set()
        for thread in (self._viewer, *self._actions):
            if thread.ident is not None:
                thread.join()

    def acknowledge(self, node: str, incident: str) -> None:
        """Say that somebody is coming."""
        self._act(lambda: self._api.ask("POST", f"incidents/{SITE}/{node}/{incident}/acknowledge", msgspec.Raw))

    def reset(self, node: str, incident: str) -> None:
        """End the incident: it was a drill."""
        path = f"incidents/{SITE}/{node}/{incident}/reset"
        self._act(lambda: self._api.ask("POST", path, msgspec.Raw, {"reason": "drill"}))

    def begin_walk_test(self) -> None:
        """Begin a walk test of all nodes, for at most ``WALK_TEST_S``."""
        wanted = {"site": SITE, "for_s": WALK_TEST_S}
        self._act(lambda: self._api.ask("POST", "walk-tests", msgspec.Raw, wanted))

    def end_walk_test(self) -> None:
        """End every walk test."""

        def end() -> None:
            for each in self._api.ask("GET", "walk-tests", Items[_WalkTest]).items:
                self._api.ask("DELETE", f"walk-tests/{each.id}", msgspec.Raw)

        self._act(end)

    def _act(self, action: Callable[[], object]) -> None:
        def act() -> None:
            try:
                action()
            except RequestError as problem:
                if not problem.by_node:  # a node's refusal is seen at the broker
                    self._put(ActionFailed(time.monotonic(), f"not done: {problem}"))

        thread = new_thread("action", act)
        self._actions = [*(each for each in self._actions if each.is_alive()), thread]
        thread.start()

    def _follow_view(self) -> None:
        while not self._closing.wait(LOOK_S):
            try:
                view = self._look()
            except RequestError:
                view = MonitorView(time.monotonic(), {})
            if replace(view, at=self._view.at) != self._view:
                self._view = view
                self._put(view)

    def _look(self) -> MonitorView:
        fleet = self._api.ask("GET", "fleet", _Fleet)
        nodes = self._api.ask("GET", "nodes", Items[_Node]).items
        findings = self._api.ask("GET", "findings", Items[_Finding]).items
        return MonitorView(
            time.monotonic(),
            {each.node: each.status for each in nodes},
            tuple(Finding(each.code, each.node, each.text, each.next) for each in findings if each.code != _IN_MEMORY),
            fleet.blind,
        )
