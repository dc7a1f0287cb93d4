"""[[button]], [[door]], [tamper] and [reset]: what is wired to which pin, and what follows when it becomes active.

1. Each has ``pin`` and ``wiring``; a changeover contact has its normally open side on ``pin``, the other on ``pin_nc``.
2. Each input that can raise an alarm has to say its class, its sound and its lamp: any default could do harm.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

from node.config.declarations import Table, allowed, be, key_of
from node.config.reader import Rule, Section, Sections, repeated
from node.config.values import ID, Id
from node.core.settings import AlarmClass, InputSettings, Lamp, Role, Sound, Wiring

Pin = Annotated[int, Meta(ge=0, le=27)]
PIN = "a BCM number from 0 to 27 (GPIO17 is 17, whatever its place on the header)"

HELD_OPEN_S = 60.0
_HeldOpen = Annotated[float, Meta(ge=5, le=3600)]

_CLASS = be('"assist" (colleagues come), "threat" (guards come) or "amok" (everybody gets safe)', "threat")
_SOUND = be('"loud" or "silent" (no default: an alarm that can be heard may provoke an attacker)', "silent")
_LAMP = be('"shown" or "discreet" (a blinking lamp may betray the person who pressed)', "discreet")


class DoorMode(StrEnum):
    """What follows when a door opens."""

    ALARM = "alarm"
    HELD_OPEN = "held-open"
    REPORT = "report"
    INCIDENT_ONLY = "incident-only"


_NAME = "its name in messages; needed, and different, where there are several"
_WIRING = "how the contact is while nobody presses; closed is better: a cut wire is then an alarm; changeover is best"
_CLASS_IS = "how the building reacts"
_SOUND_IS = "whether a press sounds the buzzer"
_LAMP_IS = "whether the lamp tells about a press"


class _Wired(Struct, frozen=True, kw_only=True):
    pin: Annotated[Pin, be(PIN, 17)]
    wiring: Annotated[Wiring, _WIRING, be('"normally-open", "normally-closed" or "changeover"', "normally-open")]
    pin_nc: Annotated[Pin | None, be(f"the pin of a changeover contact's normally closed side, {PIN}", 27)] = None


class _Button(_Wired, frozen=True, kw_only=True):
    name: Annotated[Id | None, _NAME, be(ID, "desk")] = None
    alarm_class: Annotated[AlarmClass, _CLASS_IS, _CLASS] = field(name="class")
    sound: Annotated[Sound, _SOUND_IS, _SOUND]
    lamp: Annotated[Lamp | None, _LAMP_IS, _LAMP] = None


class _Door(_Wired, frozen=True, kw_only=True):
    pin: Annotated[Pin, be(PIN, 5)]
    name: Annotated[Id | None, _NAME, be(ID, "escape-door")] = None
    mode: Annotated[
        DoorMode,
        "what an open door leads to",
        be(
            '"alarm" (opening it is an alarm), "held-open" (being open for held_open_s is one), "report" (its state is '
            'told) or "incident-only" (told while an incident is open, and never else)',
            "report",
        ),
    ]
    held_open_s: Annotated[_HeldOpen | None, be('from 5 to 3600 (seconds; for mode = "held-open")', HELD_OPEN_S)] = None
    alarm_class: Annotated[AlarmClass | None, _CLASS_IS, _CLASS] = field(name="class", default=None)
    sound: Annotated[Sound | None, _SOUND_IS, _SOUND] = None
    lamp: Annotated[Lamp | None, _LAMP_IS, _LAMP] = None


class _Tamper(_Wired, frozen=True, kw_only=True):
    """Active while the case is open."""

    pin: Annotated[Pin, be(PIN, 12)]


class _Reset(_Wired, frozen=True, kw_only=True):
    """Active while the key is turned."""

    pin: Annotated[Pin, be(PIN, 13)]


TABLES = (
    Table("button", _Button, most=16),
    Table("door", _Door, required=False, most=8),
    Table("tamper", _Tamper, required=False),
    Table("reset", _Reset, required=False),
)

_ROLES = {
    DoorMode.ALARM: Role.DOOR_ALARM,
    DoorMode.HELD_OPEN: Role.DOOR_HELD_OPEN,
    DoorMode.REPORT: Role.DOOR_REPORT,
    DoorMode.INCIDENT_ONLY: Role.DOOR_INCIDENT_ONLY,
}
_ALARMING = (DoorMode.ALARM, DoorMode.HELD_OPEN)


class WiredInput(Struct, frozen=True):
    """An input as the core knows it, and the BCM pins of its lines by name."""

    settings: InputSettings
    line_pins: Mapping[str, int]


def build(sections: Sections) -> list[WiredInput]:
    """Turn sections without problems into the types that the program works with: buttons first."""
    found = [_button(_Button(**section.values)) for section in sections["button"]]
    found += [_door(_Door(**section.values)) for section in sections["door"]]
    found += [_switch(Role.TAMPER, _Tamper(**section.values)) for section in sections["tamper"]]
    found += [_switch(Role.RESET, _Reset(**section.values)) for section in sections["reset"]]
    return found


def loud(sections: Sections) -> list[str]:
    """The places of the inputs that need a buzzer."""
    return [each.place for each in _alarming(sections) if each.values.get("sound") is Sound.LOUD]


def _button(keys: _Button) -> WiredInput:
    name, lamp = keys.name or "button", keys.lamp or Lamp.SHOWN
    return _wired(keys, InputSettings(name, keys.wiring, keys.alarm_class, keys.sound, lamp))


def _door(keys: _Door) -> WiredInput:
    settings = InputSettings(
        name=keys.name or "door",
        wiring=keys.wiring,
        alarm_class=keys.alarm_class or AlarmClass.ASSIST,
        sound=keys.sound or Sound.SILENT,
        lamp=keys.lamp or Lamp.SHOWN,
        role=_ROLES[keys.mode],
        held_open_s=keys.held_open_s or HELD_OPEN_S,
    )
    return _wired(keys, settings)


def _switch(role: Role, keys: _Wired) -> WiredInput:
    return _wired(keys, InputSettings(role.kind, keys.wiring, role=role))


def _wired(keys: _Wired, settings: InputSettings) -> WiredInput:
    pins = [each for each in (keys.pin, keys.pin_nc) if each is not None]
    return WiredInput(settings, dict(zip(settings.lines, pins, strict=True)))


def _alarming(sections: Sections) -> list[Section]:
    doors = [section for section in sections["door"] if section.values.get("mode") in _ALARMING]
    return [*sections["button"], *doors]


def _are_told_apart(sections: Sections) -> Iterator[str]:
    named: list[tuple[str, str]] = [(f"[{table}]", table) for table in ("tamper", "reset") if sections[table]]
    for kind, keys in (("button", _Button), ("door", _Door)):
        listed = sections[kind]
        names = [(section.place, section.values["name"]) for section in listed if "name" in section.values]
        if len(listed) > 1:
            for place in (place for place, name in names if name is None):
                wanted = allowed(key_of(keys, "name"))
                yield f"{place} name is missing: where there are several {kind}s it {wanted}"
            names = [(place, name) for place, name in names if name is not None]
        named += [(place, name or kind) for place, name in names]
    for place, name, owner in repeated(named):
        yield f'{place} name = "{name}": is the name of {owner} already: give one of them another'


def _changeover_contacts_have_two_pins(sections: Sections) -> Iterator[str]:
    for section in (section for table in TABLES for section in sections[table.name]):
        match section.values:
            case {"wiring": Wiring.CHANGEOVER, "pin_nc": None}:
                wanted = allowed(key_of(_Wired, "pin_nc"))
                yield f'{section.place} pin_nc is missing: for wiring = "changeover" it {wanted}'
            case {"wiring": Wiring.NORMALLY_OPEN | Wiring.NORMALLY_CLOSED as wiring, "pin_nc": int() as pin}:
                advice = 'leave it out, or write wiring = "changeover"'
                yield f'{section.place} pin_nc = {pin}: contradicts wiring = "{wiring.value}": {advice}'


def _alarming_doors_say_how(sections: Sections) -> Iterator[str]:
    for section in sections["door"]:
        mode = section.values.get("mode")
        for key in ("alarm_class", "sound", "lamp") if mode in _ALARMING else ():
            if section.values.get(key, "") is None:
                declared = key_of(_Door, key)
                yield f'{section.place} {declared.encode_name} is missing: for mode = "{mode}" it {allowed(declared)}'
        if mode is not None and mode is not DoorMode.HELD_OPEN and section.values.get("held_open_s") is not None:
            yield f'{section.place} held_open_s: contradicts mode = "{mode}": leave it out, or write mode = "held-open"'


def _lamps_betray_nobody(sections: Sections) -> Iterator[str]:
    for section in _alarming(sections):
        match section.values:
            case {"sound": Sound.SILENT, "lamp": None} if section in sections["button"]:
                yield f"{section.place} lamp is missing: for a silent button it {allowed(key_of(_Button, 'lamp'))}"
            case {"sound": Sound.LOUD, "lamp": Lamp.DISCREET}:
                yield f'{section.place} lamp = "discreet": must be "shown" or left out where sound = "loud"'


RULES: tuple[Rule, ...] = (
    _are_told_apart,
    _changeover_contacts_have_two_pins,
    _alarming_doors_say_how,
    _lamps_betray_nobody,
)
