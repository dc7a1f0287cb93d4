"""What is wrong with inputs, and from when on it is a fault."""

from collections.abc import Iterator
from math import inf
from typing import assert_never

from node.core import inhibit
from node.core.line import EDGE_GRACE_S, UNREADABLE_S, ContactState
from node.core.settings import Role
from node.core.state import State
from node.errors.faults import (
    CASE_OPEN,
    EDGES_LOST,
    INPUT_CHATTERS,
    INPUT_STUCK,
    INPUT_UNREADABLE,
    WIRE_FAULTY,
    FaultKind,
)


def conditions(state: State) -> Iterator[tuple[FaultKind, str, float]]:
    """What is wrong with inputs: (kind, subject, the instant from which it is a fault)."""
    for settings in state.settings.inputs:
        name = settings.name
        known = state.contacts[name]
        for each in known.lines:
            if each.unread_since is not None:
                yield INPUT_UNREADABLE, name, each.unread_since + UNREADABLE_S
            if each.lost_since is not None:
                yield EDGES_LOST, name, each.lost_since + EDGE_GRACE_S
        chattering = state.chatters[name].until is not None
        if chattering:
            yield INPUT_CHATTERS, name, -inf
        if inhibit.is_inhibited(state.inhibits, name):
            continue
        is_active = known.state is ContactState.ACTIVE
        match settings.role:
            case Role.TAMPER:
                if chattering or is_active:
                    yield CASE_OPEN, name, -inf
            case Role.BUTTON | Role.RESET:
                if is_active:
                    yield INPUT_STUCK, name, known.changed_at + state.settings.stuck_s
            case Role.DOOR_ALARM | Role.DOOR_HELD_OPEN | Role.DOOR_REPORT | Role.DOOR_INCIDENT_ONLY:
                pass  # a door may stay open
            case _:
                assert_never(settings.role)
        if known.state is ContactState.FAULT and not chattering:
            yield WIRE_FAULTY, name, -inf
