"""What came of what was asked, in people's words: done, perhaps with a note, or a problem with its next step.

The deciding thread's and the nodes' own words stay beside them in brackets, for tools and for the search in a log.
"""

from http import HTTPStatus
from typing import assert_never

from msgspec.structs import replace

from node.monitor.api.operations.representations import Done
from node.monitor.api.problems import ProblemError
from node.monitor.core.model.requests import Acknowledge, Answer, Identify, Request, Reset, TryTarget

UNHEARD_OF = (
    "the node refuses for a reason that this monitor doesn't know",
    "look up the reason at the node: sudo alarm-node log",
)
UNSAID = ("the node refuses and gives no reason", "look up the reason at the node: sudo alarm-node log")

REFUSALS = {
    "input-active": ("the button is still pressed, or the door open", "check it there, then reset again"),
    "input-fault": (
        "a wire at the button is broken",
        "repair it (sudo alarm-node check at the node shows it), then reset again",
    ),
    "input-unknown": ("the node doesn't know yet whether the button is pressed", "wait some seconds, then reset again"),
    "input-unreadable": (
        "the button can't be read (F001), so the node can't know that it is released",
        "go there, repair the input, then reset again",
    ),
    "outputs-failed": (
        "lamp and buzzer can't be switched (F003): you would see and hear nothing",
        "find the node by its place: alarm-monitor status",
    ),
    "pressed-again": ("somebody has pressed again in the meantime", "list what is open: alarm-monitor status"),
    "not-sounding": ("nothing sounds there", "nothing needs doing"),
    "no-buzzer": ("that node has no buzzer", "look for its lamp"),
    "silent-incident-open": ("a silent alarm is open there, and a sound would betray it", "end the alarm first"),
    "not-isolated": ("that target isn't isolated", "nothing needs doing"),
    "being-tried": ("a test message is already on its way to this target", "wait half a minute, then try again"),
    "not-paused": ("that node isn't paused", "nothing needs doing"),
    "in-the-roster": (
        "this node is still listed in nodes.toml",
        "remove it there, then: sudo systemctl restart alarm-monitor; then repeat this command",
    ),
    "in-the-last-roster": (
        "nodes.toml can't be used (M032): the monitor still uses its last copy, which lists this node",
        "correct the lines that sudo alarm-monitor check lists, then: sudo systemctl restart alarm-monitor",
    ),
    "still-speaks": (
        "this node still sends messages",
        "switch it off or rename it, wait 20 s, then repeat this command",
    ),
    "alarm-open": ("an alarm of that node is open", "end it first: alarm-monitor reset"),
    "all-these-nodes-are-down": (
        "none of these nodes is heard now, or all are paused",
        "look up the reason: alarm-monitor status",
    ),
    "too-many-nodes": (
        "these are more nodes than one walk test may have",
        "test one floor at a time: alarm-monitor walk-test start --site SITE --floor FLOOR",
    ),
    "no-such-incident": ("the node doesn't know this alarm", "list what is open: alarm-monitor status"),
    "unknown-action": ("the node is older than this command", "upgrade the node to the monitor's version"),
    "no-expiry": (
        "the command reached the node without its expiry",
        "find out what removes it, for example a bridge between the brokers: M038 in OPERATIONS.md",
    ),
    "expiry-too-long": (
        "the command reached the node with a wrong expiry",
        "find out what changes it: the broker or a bridge",
    ),
    "retained": (
        "the command reached the node as a retained message",
        "find out what retains it: the broker or a bridge",
    ),
    "other-boot": ("the node has restarted in the meantime", "list what is open, then try again: alarm-monitor status"),
    "stopping": ("the node is being stopped", "ask the person who works on it"),
    "too-many-requests": ("too many requests at once", "wait some seconds, then try again"),
}
"""Why a node or the decider refuses, and what to do."""

NOTES: dict[tuple[type[Request], str], str] = {
    (Acknowledge, "already-acknowledged"): "somebody had already acknowledged it",
    (
        Acknowledge,
        "only-here",
    ): "this is noted at the monitor only: the node doesn't know this alarm, and its lamp doesn't show it",
    (Identify, "buzzer-failed"): "the buzzer can't be switched (F003), so look for the lamp",
    (Identify, "lamp-failed"): "the lamp can't be switched (F003), so listen for the buzzer",
    (
        Reset,
        "only-here",
    ): "this ends the alarm at the monitor only: the node may still be in alarm, so go there. The monitor tells "
    "the node once it is back",
}
"""What is done, and not as whoever asked would take it. Commands say it in people's own language (locale/)."""


UNSTORED = (
    "this is only in memory, because the history can't be written: if the monitor ends before that works "
    "again, it is lost"
)
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
            raise ProblemError(
                HTTPStatus.BAD_GATEWAY, answer.reason, "correct its URL or repair its server, then test it again"
            )
        case "refused":
            text, next_step = REFUSALS.get(answer.reason, UNHEARD_OF if answer.reason else UNSAID)
            detail = f"refused: {text} ({answer.reason})" if answer.reason else f"refused: {text}"
            raise ProblemError(HTTPStatus.CONFLICT, detail, next_step)
        case "unanswered" if isinstance(request, Acknowledge):
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                "the node doesn't answer: the monitor has noted that somebody is coming, and the lamp shows it "
                "once the node is back",
                "go there: nobody else is notified of it now",
            )
        case "unanswered":
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT,
                "the node doesn't answer; it may still carry the command out",
                "go there, or see whether the node is down: alarm-monitor status",
            )
        case "unknown":
            raise ProblemError(
                HTTPStatus.NOT_FOUND,
                "there is no such node, incident or walk test",
                "check the present state: alarm-monitor status",
            )
        case _:
            assert_never(answer.outcome)
