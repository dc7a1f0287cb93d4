"""The whole story without a person, scene by scene."""

import time

from node.demo.observe.observations import Fleet
from node.demo.processes.programs import Node
from node.demo.story.steps import MONITOR_PATIENCE_S, PATIENCE_S, MissingError, Play, StoppedError
from node.errors.faults import FAULTS
from node.protocol.messages import Alarm, Canary, Event, HeartbeatMessage, State

LAST_WORDS = 12


def _health(heartbeat: HeartbeatMessage) -> str:
    inputs = ", ".join(f"{name} {health.state}" for name, health in heartbeat.inputs.items())
    faults = ", ".join(fault.code for fault in heartbeat.faults) or "none"
    return f"{inputs}, faults: {faults}"


def _statuses(fleet: Fleet) -> str:
    return ", ".join(f"{name} {status}" for name, status in fleet.statuses.items())


def _all_well(fleet: Fleet) -> bool:
    return not (fleet.blind or fleet.findings)


class Story(Play):
    """All scenes in their order."""

    def play(self) -> int:
        """Play them; 0 when every step was seen, 1 with the reason on the stream when one wasn't."""
        try:
            self._start()
            incident = self._press()
            self._end_of(incident, held=True)
            incident = self._press_without_broker()
            self._kill_in_alarm(incident)
            self._end_of(incident, held=False)
            self._walk_test()
            self._stop()
        except MissingError as missing:
            self._tell(f"MISSING {self._elapsed():5.1f} s  {missing}")
            self._tell("The last lines of the logs:")
            for line in self._stage.last_words(LAST_WORDS):
                self._tell(f"  {line}")
            self._tell(f"{self._steps} steps seen, then one was missing")
            return 1
        except StoppedError:
            self._tell(f"stopped after {self._steps} steps")
            return 1
        self._tell(f"{self._steps} steps seen in {self._elapsed():.1f} s")
        return 0

    @property
    def _node(self) -> Node:
        """The one that the scene is about."""
        return self._stage.nodes[self._at]

    def _start(self) -> None:
        first, *others = self._stage.nodes
        self._begin("A private broker, the monitor, and three nodes on simulated pins")
        self._start_broker()
        self._stage.watch()
        self._wanted.add("monitor")
        self._watching("an onlooker hears all that passes")
        self._building("the monitor listens", lambda fleet: not fleet.blind, patience_s=MONITOR_PATIENCE_S)
        for name, each in self._stage.nodes.items():
            each.start()
            self._wanted.add(name)
        self._shown("the lamp says: ready", output="lamp", pattern="ready")
        self._heard("the node was born", State, lambda state: state.state == "online", lambda it: f"boot {it.boot}")
        self._heard("its canary passed, so it hears its own branch", Canary)
        self._heard("its heartbeat came", HeartbeatMessage, detail=_health)
        self._done("probe", "the monitor probed the birth: done, so commands reach the node")
        for self._at in others:
            room = self._node.room
            self._done("probe", f"so it is with {self._at} (class {room.alarm_class}, {room.tells_words})")
        self._at = first
        self._building("the monitor shows all as up", lambda fleet: {*fleet.statuses.values()} == {"up"}, _statuses)

    def _press(self) -> str:
        self._begin(f"Somebody presses the button of {self._at}")
        self._node.say("button press")
        self._shown("the buzzer sounds", output="buzzer", level=True)
        self._shown("the ladder says: pressed", ladder="pressed")
        self._shown("the lamp says: calling", output="lamp", pattern="calling")
        incident = self._alarm("the press reached the broker", "active")
        self._pressed_event(incident)
        self._shown("the ladder says: stored on the disk", ladder="stored")
        self._shown("the ladder says: accepted by the broker", ladder="accepted")
        self._shown("the monitor holds it, the ladder says: held", ladder="held")
        self._shown("the monitor has told people, the ladder says: told", ladder="told")
        self._shown("the lamp says: received", output="lamp", pattern="received")
        self._alarm("the building sees it as received", "received", incident)
        return incident

    def _end_of(self, incident: str, *, held: bool) -> None:
        self._begin("A person at the guard's desk acknowledges, and ends the incident")
        self._stage.monitor.acknowledge(self._at, incident)
        self._done("acknowledge", "the acknowledgement is done")
        self._shown("the lamp says: somebody is coming", output="lamp", pattern="acknowledged")
        self._alarm("the building sees it as acknowledged", "acknowledged", incident)
        if held:
            self._stage.monitor.reset(self._at, incident)
            self._reply("reset", "refused", "a reset is refused while the button is held")
            self._node.say("button release")
            self._heard("the button was released", Event, lambda event: event.kind == "restored")
            self._begin()
        self._stage.monitor.reset(self._at, incident)
        self._done("reset", "the reset is done")
        self._shown("the lamp says: ready", output="lamp", pattern="ready")
        self._alarm("the building sees no alarm any more", "normal")
        self._silence("the buzzer is silent")

    def _press_without_broker(self) -> str:
        self._begin("The broker goes away, and somebody presses")
        self._wanted.discard("broker")
        # Not stopped in order: a mosquitto that is tells every node's will first, as if the nodes had gone.
        self._stage.broker.kill()
        self._shown("the lamp says: a fault (slow and even)", output="lamp", pattern="nobody")
        self._found("M008", "", "the monitor finds it, once and not for each node")
        self._begin()
        self._node.say("button press")
        self._shown("the buzzer sounds all the same", output="buzzer", level=True)
        self._shown("the ladder says: pressed", ladder="pressed")
        self._shown("the lamp says: calling", output="lamp", pattern="calling")
        self._shown("the ladder says: stored on the disk", ladder="stored")
        self._node.say("button release")
        self._begin("The broker comes back")
        self._start_broker()
        self._watching("an onlooker hears all that passes")
        incident = self._alarm("the press reached the broker", "active")
        self._pressed_event(incident)
        self._shown("the ladder says: told", ladder="told")
        self._shown("the lamp says: received", output="lamp", pattern="received")
        self._fault("fault-raised", "the fault was kept for the building")
        self._fault("fault-cleared", "the fault is over")
        self._heard("the button was released", Event, lambda event: event.kind == "restored")
        self._building("the monitor finds nothing any more", _all_well, _statuses)
        here = self._at
        for name in [each for each in self._stage.nodes if each != here]:
            self._at = name  # whoever isn't back yet misses what is asked of it next
            self._heard(f"{name} is back, too", State, lambda it: it.state == "online" and it.session > 1)
        self._at = here
        return incident

    def _kill_in_alarm(self, incident: str) -> None:
        self._begin("The node is killed in the middle of the alarm (kill -9), and starts again")
        self._wanted.discard(self._at)
        self._node.kill()
        self._heard("the broker tells the node's will: lost", State, lambda state: state.state == "lost")
        self._found("M001", self._at, "the monitor finds it")
        self._begin()
        self._node.start()
        self._wanted.add(self._at)
        self._shown("the buzzer sounds again", output="buzzer", level=True)
        self._shown("the lamp says: received", output="lamp", pattern="received")
        self._heard("the node was born again", State, lambda it: it.state == "online", lambda it: f"boot {it.boot}")
        self._heard(
            "its first event names the last one of the boot before",
            Event,
            lambda event: event.kind == "started" and event.previous is not None,
            lambda event: "" if event.previous is None else f"{event.previous.boot}-{event.previous.seq}",
        )
        self._alarm("the same incident is still in alarm", "received", incident)
        self._done("probe", "the monitor probed the birth: done")
        self._building("the monitor finds nothing any more", _all_well, _statuses)

    def _walk_test(self) -> None:
        first, self._at, *_ = self._stage.nodes  # a button that was pressed in the last minutes has no test
        self._begin(f"A walk test; somebody presses the button of {self._at} for it")
        self._stage.monitor.begin_walk_test()
        self._done("walk-test", "the walk test holds")
        self._shown("the lamp says: walk test", output="lamp", pattern="walk-test")
        self._begin()
        self._node.say("button tap 200")
        self._heard("the first tap is a test", Event, lambda event: event.kind == "tested")
        self._heard(
            "the monitor confirmed it",
            Event,
            lambda event: event.kind == "test-confirmed",
            lambda event: f"{(event.for_s or 0.0) * 1000:.0f} ms after the press",
        )
        self._shown("the buzzer chirps", output="buzzer", level=True)
        self._shown("the lamp says: received", output="lamp", pattern="received")
        self._begin()
        self._shown("the lamp says: walk test, as before", output="lamp", pattern="walk-test")
        self._begin()
        self._node.say("button tap 200")
        incident = self._alarm("a second tap is real", "active")
        self._shown("the ladder says: told", ladder="told")
        self._heard("the button was released", Event, lambda event: event.kind == "restored")
        self._begin()
        self._stage.monitor.acknowledge(self._at, incident)
        self._done("acknowledge", "the acknowledgement is done")
        self._stage.monitor.reset(self._at, incident)
        self._done("reset", "the reset is done")
        self._stage.monitor.end_walk_test()
        self._done("walk-test-end", "the walk test has ended")
        self._shown("the lamp says: ready", output="lamp", pattern="ready")
        self._at = first

    def _stop(self) -> None:
        self._begin("The node is stopped")
        self._wanted.discard(self._at)
        self._node.say("quit")
        self._heard("it says goodbye: offline", State, lambda it: it.state == "offline", lambda it: it.reason or "")
        code = self._node.wait(PATIENCE_S)
        if code != 0:
            raise MissingError(
                f"its process has ended with code 0: it has {'not ended' if code is None else f'{code}'}"
            )
        self._ok("its process has ended with code 0", time.monotonic())
        self._building(
            "the monitor shows it as down, and finds nothing: it was planned",
            lambda fleet: fleet.statuses.get(self._at) == "down" and not fleet.findings,
            _statuses,
        )

    def _start_broker(self) -> None:
        if not self._stage.broker.start():
            raise MissingError("a private broker answers: it doesn't start")
        self._wanted.add("broker")
        self._ok("a private broker answers", time.monotonic(), f"127.0.0.1:{self._stage.broker.port}")

    def _pressed_event(self, incident: str) -> None:
        self._heard(
            "its event came",
            Event,
            lambda event: event.kind == "pressed" and event.incident == incident,
            lambda event: f"{event.boot}-{event.seq}, {event.age_ms} ms old",
        )

    def _alarm(self, text: str, phase: str, incident: str = "") -> str:
        """Wait for the retained alarm in this phase, with this incident alone where one is given; its incident."""

        def wanted(alarm: Alarm) -> bool:
            listed = [each.incident for each in alarm.incidents]
            return alarm.phase == phase and (not incident or listed == [incident])

        def detail(alarm: Alarm) -> str:
            return ", ".join(f"incident {each.incident}, class {each.alarm_class}" for each in alarm.incidents)

        alarm = self._heard(text, Alarm, wanted, detail)
        return alarm.incidents[0].incident if alarm.incidents else ""

    def _found(self, code: str, node: str, text: str) -> None:
        """Wait until this, and nothing else of its kind, is what the monitor finds."""

        def wanted(fleet: Fleet) -> bool:
            return [(each.code, each.node) for each in fleet.findings if each.code.startswith("M")] == [(code, node)]

        def detail(fleet: Fleet) -> str:
            return next(
                f"{each.code} {each.text}. Next: {each.next_step}" for each in fleet.findings if each.code == code
            )

        self._building(text, wanted, detail)

    def _fault(self, kind: str, text: str) -> None:
        def detail(event: Event) -> str:
            return FAULTS[event.fault or ""].text

        self._heard(text, Event, lambda event: event.kind == kind, lambda event: f"{event.fault} {detail(event)}")

    def _done(self, action: str, text: str) -> None:
        self._reply(action, "done", text)
