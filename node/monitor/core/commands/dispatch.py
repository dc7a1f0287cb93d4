"""Commands that people send to the monitor and its nodes, and the answers to them.

If a node can't take an acknowledgement (it is away, or doesn't know the incident), the monitor notes it here: somebody
is coming, so nobody else needs to be called. The answer says that the lamp doesn't show it. The acknowledgement is
refused if somebody pressed again meanwhile, because its author hasn't seen that press. If a node can't take an end (it
is down, or doesn't know the incident), the monitor notes that here, too. It asks the node for both again once the node
is back (resync.py). Everything else only the node can do. It is also asked about an incident that is open at the node
only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from math import inf
from typing import Any, assert_never

from node.errors.faults import INPUT_UNREADABLE, OUTPUT_FAILED
from node.monitor.core.commands.walk_tests import WalkTests
from node.monitor.core.decisions.ledger import Ledger, Moment, Respond, SendCommand, ends_utc
from node.monitor.core.incidents.known.reported import Reported
from node.monitor.core.incidents.lifecycle import Incidents
from node.monitor.core.incidents.resync import Resync
from node.monitor.core.model.records import FindingKey, IncidentKey, NodeKey, Pause, Status
from node.monitor.core.model.requests import (
    Acknowledge,
    Answer,
    EndWalkTest,
    Forget,
    Identify,
    NodeRequest,
    Outcome,
    PauseNode,
    Replaced,
    Request,
    Reset,
    Resume,
    Silence,
    StartWalkTest,
)
from node.monitor.core.nodes.node import Tracked
from node.monitor.core.nodes.node_supervision import Fleet
from node.protocol.messages import ReplyMessage

ANSWER_S = 5.0
PAUSE_S = (60.0, 30 * 86400.0)
PENDING_LIMIT = 1_000
AGAIN_S = 10.0
"""How often a node is asked again for what was noted only here."""

_OUTPUTS = ("buzzer", "lamp")
"""What a node shows where it is with: the subjects of OUTPUT_FAILED."""

_UNKNOWN_THERE = "no-such-incident"
_NOT_SHOWN = "noted-here-but-not-at-the-wall"


@dataclass(slots=True)
class _Pending:
    number: int | None
    request: Request
    node: NodeKey
    due: float
    presses: int = 0


class Dispatch:
    """The requests that wait for a node's answer. ``boot`` makes the ids of commands differ from those of other runs.

    ``forget`` removes everything of a node, or returns why not.
    """

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        incidents: Incidents,
        walks: WalkTests,
        reported: Reported,
        resync: Resync,
        forget: Callable[[Moment, NodeKey], Answer],
        boot: str,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._incidents = incidents
        self._walk_tests = walks
        self._reported = reported
        self._resync = resync
        self._forget = forget
        self._asked: dict[IncidentKey, float] = {}
        self._boot = boot
        self._numbers = count(1)
        self._pending: dict[str, _Pending] = {}

    def ask(self, now: Moment, number: int, request: NodeRequest) -> None:
        """Do what is asked, or ask the node for it. The answer is a Respond with this number."""
        match request:
            case Acknowledge() | Reset() | Silence():
                self._about_incident(now, number, request)
            case Identify():
                tracked = self._fleet.nodes.get(request.node)
                if tracked is None:
                    self._answer(number, "unknown", "no-such-node")
                else:
                    self._command(now, number, request, tracked, "identify", for_s=request.for_s)
            case PauseNode():
                self._pause(now, number, request)
            case Resume():
                tracked = self._fleet.nodes.get(request.node)
                if tracked is None:
                    self._answer(number, "unknown", "no-such-node")
                elif self._fleet.resume(now, tracked):
                    self._answer(number, "done")
                else:
                    self._answer(number, "refused", "not-paused")
            case StartWalkTest():
                self._respond(number, self._walk_tests.start(now, request))
            case EndWalkTest():
                self._respond(number, self._walk_tests.end(now, request))
            case Forget():
                self._respond(number, self._forget(now, request.node))
            case _:
                assert_never(request)

    def probe(self, node: NodeKey, boot: str) -> str:
        """Send a node a probe, which shows whether commands reach it. Returns the command's id."""
        return self._send(node, boot, "monitor", "probe")

    def reply(self, now: Moment, node: NodeKey, reply: ReplyMessage) -> None:
        """Take a node's answer to a command."""
        pending = self._pending.get(reply.id or "")
        if pending is None or pending.node != node:
            return
        del self._pending[reply.id or ""]
        reason = (reply.reason or "")[:200]
        if pending.number is None and isinstance(pending.request, Acknowledge | Reset):
            if reply.outcome != "done":
                self._resync.refused(pending.request.incident)
            return  # the node's list says whether it did it
        match pending.request:
            case Identify(key) if reply.outcome == "done":
                self._identified(pending.number, key)
            case _ if reply.outcome == "done":
                self._answer(pending.number, "done")
            case Acknowledge() if reason == "already-acknowledged":
                self._answer(pending.number, "done", reason)
            case Acknowledge() if reason == _UNKNOWN_THERE:
                self._note(now, pending, "done", "only-here")
            case Reset(incident, by, why) if reason == _UNKNOWN_THERE:
                self._incidents.reset_here(now, incident, by, why)
                self._answer(pending.number, "done", "only-here")
            case Reset(incident) if reason == "input-unknown" and self._is_unreadable(incident):
                self._answer(pending.number, "refused", "input-unreadable")
            case _:
                self._answer(pending.number, "refused", reason)

    def time_passed(self, now: Moment) -> None:
        """Give up on answers that are overdue, and repeat what nodes have to be asked again."""
        for command_id, pending in list(self._pending.items()):
            if pending.due <= now.at:
                del self._pending[command_id]
                if pending.number is not None:
                    self._note(now, pending, "unanswered", _NOT_SHOWN)
        asked = {}
        for request in self._resync.due(now):
            key = request.incident
            asked[key] = self._asked.get(key, -inf)
            tracked = self._fleet.nodes.get(key.of)
            if tracked is not None and asked[key] + AGAIN_S <= now.at:
                asked[key] = now.at
                self._command_about(now, None, request, tracked)
        self._asked = asked

    def _about_incident(self, now: Moment, number: int, request: Acknowledge | Reset | Silence) -> None:
        opened = self._incidents.open.get(request.incident)
        tracked = self._fleet.nodes.get(request.incident.of)
        if opened is None and self._reported.get(request.incident) is None:
            self._answer(number, "unknown", _UNKNOWN_THERE)
        elif tracked is not None and tracked.status is not Status.DOWN and tracked.boot:
            self._command_about(now, number, request, tracked)
        elif opened is None:
            self._answer(number, "unanswered", "the-node-does-not-answer")
        else:
            seen = _Pending(number, request, request.incident.of, now.at, opened.record.presses)
            self._node_is_away(now, seen, request)

    def _command_about(
        self, now: Moment, number: int | None, request: Acknowledge | Reset | Silence, tracked: Tracked
    ) -> None:
        """Send along how many presses the author saw, so that a command can't hide a press that comes later."""
        arguments: dict[str, Any] = {"incident": request.incident.incident}
        if not isinstance(request, Silence):
            opened, listed = self._incidents.open.get(request.incident), self._reported.get(request.incident)
            seen = opened.record if opened is not None else listed
            arguments["presses"] = 0 if seen is None else seen.presses
        if isinstance(request, Reset):
            arguments["reason"] = request.reason
        self._command(now, number, request, tracked, _ACTIONS[type(request)], **arguments)

    def _node_is_away(self, now: Moment, pending: _Pending, request: Acknowledge | Reset | Silence) -> None:
        if isinstance(request, Reset):
            self._incidents.reset_here(now, request.incident, request.by, request.reason)
            self._resync.ended_here(request)
            self._answer(pending.number, "done", "only-here")
        else:
            self._note(now, pending, "unanswered", _NOT_SHOWN)

    def _note(self, now: Moment, pending: _Pending, outcome: Outcome, reason: str) -> None:
        """Note here what the node doesn't take, if it is an acknowledgement that covers all presses."""
        request = pending.request
        if not isinstance(request, Acknowledge):
            self._answer(pending.number, "unanswered", "the-node-does-not-answer")
            return
        opened = self._incidents.open.get(request.incident)
        if opened is not None and opened.record.presses > pending.presses:
            self._answer(pending.number, "refused", "pressed-again")
            return
        self._incidents.acknowledge_here(now, request.incident, request.by)
        self._answer(pending.number, outcome, reason)

    def _is_unreadable(self, incident: IncidentKey) -> bool:
        """Whether the node reports that it can't read the input of this incident: waiting won't help then."""
        opened, listed = self._incidents.open.get(incident), self._reported.get(incident)
        known = opened.record if opened is not None else listed
        key = FindingKey(INPUT_UNREADABLE.code, *incident.of, "" if known is None else known.input)
        return key in self._ledger.open

    def _identified(self, number: int | None, node: NodeKey) -> None:
        """The node signals, as far as its buzzer and its lamp can be switched."""
        failed = {each for each in _OUTPUTS if FindingKey(OUTPUT_FAILED.code, *node, each) in self._ledger.open}
        if len(failed) == len(_OUTPUTS):
            self._answer(number, "refused", "outputs-failed")
        else:
            self._answer(number, "done", f"{failed.pop()}-failed" if failed else "")

    def _pause(self, now: Moment, number: int, request: PauseNode) -> None:
        tracked = self._fleet.nodes.get(request.node)
        if tracked is None:
            self._answer(number, "unknown", "no-such-node")
        elif not PAUSE_S[0] <= request.for_s <= PAUSE_S[1]:
            self._answer(number, "refused", f"for_s must be from {PAUSE_S[0]:g} to {PAUSE_S[1]:g}")
        else:
            until = now.utc + timedelta(seconds=request.for_s)
            pause = Pause(node=request.node, by=request.by, reason=request.reason, since_utc=now.utc, until_utc=until)
            before = tracked.pause
            replaces = None
            if before is not None:
                replaces = Replaced(before.by, ends_utc(now, tracked.pause_ends, before.until_utc))
            self._fleet.pause(now, tracked, pause)
            self._respond(number, Answer("done", until=until, replaces=replaces))

    def _command(
        self, now: Moment, number: int | None, request: Request, tracked: Tracked, action: str, **arguments: Any
    ) -> None:
        if len(self._pending) >= PENDING_LIMIT:
            self._answer(number, "refused", "too-many-requests")
            return
        command_id = self._send(tracked.key, tracked.boot, request.by, action, **arguments)
        self._pending[command_id] = _Pending(
            number, request, tracked.key, now.at + ANSWER_S, arguments.get("presses", 0)
        )

    def _send(self, node: NodeKey, boot: str, by: str, action: str, **arguments: Any) -> str:
        command_id = f"{self._boot}-{next(self._numbers)}"
        self._ledger.out.says.append(SendCommand(node, command_id, boot, by, action, arguments))
        return command_id

    def _answer(self, number: int | None, outcome: Outcome, reason: str = "") -> None:
        if number is not None:
            self._respond(number, Answer(outcome, reason))

    def _respond(self, number: int, answer: Answer) -> None:
        self._ledger.out.says.append(Respond(number, answer))


_ACTIONS: dict[type[Request], str] = {Acknowledge: "acknowledge", Reset: "reset", Silence: "silence"}
