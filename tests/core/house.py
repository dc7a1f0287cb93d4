"""The houses that the plays are set in."""

from typing import Any

from node.core.settings import AlarmClass, InputSettings, Lamp, Settings, Sound, Wiring
from tests.core.playbook import LINK


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


def make_settings(*inputs: InputSettings, links: tuple[str, ...] = (LINK,), **others: Any) -> Settings:
    """The settings of a node with these buttons (one loud one when none is given)."""
    return Settings(inputs=inputs or (button(),), links=links, **others)
