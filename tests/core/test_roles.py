"""Every role of an input in every change of its state: what is told, and what nobody has to know."""

from itertools import permutations

import pytest

from node.core.line import ContactState
from node.core.settings import InputSettings, Role, Sound, Wiring
from tests.core.house import button, make_settings
from tests.core.playbook import Playbook

NAME = "each"
NORMAL, ACTIVE, FAULT, UNKNOWN = ContactState.NORMAL, ContactState.ACTIVE, ContactState.FAULT, ContactState.UNKNOWN

# What is told when an input of this role becomes so; whatever isn't listed here is silent.
BECOMES_ACTIVE = {
    Role.BUTTON: ["pressed"],
    Role.DOOR_ALARM: ["opened"],
    Role.DOOR_HELD_OPEN: ["held-open"],
    Role.DOOR_REPORT: ["opened"],
    Role.DOOR_INCIDENT_ONLY: ["opened"],
    Role.TAMPER: ["fault-raised"],
    Role.RESET: ["key-turned", "reset"],
}
BECOMES_NORMAL_AGAIN = {
    Role.BUTTON: ["restored"],
    Role.DOOR_ALARM: ["closed"],
    Role.DOOR_HELD_OPEN: ["closed"],
    Role.DOOR_REPORT: ["closed"],
    Role.DOOR_INCIDENT_ONLY: ["closed"],
    Role.TAMPER: ["fault-cleared"],
}


def expected(role: Role, before: ContactState, after: ContactState) -> list[str]:
    """The kinds of events, without those about faults of the wire or of a pin."""
    if after is ACTIVE:
        return BECOMES_ACTIVE[role] if (role, before) != (Role.RESET, UNKNOWN) else []
    if before is ACTIVE and role is Role.TAMPER:
        return ["fault-cleared"]
    if after is NORMAL and before is ACTIVE:
        return BECOMES_NORMAL_AGAIN.get(role, [])
    return []


def move(play: Playbook, state: ContactState) -> None:
    """Bring the input into this state, and wait until it is known."""
    play.wires.clear()
    play.actuated[NAME] = None if state is UNKNOWN else state is ACTIVE
    if state is FAULT:
        play.wires.update({NAME: True, f"{NAME}.nc": True})
    for _ in range(4):
        play.sample().wait(0.050)
    play.wait(6.0)
    assert play.state.contact_state(NAME) is state


@pytest.mark.parametrize(("before", "after"), list(permutations(ContactState, 2)), ids=str)
@pytest.mark.parametrize("role", list(Role))
def test_every_change_of_every_role(role: Role, before: ContactState, after: ContactState) -> None:
    """An alarm is open at another button, so that whatever may be told, is; nothing else is."""
    each = InputSettings(NAME, Wiring.CHANGEOVER, sound=Sound.SILENT, role=role, held_open_s=5.0)
    play = Playbook(make_settings(button("desk"), each, links=())).begin().tap("desk")
    move(play, before)
    seq = play.state.seq
    unheard = {"nobody"}

    move(play, after)

    told = [event for event in play.logged if event.key.seq > seq and event.kind not in unheard]
    assert [event.kind for event in told if event.fault not in ("F001", "F043", "F002")] == expected(
        role, before, after
    )
    raised = {event.fault for event in told if event.kind == "fault-raised"}
    assert raised - {"F044", "F002"} == ({"F043"} if after is FAULT else {"F001"} if after is UNKNOWN else set())


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_place_in_the_table(role: Role) -> None:
    """A role that is added without saying what it does is missed here."""
    assert role in BECOMES_ACTIVE
