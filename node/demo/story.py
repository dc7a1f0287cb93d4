"""The whole story without a person: each step waits for what really has to be seen, and tells when it was.

What counts as seen is what a subscriber gets from the broker and what the node's simulated wall shows; never what was
asked for. The first thing that doesn't come within ``PATIENCE_S`` ends the story.
"""

import time
from collections.abc import Callable
from typing import TextIO, TypeVar

from node.core.signals import BUZZER_WAVES, BuzzerPattern
from node.demo.seen import DeskUp, Heard, Inbox, Said, Seen, Shown, StopWanted
from node.demo.stage import Stage
from node.errors import FAULTS
from node.messages import Alarm, Canary, Event, HeartbeatMessage, ReplyMessage, State

PATIENCE_S = 10.0
LAST_WORDS = 12
_LOOK_S = 0.1
_QUIET_S = 3 * max(seconds for level, seconds in BUZZER_WAVES[BuzzerPattern.ALARM] if not level)

M = TypeVar("M", bound=Said)
R = TypeVar("R")


def _health(heartbeat: HeartbeatMessage) -> str:
    inputs = ", ".join(f"{name} {health.state}" for name, health in heartbeat.inputs.items())
    faults = ", ".join(fault.code for fault in heartbeat.faults) or "none"
    return f"{inputs}, faults: {faults}"


class _MissingError(Exception):
    """A step wasn't seen: what was waited for, and why the waiting ended."""


class _StoppedError(Exception):
    """Somebody asked for the end."""


class Story:
    """Plays on a stage of its own; what is seen comes through ``inbox``, and each step is a line on ``stream``."""

    def __init__(self, stage: Stage, inbox: Inbox, stream: TextIO) -> None:
        self._stage = stage
        self._inbox = inbox
        self._stream = stream
        self._seen: list[Seen] = []
        self._scene = 0
        self._steps = 0
        self._node_wanted = self._broker_wanted = False
        self._began_at = time.monotonic()

    def play(self) -> int:
        """All scenes; 0 when every step was seen, 1 with the reason on the stream when one wasn't."""
        try:
            self._start()
            incident = self._press()
            self._end_of(incident, held=True)
            incident = self._press_without_broker()
            self._kill_in_alarm(incident)
            self._end_of(incident, held=False)
            self._stop()
        except _MissingError as missing:
            self._tell(f"MISSING {self._elapsed():5.1f} s  {missing}")
            self._tell("The last lines of the logs:")
            for line in self._stage.last_words(LAST_WORDS):
                self._tell(f"  {line}")
            self._tell(f"{self._steps} steps seen, then one was missing")
            return 1
        except _StoppedError:
            self._tell(f"stopped after {self._steps} steps")
            return 1
        self._tell(f"{self._steps} steps seen in {self._elapsed():.1f} s")
        return 0

    def _start(self) -> None:
        self._begin("A private broker, the guard's desk, and a node on simulated pins")
        self._start_broker()
        self._stage.desk.start()
        self._desk_up()
        self._stage.node.start()
        self._node_wanted = True
        self._shown("the lamp says: ready", output="lamp", pattern="ready")
        self._heard("the node was born", State, lambda state: state.state == "online", lambda it: f"boot {it.boot}")
        self._heard("its canary passed, so it hears its own branch", Canary)
        self._heard("its heartbeat came", HeartbeatMessage, detail=_health)
        self._done("probe", "the guard's desk probed the birth: done, so commands reach the node")

    def _press(self) -> str:
        self._begin("Somebody presses the button")
        self._stage.node.say("button press")
        self._shown("the buzzer sounds", output="buzzer", level=True)
        self._shown("the ladder says: pressed", ladder="pressed")
        self._shown("the lamp says: calling", output="lamp", pattern="calling")
        incident = self._alarm("the press reached the broker", "active")
        self._pressed_event(incident)
        self._shown("the ladder says: stored on the disk", ladder="stored")
        self._shown("the ladder says: accepted by the broker", ladder="accepted")
        self._shown("the guard's desk sent its receipt, the ladder says: received", ladder="received")
        self._shown("the lamp says: received", output="lamp", pattern="received")
        self._alarm("the building sees it as received", "received", incident)
        return incident

    def _end_of(self, incident: str, *, held: bool) -> None:
        self._begin("The guard's desk acknowledges, and ends the incident")
        self._command("acknowledge", incident)
        self._done("acknowledge", "the acknowledgement is done")
        self._shown("the lamp says: somebody is coming", output="lamp", pattern="acknowledged")
        self._alarm("the building sees it as acknowledged", "acknowledged", incident)
        if held:
            self._command("reset", incident)
            self._reply("reset", "refused", "a reset is refused while the button is held")
            self._stage.node.say("button release")
            self._heard("the button was released", Event, lambda event: event.kind == "restored")
            self._begin()
        self._command("reset", incident)
        self._done("reset", "the reset is done")
        self._shown("the lamp says: ready", output="lamp", pattern="ready")
        self._alarm("the building sees no alarm any more", "normal")
        self._silence("the buzzer is silent")

    def _press_without_broker(self) -> str:
        self._begin("The broker goes away, and somebody presses")
        self._broker_wanted = False
        self._stage.broker.stop()
        self._shown("the lamp says: a fault (slow and even)", output="lamp", pattern="nobody")
        self._begin()
        self._stage.node.say("button press")
        self._shown("the buzzer sounds all the same", output="buzzer", level=True)
        self._shown("the ladder says: pressed", ladder="pressed")
        self._shown("the lamp says: calling", output="lamp", pattern="calling")
        self._shown("the ladder says: stored on the disk", ladder="stored")
        self._stage.node.say("button release")
        self._begin("The broker comes back")
        self._start_broker()
        self._desk_up()
        incident = self._alarm("the press reached the broker", "active")
        self._pressed_event(incident)
        self._shown("the ladder says: received", ladder="received")
        self._shown("the lamp says: received", output="lamp", pattern="received")
        self._fault("fault-raised", "the fault was kept for the building")
        self._fault("fault-cleared", "the fault is over")
        self._heard("the button was released", Event, lambda event: event.kind == "restored")
        return incident

    def _kill_in_alarm(self, incident: str) -> None:
        self._begin("The node is killed in the middle of the alarm (kill -9), and starts again")
        self._node_wanted = False
        self._stage.node.kill()
        self._heard("the broker tells the node's will: lost", State, lambda state: state.state == "lost")
        self._begin()
        self._stage.node.start()
        self._node_wanted = True
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
        self._done("probe", "the guard's desk probed the birth: done")

    def _stop(self) -> None:
        self._begin("The node is stopped")
        self._node_wanted = False
        self._stage.node.say("quit")
        self._heard("it says goodbye: offline", State, lambda it: it.state == "offline", lambda it: it.reason or "")
        code = self._stage.node.wait(PATIENCE_S)
        if code != 0:
            raise _MissingError(
                f"its process has ended with code 0: it has {'not ended' if code is None else f'{code}'}"
            )
        self._ok("its process has ended with code 0", time.monotonic())

    def _start_broker(self) -> None:
        if not self._stage.broker.start():
            raise _MissingError("a private broker answers: it doesn't start")
        self._broker_wanted = True
        self._ok("a private broker answers", time.monotonic(), f"127.0.0.1:{self._stage.broker.port}")

    def _desk_up(self) -> None:
        def found() -> tuple[float, None] | None:
            return next(((each.at, None) for each in self._seen[self._scene :] if isinstance(each, DeskUp)), None)

        at, _ = self._wait("the guard's desk listens", found)
        self._ok("the guard's desk listens", at)

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

    def _fault(self, kind: str, text: str) -> None:
        def detail(event: Event) -> str:
            return FAULTS[event.fault or ""].text

        self._heard(text, Event, lambda event: event.kind == kind, lambda event: f"{event.fault} {detail(event)}")

    def _command(self, action: str, incident: str) -> None:
        self._stage.desk.command(action, incident=incident)

    def _done(self, action: str, text: str) -> None:
        self._reply(action, "done", text)

    def _reply(self, action: str, outcome: str, text: str) -> None:
        self._heard(
            text,
            ReplyMessage,
            lambda reply: (reply.id or "").startswith(f"{action}-") and reply.outcome == outcome,
            lambda reply: reply.reason or "",
        )

    def _heard(
        self,
        text: str,
        kind: type[M],
        wanted: Callable[[M], bool] = lambda message: True,
        detail: Callable[[M], str] = lambda message: "",
    ) -> M:
        """Wait for a message of this scene at the subscriber."""

        def found() -> tuple[float, M] | None:
            for each in self._seen[self._scene :]:
                if isinstance(each, Heard) and isinstance(each.message, kind) and wanted(each.message):
                    return each.at, each.message
            return None

        at, message = self._wait(text, found)
        self._ok(text, at, detail(message))
        return message

    def _shown(self, text: str, **fields: object) -> None:
        """Wait for a line of this scene from the wall."""

        def found() -> tuple[float, None] | None:
            for each in self._seen[self._scene :]:
                if isinstance(each, Shown) and fields.items() <= each.fields.items():
                    return each.at, None
            return None

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _silence(self, text: str) -> None:
        """Wait until the buzzer has been off for longer than its pattern ever is."""

        def found() -> tuple[float, None] | None:
            levels = [each for each in self._seen if isinstance(each, Shown) and each.fields.get("output") == "buzzer"]
            quiet = levels and not levels[-1].fields["level"] and time.monotonic() > levels[-1].at + _QUIET_S
            return (levels[-1].at, None) if quiet else None

        at, _ = self._wait(text, found)
        self._ok(text, at)

    def _wait(self, text: str, found: Callable[[], tuple[float, R] | None]) -> tuple[float, R]:
        """Take what is seen until ``found`` is content; _MissingError when it never is, or can't be any more."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            lost = self._lost()
            self._take()
            what = found()
            if what is not None:
                return what
            if lost:
                raise _MissingError(f"{text}: {lost}")
            if time.monotonic() > deadline:
                raise _MissingError(f"{text}: waited {PATIENCE_S:g} s for it")

    def _lost(self) -> str:
        """What has ended that should be running."""
        if self._broker_wanted and not self._stage.broker.running:
            return "the broker has ended by itself"
        if self._node_wanted and not self._stage.node.running:
            return "the node has ended by itself"
        return ""

    def _take(self, timeout_s: float = _LOOK_S) -> None:
        taken = self._inbox.take(timeout_s)
        if any(isinstance(each, StopWanted) for each in taken):
            raise _StoppedError
        self._seen += taken

    def _begin(self, title: str = "") -> None:
        """From here on only what is seen from now on counts."""
        self._take(0.0)
        self._scene = len(self._seen)
        if title:
            self._tell(f"   {title}")

    def _ok(self, text: str, at: float, detail: str = "") -> None:
        self._steps += 1
        told = f"{text}: {detail}" if detail else text
        self._tell(f"ok {at - self._began_at:5.1f} s  {told}")

    def _elapsed(self) -> float:
        return time.monotonic() - self._began_at

    def _tell(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
