"""Ninety days at speed: whatever a node holds, it holds no more of it at the end.

The service is the real one in virtual time (standins.py). Every hour brings presses, doors, an acknowledgement, a
reset, a reconnect, a monitor that starts anew, commands good and bad; in between heartbeats and probes. The first hours
are busy, so that whatever has a limit is full before the first look (growth.py); each look is at the end of a quiet
quarter of an hour.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

from node import config
from node.core import events as ev
from node.service.loop import Clocks
from tests.campaigns import growth, standins
from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.standins import Action, VirtualClock, VirtualService
from tests.support.node import write_config

DAY_H = 24
DOOR = {"name": "yard", "pin": 5, "wiring": "normally-closed", "mode": "report"}
HOUR_S = 3_600.0
UTC_OFFSET = 1.7e9


@dataclass(frozen=True, slots=True)
class Life:
    """So many hours: the first ones are busy, those until ``judged_from_h`` aren't judged."""

    hours: int
    busy_h: int
    judged_from_h: int
    look_every_h: int


WHOLE = Life(hours=90 * DAY_H, busy_h=6, judged_from_h=540, look_every_h=12)
SHORT = Life(hours=16, busy_h=1, judged_from_h=2, look_every_h=1)
"""Within `make test`. The noise of fewer looks can't be told: with six, what comes and goes looked like growth."""


def attempt(this: Try) -> Figures:
    """One life."""
    life = SHORT if this.short else WHOLE
    clock = VirtualClock()
    path = write_config(this.directory, 20_000, tables=[("[[door]]", DOOR)])
    settings = config.load(path)
    directory = config.state_directory(settings, {})
    diary = growth.Diary(this.directory / "diary", directory)
    with standins.in_place():
        node = VirtualService(
            settings,
            SimpleNamespace,
            directory,
            environ={},
            clocks=Clocks(clock, lambda: clock.now + UTC_OFFSET),
        )
        node.play(clock, _hours(life, diary.look, this.random))
    judged = diary.looks()[life.judged_from_h // life.look_every_h :]
    return {**growth.judge(judged), "simulated days": life.hours / DAY_H}


def _hours(life: Life, look: Callable[[int], None], chance: Random) -> Iterator[tuple[float, Action]]:
    begin = VirtualClock().now
    for hour in range(life.hours):
        happenings = [*_steady(), *_eventful(hour, chance)]
        if hour < life.busy_h:
            happenings += [each for minute in range(45) for each in _call(60.0 * minute + 7.0, chance)]
        if hour % life.look_every_h == life.look_every_h - 1:
            happenings.append((HOUR_S - 1.0, lambda node: look(node.seq)))
        for at, action in sorted(happenings, key=lambda each: each[0]):
            yield begin + hour * HOUR_S + at, action
    yield begin + life.hours * HOUR_S, lambda _node: None  # or the last look would miss the script, and see less


def _steady() -> Iterator[tuple[float, Action]]:
    """What goes on all the time."""
    for second in range(0, int(HOUR_S), 5):
        yield second + 0.5, lambda node: node.link.monitor(_desk_boot(node))
        if second % 60 == 0:
            yield second + 0.25, lambda node: node.panel.sample()
            yield second + 0.75, lambda node: node.put(ev.HealthRead(node.clock.now, ()))
            yield second + 0.85, _command("probe")


def _eventful(hour: int, chance: Random) -> Iterator[tuple[float, Action]]:
    """What happens in each hour's first three quarters."""
    yield from _call(60.0 * chance.randint(1, 40) + 37.0, chance)
    for number in range(chance.randint(1, 4)):
        at = 300.0 * number + chance.uniform(10.0, 100.0)
        yield at, lambda node: node.panel.edge("yard", True)
        yield at + chance.uniform(1.0, 60.0), lambda node: node.panel.edge("yard", False)
    at = chance.uniform(0.0, 2_400.0)
    yield at, lambda node: node.link.lose()
    yield at + chance.choice((0.3, 20.0)), lambda node: node.link.start()
    yield 2_500.0, _command("identify", for_s=5)
    yield 2_520.0, _command("inhibit", input="yard", for_s=60, reason="painters")
    yield 2_540.0, lambda node: node.link.say("command", v=1, id=f"bad-{hour}", action="open-door")
    yield 2_541.0, _command("reset", incident="0000000f-1")


def _call(at: float, chance: Random) -> Iterator[tuple[float, Action]]:
    """A press that bounces, a release, somebody who comes."""
    for bounce in range(chance.randint(0, 3)):
        yield at + bounce * 0.004, lambda node: node.panel.edge("button", False)
        yield at + bounce * 0.004 + 0.002, lambda node: node.panel.edge("button", True)
    yield at + 0.020, lambda node: node.panel.edge("button", False)
    yield at + 1.0, lambda node: node.panel.edge("button", True)
    yield at + 10.0, _about_incident("acknowledge")
    yield at + 15.0, _about_incident("silence")
    yield at + 20.0, _about_incident("reset")


def _command(action: str, **fields: Any) -> Action:
    def give(node: VirtualService) -> None:
        command_id = f"{action}-{node.clock.now:.0f}"
        order = {"v": 1, "id": command_id, "boot": node.boot, "ttl_s": 20, "by": "guard-desk", "action": action}
        node.link.say("command", expiry_s=20.0, **order, **fields)

    return give


def _about_incident(action: str) -> Action:
    return lambda node: _command(action, incident=node.open_incident)(node)


def _desk_boot(node: VirtualService) -> str:
    """The desk starts anew each hour."""
    return f"{int(node.clock.now // HOUR_S):08x}"


ENDURANCE = Campaign(
    "endurance",
    "over 90 days of virtual time neither memory nor threads nor files grow, and the record only by what it stores",
    full=1,
    short=1,
    attempt=attempt,
    apart=True,
)
