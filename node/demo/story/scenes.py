"""The whole story without a person, scene by scene."""

import time

from node.demo.observe.observations import MonitorView
from node.demo.processes.broker import BrokerStartError
from node.demo.processes.simulated_node import SimulatedNode
from node.demo.story.steps import MONITOR_WAIT_LIMIT_S, WAIT_LIMIT_S, StepMissingError, Steps, StoppedError
from node.errors.faults import FAULTS
from node.protocol.messages import Alarm, Canary, Event, HeartbeatMessage, State

LAST_LINES = 12


class Story(Steps):
    """All scenes in their order."""

    def play(self) -> int:
        """Play them; 0 if every step was observed, 1 with the reason on the stream if one wasn't."""
        try:
            self._start()
            incident = self._press()
            self._acknowledge_and_reset(incident, pressed=True)
            incident = self._press_without_broker()
            self._kill_in_alarm(incident)
            self._acknowledge_and_reset(incident, pressed=False)
            self._walk_test()
            self._stop()
        except StepMissingError as missing:
            self._print(f"MISSING {self._elapsed_s():5.1f} s  {missing}")
            self._print("The last lines of the logs:")
            for line in self._installation.last_lines(LAST_LINES):
                self._print(f"  {line}")
            self._print(f"{self._count} steps seen, then one was missing")
            return 1
        except StoppedError:
            self._print(f"stopped after {self._count} steps")
            return 1
        self._print(f"{self._count} steps seen in {self._elapsed_s():.1f} s")
        return 0

    @property
    def _node(self) -> SimulatedNode:
        return self._installation.nodes[self._node_name]

    def _start(self) -> None:
        first, *others = self._installation.nodes
        self._begin("A private broker, the monitor, and three nodes on simulated pins")
        self._start_broker()
        self._installation.start_building()
        self._needed.add("monitor")
        self._subscribed("a subscriber hears every message")
        self._monitor("the monitor hears the broker", lambda view: not view.blind, wait_limit_s=MONITOR_WAIT_LIMIT_S)
        for name, each in self._installation.nodes.items():
            each.start()
            self._needed.add(name)
        self._output("the lamp shows: ready", output="lamp", pattern="ready")
        self._message("the node is online", State, lambda state: state.state == "online", lambda it: f"boot {it.boot}")
        self._message("its canary came back, so it hears its own topics", Canary)
        self._message("its heartbeat came", HeartbeatMessage, detail=_health)
        self._done("probe", "the monitor probed it: done, so commands reach the node")
        for self._node_name in others:
            room = self._node.room
            self._done("probe", f"the same of {self._node_name} (class {room.alarm_class}, {room.signals_text})")
        self._node_name = first
        self._monitor("the monitor shows all nodes as up", lambda view: {*view.statuses.values()} == {"up"}, _statuses)

    def _press(self) -> str:
        self._begin(f"Somebody presses the button of {self._node_name}")
        self._node.instruct("button press")
        self._output("the buzzer sounds", output="buzzer", level=True)
        self._output("the call is pressed", ladder="pressed")
        self._output("the lamp shows: calling", output="lamp", pattern="calling")
        incident = self._alarm("the broker has the alarm", "active")
        self._pressed_event(incident)
        self._output("the call is stored on the node's disk", ladder="stored")
        self._output("the call is accepted by the broker", ladder="accepted")
        self._output("the call is held by the monitor", ladder="held")
        self._output("the call is told: people were notified", ladder="told")
        self._output("the lamp shows: received", output="lamp", pattern="received")
        self._alarm("the broker has the alarm as received", "received", incident)
        return incident

    def _acknowledge_and_reset(self, incident: str, *, pressed: bool) -> None:
        self._begin("The guard at the monitor acknowledges, then resets")
        self._installation.desk.acknowledge(self._node_name, incident)
        self._done("acknowledge", "the acknowledgement is done")
        self._output("the lamp shows: acknowledged, somebody is coming", output="lamp", pattern="acknowledged")
        self._alarm("the broker has the alarm as acknowledged", "acknowledged", incident)
        if pressed:
            self._installation.desk.reset(self._node_name, incident)
            self._reply("reset", "refused", "a reset is refused while the button is pressed")
            self._node.instruct("button release")
            self._message("the button is released", Event, lambda event: event.kind == "restored")
            self._begin()
        self._installation.desk.reset(self._node_name, incident)
        self._done("reset", "the reset is done")
        self._output("the lamp shows: ready", output="lamp", pattern="ready")
        self._alarm("the broker has no alarm any more", "normal")
        self._silence("the buzzer is silent")

    def _press_without_broker(self) -> str:
        self._begin("The broker is cut off, and somebody presses")
        self._needed.discard("broker")
        # Not stopped in order: a mosquitto that is tells every node's will first, as if the nodes had gone.
        self._installation.broker.kill()
        self._output("the lamp shows: a fault", output="lamp", pattern="nobody")
        self._finding("M008", "", "the monitor has one finding, not one for each node")
        self._begin()
        self._node.instruct("button press")
        self._output("the buzzer sounds all the same", output="buzzer", level=True)
        self._output("the call is pressed", ladder="pressed")
        self._output("the lamp shows: calling", output="lamp", pattern="calling")
        self._output("the call is stored on the node's disk", ladder="stored")
        self._node.instruct("button release")
        self._begin("The broker is back")
        self._start_broker()
        self._subscribed("a subscriber hears every message")
        incident = self._alarm("the broker has the alarm", "active")
        self._pressed_event(incident)
        self._output("the call is told: people were notified", ladder="told")
        self._output("the lamp shows: received", output="lamp", pattern="received")
        self._fault("fault-raised", "the fault is reported now")
        self._fault("fault-cleared", "the fault is over")
        self._message("the button is released", Event, lambda event: event.kind == "restored")
        self._monitor("the monitor has no finding any more", _is_well, _statuses)
        here = self._node_name
        for name in [each for each in self._installation.nodes if each != here]:
            self._node_name = name  # a node that isn't back yet misses the next command
            self._message(f"{name} is back, too", State, lambda it: it.state == "online" and it.session > 1)
        self._node_name = here
        return incident

    def _kill_in_alarm(self, incident: str) -> None:
        self._begin("The node is killed during the alarm (kill -9), and starts again")
        self._needed.discard(self._node_name)
        self._node.kill()
        self._message("the broker publishes the node's will: lost", State, lambda state: state.state == "lost")
        self._finding("M001", self._node_name, "the monitor has a finding")
        self._begin()
        self._node.start()
        self._needed.add(self._node_name)
        self._output("the buzzer sounds again", output="buzzer", level=True)
        self._output("the lamp shows: received", output="lamp", pattern="received")
        self._message("the node is online again", State, lambda it: it.state == "online", lambda it: f"boot {it.boot}")
        self._message(
            "its first event names the last one of the boot before",
            Event,
            lambda event: event.kind == "started" and event.previous is not None,
            lambda event: "" if event.previous is None else f"{event.previous.boot}-{event.previous.seq}",
        )
        self._alarm("the same incident is still open", "received", incident)
        self._done("probe", "the monitor probed it: done")
        self._monitor("the monitor has no finding any more", _is_well, _statuses)

    def _walk_test(self) -> None:
        first, self._node_name, *_ = self._installation.nodes  # a button pressed in the last minutes can't be tested
        self._begin(f"A walk test: somebody tests the button of {self._node_name}")
        self._installation.desk.begin_walk_test()
        self._done("walk-test", "the walk test is running")
        self._output("the lamp shows: walk test", output="lamp", pattern="walk-test")
        self._begin()
        self._node.instruct("button tap 200")
        self._message("the first press is a test", Event, lambda event: event.kind == "tested")
        self._message(
            "the monitor has confirmed it",
            Event,
            lambda event: event.kind == "test-confirmed",
            lambda event: f"{(event.for_s or 0.0) * 1000:.0f} ms after the press",
        )
        self._output("the buzzer chirps", output="buzzer", level=True)
        self._output("the lamp shows: received", output="lamp", pattern="received")
        self._begin()
        self._output("the lamp shows: walk test, as before", output="lamp", pattern="walk-test")
        self._begin()
        self._node.instruct("button tap 200")
        incident = self._alarm("the second press is an alarm", "active")
        self._output("the call is told: people were notified", ladder="told")
        self._message("the button is released", Event, lambda event: event.kind == "restored")
        self._begin()
        self._installation.desk.acknowledge(self._node_name, incident)
        self._done("acknowledge", "the acknowledgement is done")
        self._installation.desk.reset(self._node_name, incident)
        self._done("reset", "the reset is done")
        self._installation.desk.end_walk_test()
        self._done("walk-test-end", "the walk test has ended")
        self._output("the lamp shows: ready", output="lamp", pattern="ready")
        self._node_name = first

    def _stop(self) -> None:
        self._begin(f"{self._node_name} is stopped in order")
        self._needed.discard(self._node_name)
        self._node.instruct("quit")
        self._message("it says goodbye: offline", State, lambda it: it.state == "offline", lambda it: it.reason or "")
        code = self._node.wait(WAIT_LIMIT_S)
        text = "its process ends with exit code 0"
        if code != 0:
            raise StepMissingError(f"{text}: {'it still runs' if code is None else f'exit code {code}'}")
        self._ok(text, time.monotonic())
        self._monitor(
            "the monitor shows it as down, without a finding, because the stop was planned",
            lambda view: view.statuses.get(self._node_name) == "down" and not view.findings,
            _statuses,
        )

    def _start_broker(self) -> None:
        text = "a private broker answers"
        try:
            self._installation.start_broker()
        except BrokerStartError as problem:
            raise StepMissingError(f"{text}: it doesn't start: {problem}") from problem
        self._needed.add("broker")
        self._ok(text, time.monotonic(), f"127.0.0.1:{self._installation.broker.port}")

    def _pressed_event(self, incident: str) -> None:
        self._message(
            "its event came",
            Event,
            lambda event: event.kind == "pressed" and event.incident == incident,
            lambda event: f"{event.boot}-{event.seq}, {event.age_ms} ms old",
        )

    def _alarm(self, text: str, phase: str, incident: str = "") -> str:
        """Wait for the retained alarm in this phase; with ``incident``, for that one alone. The id of its incident."""

        def wanted(alarm: Alarm) -> bool:
            listed = [each.incident for each in alarm.incidents]
            return alarm.phase == phase and (not incident or listed == [incident])

        def detail(alarm: Alarm) -> str:
            return ", ".join(f"incident {each.incident}, class {each.alarm_class}" for each in alarm.incidents)

        alarm = self._message(text, Alarm, wanted, detail)
        return alarm.incidents[0].incident if alarm.incidents else ""

    def _finding(self, code: str, node: str, text: str) -> None:
        """Wait until this is the monitor's only finding of its own; the faults of nodes don't count."""

        def wanted(view: MonitorView) -> bool:
            return [(each.code, each.node) for each in view.findings if each.code.startswith("M")] == [(code, node)]

        def detail(view: MonitorView) -> str:
            return next(
                f"{each.code} {each.text}. Next: {each.next_step}" for each in view.findings if each.code == code
            )

        self._monitor(text, wanted, detail)

    def _fault(self, kind: str, text: str) -> None:
        def detail(event: Event) -> str:
            return f"{event.fault} {FAULTS[event.fault or ''].text}"

        self._message(text, Event, lambda event: event.kind == kind, detail)

    def _done(self, action: str, text: str) -> None:
        self._reply(action, "done", text)


def _health(heartbeat: HeartbeatMessage) -> str:
    inputs = ", ".join(f"{name} {health.state}" for name, health in heartbeat.inputs.items())
    faults = ", ".join(fault.code for fault in heartbeat.faults) or "none"
    return f"{inputs}, faults: {faults}"


def _statuses(view: MonitorView) -> str:
    return ", ".join(f"{name} {status}" for name, status in view.statuses.items())


def _is_well(view: MonitorView) -> bool:
    return not (view.blind or view.findings)
