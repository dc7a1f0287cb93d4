"""Simulated walls with buttons alone."""

from collections.abc import Mapping
from typing import Any

from node.core.settings import InputSettings, Wiring
from node.simulate.wall import Wall


def wall_of(buttons: Mapping[str, tuple[int, Wiring]], **options: Any) -> Wall:
    """A wall with these buttons: pin and wiring by name. ``options`` are the wall's."""
    inputs = [InputSettings(name, wiring) for name, (_, wiring) in buttons.items()]
    return Wall(inputs, {name: pin for name, (pin, _) in buttons.items()}, **options)
