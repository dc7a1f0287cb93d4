"""Commands from the network, by PROTOCOL.md 9's rules: which are refused, and what the others do.

A refused command changes nothing. It is answered with its reason, recorded and counted. A command with a repeated id
gets the first outcome again and does nothing; one that asks for something else is refused. At most 10 refusals and
repetitions a second are answered. No command can hide an alarm that is raised after it: an acknowledgement or a reset
may say how many presses its author saw, and a reset never ends an incident whose input is still pressed.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from node.core import alarm, incident_events, inhibit, walk_test
from node.core.effects import Reply, SendReply
from node.core.events import CommandHeard
from node.core.model import EventKind, Incident, Inhibit, Step
from node.core.state import Outcome
from node.core.turn import Turn

TTL_LIMIT_S = 60.0
OUTCOMES_KEPT = 1_000
_ID_USED = "id-used"


def decide(turn: Turn, command: CommandHeard) -> None:
    """Do what a command asks for, or refuse it; answer in both cases, as far as the limits allow."""
    known = turn.state.outcomes.get(command.id)
    if known is None:
        reason = _inadmissible(turn, command) or ACTIONS[command.action].do(turn, command)
        if reason is None:
            _answer(turn, command, Reply(command.id, "done"))
        elif _may_refuse(turn, command, reason):
            _answer(turn, command, Reply(command.id, "refused", reason))
    elif known.asked != _asked(command):
        if _may_refuse(turn, command, _ID_USED):
            _reply(turn, command, Reply(command.id, "refused", _ID_USED))
    elif turn.may_answer():
        _reply(turn, command, known.reply)


def _asked(command: CommandHeard) -> tuple[str, str, str]:
    """What a repetition has in common with the first command of its id; a walk test's repetition has less time left."""
    return command.action, command.arguments.get("incident", ""), command.arguments.get("input", "")


def _may_refuse(turn: Turn, command: CommandHeard, reason: str) -> bool:
    """Count the refusal; record it and return True, unless there were too many in this second."""
    if not turn.may_record_refusal():
        return False
    turn.log(EventKind.COMMAND_REFUSED, command=command.action, subject=command.id, by=command.by, reason=reason)
    return True


def _answer(turn: Turn, command: CommandHeard, reply: Reply) -> None:
    if command.id:
        outcomes = {
            command_id: outcome
            for command_id, outcome in list(turn.state.outcomes.items())[-OUTCOMES_KEPT + 1 :]
            if outcome.at > turn.now - 2 * TTL_LIMIT_S
        }
        outcomes[command.id] = Outcome(turn.now, reply, _asked(command))
        turn.change(outcomes=outcomes)
    _reply(turn, command, reply)


def _reply(turn: Turn, command: CommandHeard, reply: Reply) -> None:
    link = turn.state.supervision.link(command.link)
    if link.up:
        turn.sends.append(SendReply(link.name, link.session, reply, *turn.stamp()))


def _inadmissible(turn: Turn, command: CommandHeard) -> str | None:
    """Why this command is refused before its action is tried. The checks go from the command's form to its target."""
    if command.malformed is not None:
        return command.malformed
    if command.retained:
        return "retained"
    if command.expiry_s is None:
        return "no-expiry"
    if command.expiry_s > command.ttl_s or command.ttl_s > TTL_LIMIT_S:
        return "expiry-too-long"
    if command.boot != turn.state.boot:
        return "other-boot"
    if command.action not in ACTIONS:
        return "unknown-action"
    if turn.state.stopping:
        return "stopping"
    return None


def _incident_named(turn: Turn, command: CommandHeard) -> Incident | None:
    return turn.state.incident(command.arguments["incident"])


def _has_seen_less(incident: Incident, command: CommandHeard) -> bool:
    """Whether there are more presses than the command's author says to have seen."""
    seen = command.arguments.get("presses")
    return seen is not None and seen < incident.presses


def _acknowledge(turn: Turn, command: CommandHeard) -> str | None:
    incident = _incident_named(turn, command)
    if incident is None:
        return "no-such-incident"
    if _has_seen_less(incident, command):
        return "pressed-again"
    acknowledged = alarm.advance(incident, alarm.Happening.ACKNOWLEDGED)
    if acknowledged is None:
        return "already-acknowledged"
    turn.put_incident(turn.show_step(acknowledged, Step.ACKNOWLEDGED))
    turn.log_about(EventKind.ACKNOWLEDGED, acknowledged, by=command.by)
    return None


def _reset(turn: Turn, command: CommandHeard) -> str | None:
    incident = _incident_named(turn, command)
    if incident is None:
        return "no-such-incident"
    if _has_seen_less(incident, command):
        return "pressed-again"
    return incident_events.reset(turn, incident, command.by, command.arguments.get("reason"))


def _silence(turn: Turn, command: CommandHeard) -> str | None:
    incident = _incident_named(turn, command)
    if incident is None:
        return "no-such-incident"
    if incident.sounding_until is None:
        return "not-sounding"
    turn.put_incident(replace(incident, sounding_until=None))
    turn.log_about(EventKind.SILENCED, incident, by=command.by)
    return None


def _identify(turn: Turn, command: CommandHeard) -> str | None:
    if not turn.state.settings.has_buzzer:
        return "no-buzzer"
    if any(not incident.loud for incident in turn.state.incidents):
        return "silent-incident-open"
    for_s = command.arguments["for_s"]
    turn.change(identify_until=turn.now + for_s)
    turn.log(EventKind.IDENTIFIED, by=command.by, for_s=for_s)
    return None


def _inhibit(turn: Turn, command: CommandHeard) -> str | None:
    name, for_s = command.arguments["input"], command.arguments["for_s"]
    if name not in turn.state.contacts:
        return "no-such-input"
    reason = command.arguments["reason"]
    new = Inhibit(name, turn.now + for_s, command.by, reason)
    turn.change(inhibits=inhibit.add(turn.state.inhibits, new))
    turn.log(EventKind.INHIBITED, input=name, by=command.by, reason=reason, for_s=for_s)
    return None


def _walk_test(turn: Turn, command: CommandHeard) -> str | None:
    walk_test.begin(turn, command.by, command.arguments["for_s"])
    return None


def _end_walk_test(turn: Turn, command: CommandHeard) -> str | None:
    running = turn.state.walk_test
    if running is None or running.over:
        return "no-walk-test"
    walk_test.end(turn, running, "command", command.by)
    return None


def _probe(_turn: Turn, _command: CommandHeard) -> str | None:
    return None


class Action(NamedTuple):
    """What a command may ask for. ``do`` does it, or returns why not.

    ``needs``: the arguments without which a command is malformed. ``may_have``: those that it can also have.
    """

    do: Callable[[Turn, CommandHeard], str | None]
    needs: tuple[str, ...] = ()
    may_have: tuple[str, ...] = ()


ACTIONS = {
    "acknowledge": Action(_acknowledge, needs=("incident",), may_have=("presses",)),
    "reset": Action(_reset, needs=("incident",), may_have=("presses", "reason")),
    "silence": Action(_silence, needs=("incident",)),
    "identify": Action(_identify, may_have=("for_s",)),
    "inhibit": Action(_inhibit, needs=("input", "for_s", "reason")),
    "probe": Action(_probe),
    "walk-test": Action(_walk_test, needs=("for_s",)),
    "walk-test-end": Action(_end_walk_test),
}
