"""What came of what was asked, in people's words: done, perhaps with a note, or a problem with its next step.

The deciding thread's and the nodes' own words stay beside them in brackets, for tools and for the search in a log.
"""

from http import HTTPStatus
from typing import assert_never

from msgspec.structs import replace

from node.monitor.api.operations.representations import Done
from node.monitor.api.problems import ProblemError
from node.monitor.core.commands.requests import Acknowledge, Answer, Request, Reset, TryTarget

UNHEARD_OF = ("the node refuses for a reason that this monitor doesn't know", "see at the node why: alarm-node log")
UNSAID = ("the node refuses, and says no reason", "see at the node why: alarm-node log")

REFUSALS = {
    "input-active": ("the button is still pressed, or the door open", "see to it there, then reset again"),
    "input-fault": ("a wire at the button is broken", "mend it, then reset again: alarm-node check at the node"),
    "input-unknown": ("the node doesn't know yet whether the button is pressed", "wait some seconds, then reset again"),
    "pressed-again": ("somebody has pressed once more meanwhile", "see what is open: alarm-monitor status"),
    "not-sounding": ("nothing sounds there", "nothing needs doing"),
    "no-buzzer": ("that node has no buzzer", "look for its lamp"),
    "silent-incident-open": ("a silent alarm is open there, which no sound may betray", "end the alarm first"),
    "not-isolated": ("that target isn't isolated", "nothing needs doing"),
    "being-tried": ("that target is being sent a test message already", "wait half a minute, then try again"),
    "not-paused": ("that node isn't paused", "nothing needs doing"),
    "in-the-roster": (
        "nodes.toml lists that node",
        "take it out there, then: systemctl restart alarm-monitor; and forget it after that",
    ),
    "still-speaks": (
        "that node still speaks",
        "switch it off, or give it its other name first; 20 s later it can be forgotten",
    ),
    "alarm-open": ("an alarm of that node is open", "end it first: alarm-monitor reset"),
    "all-these-nodes-are-down": (
        "none of these nodes is heard now, or all are paused",
        "see why: alarm-monitor status",
    ),
    "too-many-nodes": (
        "more nodes are meant than somebody can walk to",
        "take a floor at a time: alarm-monitor walk-test start --site SITE --floor FLOOR",
    ),
    "no-such-incident": ("the node doesn't know this alarm", "see what is open: alarm-monitor status"),
    "unknown-action": ("the node is older than this command", "bring it to the monitor's version"),
    "no-expiry": (
        "the command reached the node without its expiry",
        "see what takes it off, a bridge between the brokers for one: M038 in OPERATIONS.md",
    ),
    "expiry-too-long": (
        "the command reached the node with a wrong expiry",
        "see what changes it: the broker, a bridge",
    ),
    "retained": (
        "the command reached the node as one that a broker had kept",
        "see what keeps it: the broker, a bridge between",
    ),
    "other-boot": ("the node has started anew meanwhile", "see what is open, then try again: alarm-monitor status"),
    "stopping": ("the node is being stopped", "ask whoever works on it"),
    "too-many-requests": ("too much is asked at once", "wait some seconds, then try again"),
}
"""Why a node or the decider refuses, and what to do."""

NOTES: dict[tuple[type[Request], str], str] = {
    (Acknowledge, "already-acknowledged"): "somebody had said so before",
    (Acknowledge, "only-here"): "noted here alone: the node doesn't know this alarm, and its lamp doesn't show it",
    (Reset, "only-here"): "ended here alone: the node is told once it is back. Until then go there: it may be in alarm",
}
"""What is done, and not as whoever asked would take it. Commands say it in people's own language (locale/)."""


UNSTORED = "in memory alone, as the history can't be written now: if the monitor ends before it can, this is forgotten"
"""What is done, and not stored."""


def told(request: Request, answer: Answer) -> Done:
    """What to say of something that is done; ProblemError where it isn't."""
    match answer.outcome:
        case "done":
            note = NOTES.get((type(request), answer.reason), answer.reason) if answer.stored else UNSTORED
            made = Done(id=answer.id, note=note, until=answer.until)
            if answer.replaces is None:
                return made
            return replace(made, replaced_by=answer.replaces.by, replaced_until=answer.replaces.until)
        case "refused" if isinstance(request, TryTarget) and answer.reason not in REFUSALS:
            raise ProblemError(HTTPStatus.BAD_GATEWAY, answer.reason, "mend its URL or its server, then test it again")
        case "refused":
            text, next_step = REFUSALS.get(answer.reason, UNHEARD_OF if answer.reason else UNSAID)
            detail = f"refused: {text} ({answer.reason})" if answer.reason else f"refused: {text}"
            raise ProblemError(HTTPStatus.CONFLICT, detail, next_step)
        case "unanswered" if isinstance(request, Acknowledge):
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                "the node doesn't answer: it is noted here that somebody is coming; its lamp shows it once it is back",
                "go there, as nobody else is called for it now",
            )
        case "unanswered":
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                "the node was asked and doesn't answer; it may still be done",
                "go there, or see whether the node is down: alarm-monitor status",
            )
        case "unknown":
            raise ProblemError(
                HTTPStatus.NOT_FOUND, "there is no such node, incident or walk test", "look at what there is now"
            )
        case _:
            assert_never(answer.outcome)
