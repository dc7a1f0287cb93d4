"""Waves on the wire whose shape decides whether they are a press. All on machines with counted time.

There a wave is what it is meant to be, however busy this machine is. A guest that waits for its disk can still be late:
each try looks whether it put the wave on the wire, and begins again if it didn't.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from random import Random

from tests.campaigns.campaign import Figures, Try
from tests.vm.point import Point
from tests.vm.room import DESK, PRESSED, RELEASED, Room

Wave = list[tuple[bool, float]]

TAPS = 50
AGAIN = 5
"""How often a try may begin again. What was on the wire then isn't what was meant, so nothing is judged by it."""
BOUNCE_S = 0.003
EXACT_S = 0.0005
"""So far from its length a level may be, or the wave isn't the one that was meant."""

SLOW_MIPS, HUMMING_S = 500, 0.002
"""On a board that is slow enough for edges to wait, hum is no press either. The tests' own program is slower, too:
so much later a level may be. The longest pulse is still shorter than 14 ms.
"""

DECIDED_S = 3.0
"""After so long everything is decided and stored."""


def short(room: Room, one: Try) -> Figures:
    """Touches of 5 ms are no presses."""
    _drive(room, _taps(one.random, 0.005))
    assert room.events("pressed") == []
    assert room.show("StatusText").startswith("ready")
    return {}


def long(room: Room, one: Try) -> Figures:
    """Taps of 40 ms are presses, each once."""
    _drive(room, _taps(one.random, 0.040))
    assert len(room.events("pressed")) == TAPS
    return {}


def bouncing(room: Room, one: Try) -> Figures:
    """Taps of 40 ms that bounce for 3 ms at their beginning and at their end are presses, each once."""
    wave: Wave = []
    for _ in range(TAPS):
        wave += [*_bounce(one.random, PRESSED), (PRESSED, 0.040), *_bounce(one.random, RELEASED), (RELEASED, 0.4)]
    _drive(room, wave)
    assert len(room.events("pressed")) == TAPS
    return {}


def hum(room: Room, one: Try) -> Figures:
    """What a cable picks up is no press, and a press meanwhile is one press."""
    hertz, low = _HUMS[one.kind]
    period = 1.0 / hertz
    humming = [(PRESSED, period * low), (RELEASED, period * (1.0 - low))] * round(2.0 * hertz)
    _drive(room, [*humming, (RELEASED, 0.0)], HUMMING_S)
    assert room.events("pressed") == [], "hum was taken for a press"
    _drive(room, [*humming, (PRESSED, one.random.uniform(0.15, 0.4)), *humming, (RELEASED, 0.0)], HUMMING_S)
    assert len(room.events("pressed")) == 1, "a press during hum isn't one press"
    return {}


def hum_is_a_fault(room: Room, one: Try) -> Figures:
    """A cable that hums all the time becomes a fault."""
    room.configure(chatter_presses=60)
    room.run("systemctl", "restart", "alarm-node")
    _drive(room, [(PRESSED, 0.005), (RELEASED, 0.005)] * (100 * 20))
    assert room.events("pressed") == []
    raised = [(each["fault"], each["subject"]) for each in room.events("fault-raised")]
    assert ("F042", "desk") in raised, raised
    return {}


_HUMS = {
    "100 Hz, low for 50 %": (100, 0.5),
    "30 Hz, low for 35 %": (30, 0.35),
    "400 Hz, low for 70 %": (400, 0.70),
    "400 Hz, low for 75 %": (400, 0.75),
}


def _taps(random: Random, seconds: float) -> Wave:
    return [each for _ in range(TAPS) for each in ((PRESSED, seconds), (RELEASED, random.uniform(0.2, 0.5)))]


def _bounce(random: Random, *levels: bool) -> Iterator[tuple[bool, float]]:
    """A contact on its way to this level: it is there and away by turns, 3 ms in all."""
    (level,) = levels
    left = BOUNCE_S
    while left > 0.0:
        there, away = random.uniform(0.0002, 0.0008), random.uniform(0.0002, 0.0004)
        yield level, there
        yield not level, away
        left -= there + away


class NotTheWaveError(AssertionError):
    """What was on the wire isn't what was meant."""


def _as_meant(attempt: Callable[[Room, Try], Figures]) -> Callable[[Room, Try], Figures]:
    """The attempt, begun again while its wave isn't the one that was meant."""

    def again(room: Room, one: Try) -> Figures:
        for _ in range(AGAIN):
            with suppress(NotTheWaveError):
                return attempt(room, one)
            room.go_back()
        return attempt(room, one)

    return again


def _drive(room: Room, wave: Sequence[tuple[bool, float]], exact_s: float = EXACT_S) -> None:
    """Put the wave on the wire, and wait until all is decided. It has to be the wave that was meant."""
    set_at = room.wire(DESK, wave)
    begin = set_at[0][0]
    due = 0.0
    off = []
    for number, ((_, seconds), (before, after)) in enumerate(zip(wave, set_at, strict=True)):
        if max(abs(before - begin - due), after - before) > exact_s:
            off.append(f"level {number} of {len(wave)}: {(before - begin - due) * 1e3:.3f} ms late")
        due += seconds
    if off:
        raise NotTheWaveError(f"the wave wasn't made as it was meant: {off[:5]}")
    room.agent.do("wait", seconds=DECIDED_S)


POINTS = (
    Point(
        "5 ms",
        f"{TAPS} touches of 5 ms in each try raise no alarm",
        _as_meant(short),
        tries=4,
        mips=1_000,
    ),
    Point("40 ms", f"{TAPS} taps of 40 ms in each try count once each", _as_meant(long), tries=4, mips=1_000),
    Point(
        "bounce",
        f"{TAPS} taps with 3 ms of bounce at both ends count once each",
        _as_meant(bouncing),
        tries=4,
        mips=1_000,
    ),
    Point(
        "hum fault", "100 Hz for 20 s is the fault F042, and no alarm", _as_meant(hum_is_a_fault), tries=1, mips=1_000
    ),
    Point(
        "hum",
        "hum on the cable of a slow board is no press, and a press during hum counts once",
        _as_meant(hum),
        tries=8,
        kinds=tuple(_HUMS),
        mips=SLOW_MIPS,
    ),
)
