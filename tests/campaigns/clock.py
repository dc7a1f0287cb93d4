"""The wall clock jumps by up to ten years either way at random moments, or there is none: only labels may change.

A real service in this process, with its own wall clock by the service's seam (never the machine's), a real mosquitto
and a desk. What is judged is measured here by the monotonic clock, at the desk and at the buzzer:

    press ____|‾‾|______________________________________________________
    sound ____|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|____________   10 s
    nobody has it  _______|______________________________    5 s, as nobody confirms anything
    inhibit of the other button  ‾‾‾‾‾‾‾‾‾‾‾‾‾‾|__________    7 s
    heartbeats  | | | | | | | | | | | | | | | | | | | | |    1 s

Then the desk confirms all of it, the other button is pressed, both incidents are reset.
"""

import math
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

from node import config
from node.core.model import Step
from node.service.loop import Clocks, Service
from node.simulate.wall import Wall
from tests.campaigns.campaign import Campaign, Figures, Try
from tests.support.broker import Broker
from tests.support.desk import BRANCH, Desk, decoded
from tests.support.node import BUTTON, wait_until, write_config

YEARS_S = 10 * 365.25 * 86_400.0
LEAST_S = 30.0
BUZZER = 22
HEARTBEAT_S, RECEIPT_S, SOUND_S, INHIBIT_S = 1.0, 5.0, 10.0, 7.0
LATE_S = 2.5
EARLY_S = 0.05
JUMPS_WITHIN_S = 13.0
WAIT_LIMIT_S = 20.0

WallClock = Callable[[], float]


def _jumps(chance: Random, signs: tuple[int, ...]) -> list[tuple[float, float]]:
    """When it jumps (monotonic), and how far: most of the sizes between half a minute and ten years are as likely."""
    now = time.monotonic()
    return [
        (
            now + chance.uniform(0.0, JUMPS_WITHIN_S),
            chance.choice(signs) * math.exp(chance.uniform(math.log(LEAST_S), math.log(YEARS_S))),
        )
        for _ in range(chance.randint(2, 6))
    ]


def _jumping(*signs: int) -> Callable[[Random], WallClock]:
    def make(chance: Random) -> WallClock:
        jumps = _jumps(chance, signs)
        return lambda: time.time() + sum(by for at, by in jumps if time.monotonic() >= at)

    return make


def _never_set(_chance: Random) -> WallClock:
    """As on a Pi without a clock's battery and without network: it counts from 1970."""
    begin = time.monotonic()
    return lambda: time.monotonic() - begin


def _set_late(chance: Random) -> WallClock:
    """As on a Pi that finds a time server after a while."""
    begin = time.monotonic()
    set_at = begin + chance.uniform(0.0, JUMPS_WITHIN_S)
    return lambda: time.time() if time.monotonic() >= set_at else time.monotonic() - begin


def _stands(_chance: Random) -> WallClock:
    """A clock that is broken."""
    return lambda: 0.0


KINDS: dict[str, Callable[[Random], WallClock]] = {
    "forth": _jumping(1),
    "back": _jumping(-1),
    "forth and back": _jumping(1, -1),
    "set late": _set_late,
    "never set": _never_set,
    "stands still": _stands,
}


class Onlooker:
    """Sees how far each call gets."""

    def __init__(self) -> None:
        self._steps: queue.SimpleQueue[tuple[str, Step]] = queue.SimpleQueue()

    def ladder(self, _at: float, name: str, step: Step) -> None:
        """The call for help of this input reached a step."""
        self._steps.put((name, step))

    def lamp(self, _at: float, _pattern: object) -> None:
        """The lamp isn't looked at."""

    def expect(self, name: str, step: Step) -> None:
        """Wait until this input's call has got there."""
        deadline = time.monotonic() + WAIT_LIMIT_S
        try:
            while self._steps.get(timeout=max(0.0, deadline - time.monotonic())) != (name, step):
                pass
        except queue.Empty:
            raise AssertionError(f"{name} wasn't {step.value} within {WAIT_LIMIT_S:g} s") from None


class House:
    """A node on simulated pins in this process, with two loud buttons and a wall clock of its own."""

    def __init__(self, directory: Path, port: int, wall_clock: WallClock) -> None:
        side = {**BUTTON, "name": "side", "pin": 27}
        path = write_config(
            directory,
            port,
            buttons=({**BUTTON, "name": "button"}, side),
            receipts="required",
            heartbeat_s=HEARTBEAT_S,
            receipt_s=RECEIPT_S,
        )
        text = path.read_text(encoding="utf-8").replace("[buzzer]\n", f"[buzzer]\nsound_limit_s = {SOUND_S}\n")
        path.write_text(text, encoding="utf-8")
        settings = config.load(path)
        self.levels: list[tuple[float, bool]] = []
        self.onlooker = Onlooker()
        self.wall = Wall(settings.settings.inputs, settings.line_pins, on_level=self._heard)
        self.service = Service(
            settings,
            lambda: self.wall.factory,
            config.state_directory(settings, {}),
            environ={},
            watcher=self.onlooker,
            clocks=Clocks(wall=wall_clock),
        )

    def _heard(self, _at: float, pin: int, level: bool) -> None:
        if pin == BUZZER:
            self.levels.append((time.monotonic(), level))

    def press(self, name: str) -> float:
        """Press and release; the instant before."""
        at = time.monotonic()
        self.wall.press(name)
        self.onlooker.expect(name, Step.PRESSED)
        self.wall.release(name)
        return at


@contextmanager
def _running(service: Service) -> Iterator[None]:
    with ThreadPoolExecutor(1, thread_name_prefix="service") as pool:
        outcome = pool.submit(service.run)
        try:
            yield
        finally:
            service.stop("the try has ended")
            failure = outcome.exception(WAIT_LIMIT_S)
            for link in service.links.values():  # a run that failed leaves its links behind
                link.close(0.0)
                link.join(WAIT_LIMIT_S)
        assert failure is None, f"the service ended: {failure!r}"


def attempt(this: Try) -> Figures:
    """One press that nobody confirms for a while, and all that has its time."""
    with Broker(this.directory / "broker") as broker, Desk(broker.port) as desk:
        house = House(this.directory, broker.port, KINDS[this.kind](this.random))
        with _running(house.service):
            desk.expect("state", state="online")
            desk.expect("heartbeat")
            time.sleep(this.random.uniform(0.0, 2.0))
            inhibited_at = time.monotonic()
            assert desk.order("inhibit", input="side", for_s=INHIBIT_S, reason="painters")["outcome"] == "done"
            pressed_at = house.press("button")
            late = {
                "nobody": _came(desk, "nobody", pressed_at, RECEIPT_S),
                "inhibit-ended": _came(desk, "inhibit-ended", inhibited_at, INHIBIT_S),
                "sound-ended": _came(desk, "sound-ended", pressed_at, SOUND_S),
            }
            _judge_sound(house, pressed_at)
            _confirm_all(desk)
            house.onlooker.expect("button", Step.TOLD)
            house.press("side")
            desk.expect("event", kind="pressed", input="side")
            _confirm_all(desk)
            house.onlooker.expect("side", Step.TOLD)
            for name in ("button", "side"):
                incident = desk.expect("event", kind="restored", input=name)["incident"]
                assert desk.order("reset", incident=incident)["outcome"] == "done"
            longest_s = _judge_heartbeats(desk)
        _judge_events(desk)
    return {**{f"s late: {name}": value for name, value in late.items()}, "s between heartbeats": longest_s}


def _came(desk: Desk, kind: str, since: float, after_s: float) -> float:
    """How late this event came; fails where it is early, or doesn't come as late as a loaded machine explains."""
    latest = since + after_s + LATE_S
    came = desk.receive("event", timeout_s=max(0.0, latest - time.monotonic()), kind=kind)
    late_s = came.at - since - after_s
    assert late_s >= -EARLY_S, f"{kind} came after {came.at - since:.2f} s in place of {after_s:g} s"
    return late_s


def _judge_sound(house: House, pressed_at: float) -> None:
    wait_until(lambda: not house.levels[-1][1], LATE_S)
    began, ended = house.levels[0][0] - pressed_at, house.levels[-1][0] - pressed_at
    assert 0.0 <= began <= LATE_S, f"the sound began after {began:.2f} s"
    # The last wave may have been in its pause when the sound ended.
    assert SOUND_S - 1.0 <= ended <= SOUND_S + LATE_S, f"the sound ended after {ended:.2f} s"


def _confirm_all(desk: Desk) -> None:
    for event in desk.events:
        desk.confirm(event)


def _judge_heartbeats(desk: Desk) -> float:
    """None is missing; and there are no more of them than the period, and what is told at once, lead to."""
    came = [each.at for each in desk.client.received if each.topic == f"{BRANCH}/heartbeat"]
    longest_s = max(later - earlier for earlier, later in pairwise(came))
    assert longest_s <= HEARTBEAT_S + LATE_S, f"{longest_s:.2f} s between two heartbeats"
    at_once = sum(event["kind"].startswith("fault-") for event in _by_number(desk).values())
    most = (came[-1] - came[0]) / HEARTBEAT_S + at_once + 2
    assert len(came) <= most, f"{len(came)} heartbeats in {came[-1] - came[0]:.1f} s"
    return longest_s


def _judge_events(desk: Desk) -> None:
    events = _by_number(desk)
    assert sorted(events) == [*range(1, max(events) + 1)], "an event is missing"
    counted = {kind: sum(each["kind"] == kind for each in events.values()) for kind in ("pressed", "nobody", "reset")}
    assert counted == {"pressed": 2, "nobody": 1, "reset": 2}, f"early, twice or missing: {counted}"


def _by_number(desk: Desk) -> dict[int, dict[str, str]]:
    return {each["seq"]: dict(each) for each in map(decoded, desk.client.received) if each.get("kind") is not None}


CLOCK = Campaign(
    "clock",
    "whatever the wall clock does, no alarm is early, late, twice or missing; every deadline keeps its monotonic time",
    full=200,
    short=len(KINDS),
    attempt=attempt,
    kinds=tuple(KINDS),
    parallel=8,
    apart=True,
)
