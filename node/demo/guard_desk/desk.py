"""The building's side as it is installed: ``alarm-monitor run`` as a process of its own, asked through its API.

The monitor is another program: nothing of it is imported here. It is asked by its socket, which lies in its state
directory.

Threads: ``building`` asks the monitor how the building is, from ``start`` to ``close``; each act has one of its own,
since the monitor waits for the node's answer.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from node.config.files import socket_path
from node.demo.guard_desk.phone import Telephone
from node.demo.observe.observations import Finding, Fleet, NotDone, Seen
from node.demo.processes.programs import Program, environment
from node.demo.rooms import SITE, monitor_toml, nodes_toml

LOOK_S = 0.4
WALK_TEST_S = 600.0
ANSWER_S = 40.0
"""Beyond the longest time that the monitor itself waits for a node's answer."""

_IN_MEMORY = "M041"
"""That the history lies in memory: so does a play's on many machines, and it ends with the play."""

T = TypeVar("T")


class _Items(msgspec.Struct, Generic[T]):
    items: list[T]


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


class _Problem(msgspec.Struct):
    detail: str = "it says no more"


class _NotDoneError(Exception):
    """The monitor doesn't do or tell it: why. ``by_node``: it asked the node, whose answer was no."""

    def __init__(self, reason: str, *, by_node: bool = False) -> None:
        super().__init__(reason)
        self.by_node = by_node


class Building(Program):
    """The monitor, with what it shows and what a person has it do.

    No act waits. Its effect is seen at the broker; where it never gets so far, it is seen as NotDone.
    """

    name = "monitor"

    def __init__(self, directory: Path, port: int, api_port: int, put: Callable[[Seen], None]) -> None:
        super().__init__(directory / "monitor.log")
        self.config = directory / "monitor.toml"
        self._directory = directory
        self._state = directory / "monitor"
        self._put = put
        self._fleet = Fleet(0.0, {})
        self._closing = threading.Event()
        self._looker = threading.Thread(target=self._look_on, name="building", daemon=True)
        self._acts: list[threading.Thread] = []
        self._telephone = Telephone(put)
        roster = directory / "nodes.toml"
        roster.write_text(nodes_toml(), encoding="utf-8")
        self.config.write_text(monitor_toml(self._state, roster, port, api_port, self._telephone.url), encoding="utf-8")

    def open(self) -> None:
        """Start it, and ask it how the building is from now on."""
        self._telephone.start()
        self.start()
        self._looker.start()

    def start(self) -> None:
        """Start the monitor; ``stop`` ends it."""
        self.stop()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "node.monitor", "run", "--config", str(self.config)],
                cwd=self._directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def acknowledge(self, node: str, incident: str) -> None:
        """Say that somebody is coming."""
        self._act(partial(self._ask, "POST", f"incidents/{SITE}/{node}/{incident}/acknowledge", msgspec.Raw))

    def reset(self, node: str, incident: str) -> None:
        """End the incident; it was a drill."""
        path = f"incidents/{SITE}/{node}/{incident}/reset"
        self._act(partial(self._ask, "POST", path, msgspec.Raw, {"reason": "drill"}))

    def begin_walk_test(self) -> None:
        """Begin one of all nodes, for at most ``WALK_TEST_S``."""
        wanted = {"site": SITE, "for_s": WALK_TEST_S}
        self._act(partial(self._ask, "POST", "walk-tests", msgspec.Raw, wanted))

    def end_walk_test(self) -> None:
        """End every walk test before its time."""

        def end() -> None:
            for each in self._ask("GET", "walk-tests", _Items[_WalkTest]).items:
                self._ask("DELETE", f"walk-tests/{each.id}", msgspec.Raw)

        self._act(end)

    def close(self) -> None:
        """End it, and whatever waits for its answers."""
        self._closing.set()
        self.stop()
        for thread in (self._looker, *self._acts):
            if thread.ident is not None:
                thread.join()
        self._telephone.close()

    def _act(self, what: Callable[[], object]) -> None:
        """Do it on a thread of its own."""

        def act() -> None:
            try:
                what()
            except _NotDoneError as problem:
                if not problem.by_node:
                    self._put(NotDone(time.monotonic(), f"not done: {problem}"))

        thread = threading.Thread(target=act, name="act", daemon=True)
        self._acts = [*(each for each in self._acts if each.is_alive()), thread]
        thread.start()

    def _look_on(self) -> None:
        while not self._closing.wait(LOOK_S):
            try:
                fleet = self._look()
            except _NotDoneError:
                fleet = Fleet(time.monotonic(), {})
            if replace(fleet, at=self._fleet.at) != self._fleet:
                self._fleet = fleet
                self._put(fleet)

    def _look(self) -> Fleet:
        fleet = self._ask("GET", "fleet", _Fleet)
        nodes = self._ask("GET", "nodes", _Items[_Node]).items
        findings = self._ask("GET", "findings", _Items[_Finding]).items
        return Fleet(
            time.monotonic(),
            {each.node: each.status for each in nodes},
            tuple(Finding(each.code, each.node, each.text, each.next) for each in findings if each.code != _IN_MEMORY),
            fleet.blind,
        )

    def _ask(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        """What the API answers. Raises _NotDoneError, also where nobody is there."""
        connection = HTTPConnection("localhost", timeout=ANSWER_S)
        content = None if body is None else msgspec.json.encode(body)
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(ANSWER_S)
            with socket_path(self._state / "api.socket") as name:
                connection.sock.connect(name)
            connection.request(method, f"/api/v1/{path}", content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status >= HTTPStatus.BAD_REQUEST:
                reason = msgspec.json.decode(answer, type=_Problem).detail
                raise _NotDoneError(reason, by_node=response.status == HTTPStatus.CONFLICT)
            return msgspec.json.decode(answer, type=kind)
        except (OSError, HTTPException, msgspec.MsgspecError) as problem:
            raise _NotDoneError(f"the monitor doesn't answer ({problem})") from problem
        finally:
            connection.close()
