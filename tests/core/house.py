"""The houses that the plays are set in, and how some plays begin."""

from itertools import cycle
from typing import Any

from node.core.settings import AlarmClass, InputSettings, Lamp, Role, Settings, Sound, Wiring
from tests.core.playbook import LINK, Playbook, Stage


def button(
    name: str = "button",
    *,
    wiring: Wiring = Wiring.NORMALLY_OPEN,
    alarm_class: AlarmClass = AlarmClass.THREAT,
    sound: Sound = Sound.LOUD,
    lamp: Lamp = Lamp.SHOWN,
) -> InputSettings:
    """One button of the wall."""
    return InputSettings(name, wiring, alarm_class, sound, lamp)


def door(role: Role, name: str = "door", **others: Any) -> InputSettings:
    """A door with a contact that opens with it; loud where it can alarm."""
    how = {"alarm_class": AlarmClass.THREAT, "sound": Sound.LOUD} if role.raises_alarm else {}
    return InputSettings(name, role=role, **{"wiring": Wiring.NORMALLY_CLOSED, **how, **others})


def switch(role: Role, wiring: Wiring = Wiring.NORMALLY_OPEN) -> InputSettings:
    """The tamper switch, the reset key and their like."""
    return InputSettings(role.kind, wiring, role=role)


def one_of_each() -> tuple[InputSettings, ...]:
    """An input of each role but the button's, on all kinds of wiring."""
    wirings = cycle(Wiring)
    return tuple(
        door(role, role.value, wiring=next(wirings), held_open_s=10.0)
        if role.kind == "door"
        else switch(role, next(wirings))
        for role in Role
        if role is not Role.BUTTON
    )


def make_settings(*inputs: InputSettings, links: tuple[str, ...] = (LINK,), **others: Any) -> Settings:
    """The settings of a node with these buttons (one loud one when none is given)."""
    return Settings(inputs=inputs or (button(),), links=links, **others)


def walking(stage: Stage, *inputs: InputSettings, for_s: float = 60.0, **settings: object) -> Playbook:
    """A node in a walk test that has just begun."""
    return stage(*inputs, **settings).command("walk-test", for_s=for_s).skip()
