"""What can be done: each becomes a request to the deciding thread, and its answer becomes the response's."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal

from msgspec import Meta, Struct

from node.monitor.api.operations.answers import told
from node.monitor.api.operations.lookups import NODE, Floor, NodePath
from node.monitor.api.operations.operation import Call, Nothing, Sources, operation
from node.monitor.api.operations.representations import Done
from node.monitor.api.problems import ProblemError
from node.monitor.core.model import requests
from node.monitor.core.model.records import IncidentKey, NodeKey, Role
from node.protocol.messages import Id, IncidentId
from node.protocol.monitor_messages import IDENTIFY_S, LIMITS_S

ANSWER_S = 30.0
"""How long an answer is awaited: beyond the time in which a node that is there answers."""

_INCIDENT = "/incidents/{site}/{node}/{incident}"
_TARGET = "/targets/{name}"

_DAY_S = 24 * 3600.0


class IncidentPath(Struct, frozen=True):
    """An incident of a node."""

    site: Id
    node: Id
    incident: IncidentId


class WalkTestPath(Struct, frozen=True):
    """A walk test."""

    id: Id


class TargetPath(Struct, frozen=True):
    """A target."""

    name: Id


class ResetBody(Struct, frozen=True, forbid_unknown_fields=True):
    """How an incident ended."""

    reason: Literal["real", "drill", "mistaken", "technical"]


class IdentifyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """For how many seconds a node shows where it is."""

    for_s: Annotated[float, Meta(ge=1, le=LIMITS_S["identify"])] = IDENTIFY_S


class PauseBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and for how many seconds something is out of service. The reason names no person."""

    reason: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,120}\Z")]
    for_s: Annotated[float, Meta(ge=60, le=30 * _DAY_S)]


class WalkTestBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A walk test of a site: of the nodes named, or of a floor's, or of all; for so many seconds."""

    site: Id
    for_s: Annotated[float, Meta(ge=60, le=3600)]
    floor: Floor | None = None
    nodes: Annotated[tuple[Id, ...], Meta(max_length=200)] = ()


@operation("POST", f"{_INCIDENT}/acknowledge", Role.RESPONDER)
async def acknowledge(sources: Sources, call: Call[IncidentPath, Nothing, Nothing]) -> Done:
    """Somebody is coming; the place of the alarm shows it."""
    return await _ask(sources, requests.Acknowledge(_incident(call.path), call.by))


@operation("POST", f"{_INCIDENT}/reset", Role.RESPONDER)
async def reset(sources: Sources, call: Call[IncidentPath, Nothing, ResetBody]) -> Done:
    """End an incident."""
    return await _ask(sources, requests.Reset(_incident(call.path), call.by, call.body.reason))


@operation("POST", f"{_INCIDENT}/silence", Role.RESPONDER)
async def silence(sources: Sources, call: Call[IncidentPath, Nothing, Nothing]) -> Done:
    """End the sound of an incident; it stays open."""
    return await _ask(sources, requests.Silence(_incident(call.path), call.by))


@operation("POST", f"{NODE}/identify", Role.RESPONDER)
async def identify(sources: Sources, call: Call[NodePath, Nothing, IdentifyBody]) -> Done:
    """Let a node show where it is."""
    return await _ask(sources, requests.Identify(_node(call.path), call.by, call.body.for_s))


@operation("POST", f"{NODE}/pause", Role.MANAGER)
async def pause(sources: Sources, call: Call[NodePath, Nothing, PauseBody]) -> Done:
    """Begin a node's maintenance: it isn't reported as down meanwhile, and its alarms stay alarms."""
    return await _ask(sources, requests.PauseNode(_node(call.path), call.by, call.body.reason, call.body.for_s))


@operation("POST", f"{NODE}/resume", Role.MANAGER)
async def resume(sources: Sources, call: Call[NodePath, Nothing, Nothing]) -> Done:
    """End a node's maintenance before its time."""
    return await _ask(sources, requests.Resume(_node(call.path), call.by))


@operation("DELETE", NODE, Role.MANAGER)
async def forget(sources: Sources, call: Call[NodePath, Nothing, Nothing]) -> Done:
    """Let a node go that was renamed or taken away: its findings, and what the brokers keep of it."""
    return await _ask(sources, requests.Forget(_node(call.path), call.by))


@operation("POST", f"{_TARGET}/test", Role.MANAGER)
async def test_target(sources: Sources, call: Call[TargetPath, Nothing, Nothing]) -> Done:
    """Send a target a message that is marked as a test."""
    return await _ask(sources, requests.TryTarget(call.path.name, call.by))


@operation("POST", f"{_TARGET}/isolate", Role.MANAGER)
async def isolate_target(sources: Sources, call: Call[TargetPath, Nothing, PauseBody]) -> Done:
    """Take a target out of service: it is told nothing until this ends."""
    return await _ask(sources, requests.IsolateTarget(call.path.name, call.by, call.body.reason, call.body.for_s))


@operation("POST", f"{_TARGET}/restore", Role.MANAGER)
async def restore_target(sources: Sources, call: Call[TargetPath, Nothing, Nothing]) -> Done:
    """Bring a target back before its time."""
    return await _ask(sources, requests.RestoreTarget(call.path.name, call.by))


@operation("POST", "/walk-tests", Role.MANAGER, status=HTTPStatus.CREATED)
async def start_walk_test(sources: Sources, call: Call[Nothing, Nothing, WalkTestBody]) -> Done:
    """Begin a walk test; it ends by itself."""
    asked = call.body
    return await _ask(sources, requests.StartWalkTest(asked.site, call.by, asked.for_s, asked.floor or "", asked.nodes))


@operation("DELETE", "/walk-tests/{id}", Role.MANAGER)
async def end_walk_test(sources: Sources, call: Call[WalkTestPath, Nothing, Nothing]) -> Done:
    """End a walk test before its time."""
    return await _ask(sources, requests.EndWalkTest(call.path.id, call.by))


async def _ask(sources: Sources, request: requests.Request) -> Done:
    # Only waited for: a future that were cancelled here would raise in the deciding thread when it is answered there.
    asked = asyncio.wrap_future(sources.ask(request))
    done, _ = await asyncio.wait({asked}, timeout=ANSWER_S)
    if not done:
        raise ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            f"the monitor didn't answer within {ANSWER_S:.0f} s; it may still carry the command out",
            "check whether it was done, and how the monitor is: alarm-monitor status",
        )
    return told(request, asked.result())


def _node(path: NodePath) -> NodeKey:
    return NodeKey(path.site, path.node)


def _incident(path: IncidentPath) -> IncidentKey:
    return IncidentKey(path.site, path.node, path.incident)
