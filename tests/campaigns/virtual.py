"""Incidents in virtual time: the pure core in a world of chance (world.py), one incident at least in each try.

A try is a house, a first press at a random moment, and troubles; half of these are of the try's kind. In the end all
works again, and the world compares what was pressed with what the desk holds.
"""

from collections.abc import Callable
from random import Random
from typing import Any, get_args
from unittest.mock import patch

from node.core import delivery
from node.core.events import (
    ClockRead,
    EdgesDropped,
    LinkDown,
    OutputFailed,
    OutputRecovered,
    RecordFailed,
    RecordRecovered,
    StopRequested,
)
from node.core.settings import AlarmClass, InputSettings, Lamp, Receipts, Role, Settings, Sound, Wiring
from node.protocol.monitor_messages import ReceiptKind
from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.world import World
from tests.core.house import button, make_settings, one_of_each

BUTTONS = (
    button("loud"),
    button(
        "silent", wiring=Wiring.NORMALLY_CLOSED, alarm_class=AlarmClass.AMOK, sound=Sound.SILENT, lamp=Lamp.DISCREET
    ),
    button("pair", wiring=Wiring.CHANGEOVER, alarm_class=AlarmClass.ASSIST),
)
OTHERS = one_of_each()
WAITS_S = (0.0, 0.005, 0.030, 0.5, 2.0, 5.0, 11.0, 25.0, 70.0)
TROUBLES = (3, 9)

Trouble = Callable[[World], None]


def _input(world: World) -> InputSettings:
    return world.chance.choice(world.settings.inputs)


def _button(world: World) -> str:
    return world.chance.choice([each.name for each in world.settings.inputs if each.role is Role.BUTTON])


def _link(world: World) -> str:
    return world.chance.choice(world.settings.links)


def _toggle(names: set[str], name: str) -> None:
    names ^= {name}


# The wall.


def press(world: World) -> None:
    """A press, short or long, or some in a row."""
    name = _button(world)
    for _ in range(world.chance.choice((0, 0, 1, 2))):
        world.play.tap(name)
    world.play.press(name)
    world.let(world.chance.choice((0.0, 0.1, 1.0, 40.0)))
    world.play.release(name)


def bounce(world: World) -> None:
    """A contact that bounces when it closes and when it opens."""
    name = _button(world)
    for actuated in (True, False):
        for _ in range(world.chance.randint(1, 8)):
            world.play.edge(name, actuated).wait(world.chance.uniform(0.0002, 0.003))
            world.play.edge(name, not actuated).wait(world.chance.uniform(0.0001, 0.002))
        world.play.edge(name, actuated)
        world.let(world.chance.choice((0.019, 0.020, 0.021, 0.3)))


def chatter(world: World) -> None:
    """A loose wire: it closes and opens for a while, and each time long enough to count."""
    name = _input(world).name
    for _ in range(world.chance.randint(8, 16)):
        world.play.edge(name, not world.play.actuated[name]).wait(world.chance.uniform(0.015, 0.060))


def cut_or_mend(world: World) -> None:
    """A cable is cut, shorted or mended."""
    world.play.wire(_input(world).name, world.chance.choice((True, False, None)))


def interfere(world: World) -> None:
    """A burst: short pulses on every line, and so many edges that nobody looked at all of them."""
    for settings in world.settings.inputs:
        rests = world.play.actuated[settings.name]
        for _ in range(world.chance.randint(0, 6)):
            world.play.edge(settings.name, not rests).wait(world.chance.uniform(0.0001, 0.0009))
            world.play.edge(settings.name, bool(rests)).wait(world.chance.uniform(0.0001, 0.002))
        for line in settings.lines:
            world.play >> EdgesDropped(world.play.now, line, world.chance.choice((1, 100, 5_000, 100_000)))


def lose_edges(world: World) -> None:
    """A contact moves, and only the sampler sees it."""
    name = _input(world).name
    world.play.actuated[name] = not world.play.actuated[name]
    world.play.sample().wait(world.chance.choice((0.010, 0.030, 0.050)))
    world.play.sample()


def not_readable(world: World) -> None:
    """A pin can't be read for a while."""
    name = _input(world).name
    level, world.play.actuated[name] = world.play.actuated[name], None
    world.play.sample()
    world.let(world.chance.choice((0.1, 4.0, 7.0)))
    world.play.actuated[name] = level
    world.play.sample()


# The machine.


def disk(world: World) -> None:
    """The disk stalls, goes on, fails, recovers."""
    if world.chance.random() < 0.6:
        world.stall(not world.play.stalled)
    else:
        fails = world.chance.random() < 0.5
        world.play >> (RecordFailed(world.play.now, "full") if fails else RecordRecovered(world.play.now))


def machine(world: World) -> None:
    """An output fails or works again; the wall clock is set."""
    at, jump_s = world.play.now, world.chance.uniform(-3e8, 3e8)
    world.play >> world.chance.choice(
        (OutputFailed(at, "buzzer", "EIO"), OutputRecovered(at, "buzzer"), ClockRead(at, 1.7e9 + jump_s, True))
    )


def restart(world: World) -> None:
    """A kill, an update, a power cut; now and then the record is gone, or answers late."""
    reboot, record = world.chance.random() < 0.4, world.chance.random() < 0.8
    if world.chance.random() < 0.3:
        world.play >> StopRequested(world.play.now, "update", 5.0)
    world.restart(reboot=reboot, away_s=world.chance.choice((0.0, 1.0, 30.0, 1_000.0)), record=record)
    if world.chance.random() < 0.3:
        world.let(world.chance.choice((0.1, 0.6, 5.0)))
    world.play.begin()


# The network and the building.


def broker(world: World) -> None:
    """A broker goes, comes, hangs, refuses, forgets."""
    link, happening = _link(world), world.chance.choice(("away", "away", "mute", "refuses", "flaps", "forgets"))
    if happening == "mute":
        _toggle(world.play.mute, link)
    elif happening == "refuses":
        _toggle(world.refusing, link)
    else:
        taken_over, problem = world.chance.random() < 0.2, world.chance.choice((None, None, "F016"))
        world.play >> LinkDown(world.play.now, link, world.play.session(link), "gone", taken_over, problem)
        if happening == "away":
            _toggle(world.away, link)
        elif happening == "forgets":
            world.forget_retained(link)


def monitor(world: World) -> None:
    """The desk goes, comes back anew, says goodbye; its history or its channels fail for a while."""
    happening = world.chance.choice(
        ("leaves or comes", "leaves or comes", "stores or not", "tells or not", "goodbye", "old receipt")
    )
    if happening == "stores or not":
        world.stores = not world.stores
    elif happening == "tells or not":
        world.tells = not world.tells
    elif happening == "old receipt":
        if world.held and world.reachable():
            key, kind = world.chance.choice(sorted(world.held)), world.chance.choice(get_args(ReceiptKind))
            world.confirm(key, kind, world.reachable()[0])
    elif happening == "goodbye" and world.reachable():
        world.present = False
        world.play.monitor("desk", boot=f"m{world.desk_boot}", alive=False, link=world.reachable()[0])
    else:
        world.present = not world.present
        world.desk_boot += 1


def command(world: World) -> None:
    """A person at the desk acts, well or not."""
    links, incidents = world.reachable(), world.play.state.incidents
    if not links:
        return
    how: dict[str, Any] = {"link": world.chance.choice(links)}
    if world.chance.random() < 0.2:
        how |= world.chance.choice(({"retained": True}, {"expiry_s": None}, {"boot": "0000000f"}, {"id": "c1"}))
    if incidents and world.chance.random() < 0.7:
        incident = world.chance.choice(incidents)
        seen = world.chance.choice((None, incident.presses, incident.presses - 1))
        action = world.chance.choice(("acknowledge", "reset", "silence"))
        world.play.command(action, incident=incident.id, presses=seen, **how)
    elif world.chance.random() < 0.5:
        for_s = world.chance.choice((1.0, 60.0))
        world.play.command("inhibit", input=_input(world).name, for_s=for_s, reason="painters", **how)
    else:
        world.play.command("identify", for_s=world.chance.choice((1.0, 60.0)), **how)


KINDS: dict[str, tuple[Trouble, ...]] = {
    "bounce": (bounce,),
    "chatter": (chatter,),
    "cut wires": (cut_or_mend,),
    "interference": (interfere,),
    "lost edges": (lose_edges, not_readable),
    "disk": (disk, machine),
    "brokers": (broker,),
    "monitors": (monitor,),
    "restarts": (restart,),
    "commands": (command,),
}
ALL = tuple(trouble for troubles in KINDS.values() for trouble in troubles)


def attempt(this: Try) -> Figures:
    """One house, one evening."""
    limits: dict[str, Any] = (
        {"KEPT": 12, "REFILL": 4, "WINDOW": 3} if this.random.random() < 0.3 else {"WINDOW": delivery.WINDOW}
    )
    with patch.multiple(delivery, **limits):
        world = World(_house(this.random), this.random, held=this.random.random() < 0.1)
        if this.random.random() < 0.9:
            world.play.begin()
        world.let(this.random.choice(WAITS_S))
        troubles = [
            this.random.choice(KINDS[this.kind] if this.random.random() < 0.5 else ALL)
            for _ in range(this.random.randint(*TROUBLES))
        ]
        for _ in range(this.random.randint(1, 3)):
            troubles.insert(this.random.randint(0, len(troubles)), press)
        for trouble in troubles:
            trouble(world)
            world.let(this.random.choice(WAITS_S))
        world.judge_end()
    return {"s from a press to received or nobody": world.longest_call_s}


def _house(chance: Random) -> Settings:
    receipts = chance.choice((Receipts.REQUIRED, Receipts.REQUIRED, Receipts.REQUIRED, Receipts.NONE))
    return make_settings(
        *chance.sample(BUTTONS, chance.randint(1, 2)),
        *chance.sample(OTHERS, chance.randint(0, 2)),
        links=chance.choice((("a",), ("a", "b"))),
        receipts=receipts,
        monitors=chance.choice(((), ("desk",))) if receipts is Receipts.REQUIRED else (),
        chatter_presses=10,
    )


VIRTUAL = Campaign(
    "virtual",
    "in virtual time: no accepted press is lost or silently undelivered, and every incident can be ended",
    full=10_000,
    short=80,
    attempt=attempt,
    kinds=tuple(KINDS),
    parallel=2,
    apart=True,
)
