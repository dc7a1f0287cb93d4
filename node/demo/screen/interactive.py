"""What each key does, and when the screen is drawn again."""

import select
import time
from collections.abc import Callable
from functools import partial

import msgspec

from node.demo.installation import Installation
from node.demo.observe.inbox import Inbox
from node.demo.observe.observations import StopRequested
from node.demo.processes.broker import BrokerStartError
from node.demo.processes.simulated_node import SimulatedNode
from node.demo.screen.layout import draw
from node.demo.screen.room_panel import lamp_level
from node.demo.screen.state import RoomState, ScreenState
from node.demo.screen.terminal import Terminal
from node.errors import ToolMissingError
from node.io import health
from node.protocol.messages import HeartbeatMessage, OpenIncident
from node.service import status_file

REFRESH_S = 0.25
FAULTS_S = 0.5
"""How often the chosen node's faults are read. Its status file has them also while the broker is off."""

_TRY_AGAIN = "try it once more; if it fails again, run mosquitto -v by hand and read what it says"


class InteractiveDemo:
    """One person at all buttons and at the monitor, until they quit."""

    def __init__(self, installation: Installation, inbox: Inbox) -> None:
        self._installation = installation
        self._inbox = inbox
        self._state = ScreenState(
            began_at=time.monotonic(),
            port=installation.broker.port,
            rooms={name: RoomState(each.room) for name, each in installation.nodes.items()},
            chosen=next(iter(installation.nodes)),
        )
        self._kernel_boot = health.kernel_boot()
        self._faults_due = 0.0
        self._over = False
        self._keys: dict[str, Callable[[], None]] = {
            "p": self._press,
            "r": self._release,
            "a": self._acknowledge,
            "x": self._reset,
            "w": self._walk_test,
            "k": self._switch_node,
            "b": self._switch_broker,
            "m": self._switch_monitor,
            "q": self._quit,
            "\x03": self._quit,
        }
        self._keys.update(
            (str(number), partial(self._choose, name)) for number, name in enumerate(installation.nodes, start=1)
        )

    @property
    def _node(self) -> SimulatedNode:
        return self._installation.nodes[self._state.chosen]

    def run(self, terminal: Terminal) -> None:
        """Draw and obey until ``q``, Ctrl-C, a signal, or the keyboard's end. Raises ToolMissingError."""
        try:
            self._installation.start_broker()
        except BrokerStartError as problem:
            raise ToolMissingError(f"mosquitto doesn't start ({problem})", _TRY_AGAIN) from problem
        self._installation.start_building()
        for each in self._installation.nodes.values():
            each.start()
        while not self._over:
            now = time.monotonic()
            self._look(now)
            size = terminal.size
            terminal.draw(draw(self._state, now, *size), size)
            _, stays_s = lamp_level(self._state.room.lamp, self._state.room.lamp_at, now)
            ready, _, _ = select.select([terminal.keyboard, self._inbox], [], [], min(stays_s, REFRESH_S))
            if terminal.keyboard in ready:
                self._obey(terminal.keys())

    def _look(self, now: float) -> None:
        state, room = self._state, self._state.room
        for observation in self._inbox.take():
            self._over = self._over or isinstance(observation, StopRequested)
            state.take(observation)
        state.broker_on = self._installation.broker.running
        state.monitor_on = self._installation.monitor.running
        for name, each in self._installation.nodes.items():
            state.rooms[name].node_on = each.running
        room.last_line = "" if room.node_on else next(iter(self._node.last_lines(1)), "")
        if now >= self._faults_due:
            self._faults_due = now + FAULTS_S
            newest = status_file.read(self._node.state, now, self._kernel_boot)
            heartbeat = newest and msgspec.convert(newest.heartbeat, HeartbeatMessage)
            room.faults = tuple(heartbeat.faults) if heartbeat else ()

    def _obey(self, keys: str | None) -> None:
        if keys is None:
            self._over = True
            return
        for key in keys:
            action = self._keys.get(key)
            if action is not None:
                self._answer("")
                action()

    def _choose(self, name: str) -> None:
        self._state.chosen = name
        self._faults_due = 0.0

    def _press(self) -> None:
        self._state.room.pressed = True
        self._node.instruct("button press")

    def _release(self) -> None:
        self._state.room.pressed = False
        self._node.instruct("button release")

    def _acknowledge(self) -> None:
        if incident := self._incident("acknowledge"):
            self._installation.desk.acknowledge(self._state.chosen, incident.incident)

    def _reset(self) -> None:
        if incident := self._incident("reset"):
            self._installation.desk.reset(self._state.chosen, incident.incident)

    def _incident(self, action: str) -> OpenIncident | None:
        """The incident that the guard can see."""
        if self._guard_can(action):
            if self._state.room.incidents:
                return self._state.room.incidents[0]
            self._answer(f"nothing to {action}: {self._state.chosen} has no open incident")
        return None

    def _walk_test(self) -> None:
        if self._guard_can("walk test"):
            if self._state.room.walk_test:
                self._installation.desk.end_walk_test()
            else:
                self._installation.desk.begin_walk_test()

    def _guard_can(self, action: str) -> bool:
        """Whether the monitor can reach the nodes; if not, the note says why."""
        state = self._state
        if not state.broker_on:
            self._answer(f"no {action}: the broker is off, b starts it")
        elif not state.monitor_on:
            self._answer(f"no {action}: the monitor is off, m starts it")
        return state.broker_on and state.monitor_on

    def _answer(self, note: str) -> None:
        self._state.answer(note, time.monotonic())

    def _switch_node(self) -> None:
        if self._node.running:
            self._node.kill()
        else:
            self._node.start(held=self._state.room.pressed)

    def _switch_broker(self) -> None:
        if self._installation.broker.running:
            self._installation.broker.kill()  # why not stop: scenes.py
            return
        try:
            self._installation.start_broker()
        except BrokerStartError as problem:
            self._answer(f"the broker doesn't start: {problem}. b tries again")

    def _switch_monitor(self) -> None:
        if self._installation.monitor.running:
            self._installation.monitor.stop()
        else:
            self._installation.monitor.start()

    def _quit(self) -> None:
        self._over = True
