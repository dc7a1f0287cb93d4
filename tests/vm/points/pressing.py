"""A press: from the edge on the wire to the broker, to the buzzer's line and to the lamp's."""

from tests.campaigns.campaign import Figures, Try
from tests.support.desk import incidents
from tests.vm.point import Point
from tests.vm.room import BUZZER, DESK, LAMP, TAP_S, Room

WATCHED_S = 6.0
BLINKS = 3
"""In so many seconds a lamp that is ready flashes twice at most."""

AT_ONCE_S = 0.1
SOON_S = 1.0


def press(room: Room, one: Try) -> Figures:
    """A tap reaches a desk at the broker, and sounds and blinks. Nothing is timed here: this machine is busy, too."""
    with room.desk(receipts=True) as desk:
        desk.beat()
        watched, buzzer = room.watch(WATCHED_S, [LAMP]), room.until(BUZZER, high=True)
        (pressed, _), _ = room.tap(DESK, one.random.uniform(0.08, TAP_S))
        event = desk.expect("event", kind="pressed", input="desk")
        alarm = desk.expect("alarm", phase="received")
        room.expect("StatusText", "ALARM desk: told")
    assert incidents(alarm) == [event["incident"]]
    sounded = buzzer.result()
    assert sounded is not None
    assert pressed < sounded
    blinks = [at for at, _, high in watched.result() if high and at > pressed]
    assert len(blinks) >= BLINKS, f"the lamp didn't blink: {blinks}"
    return {"edge to buzzer": sounded - pressed}


def soon(room: Room, one: Try) -> Figures:
    """Where time is counted, a tap sounds within 0.1 s of its edge, and is stored within a second."""
    buzzer = room.until(BUZZER, high=True)
    (pressed, _), _ = room.tap(DESK, one.random.uniform(0.04, TAP_S))
    took = buzzer.result() - pressed
    assert 0.0 < took < AT_ONCE_S, took
    room.agent.do("wait", seconds=SOON_S)
    assert len(room.events("pressed")) == 1
    return {"edge to buzzer": took}


POINTS = (
    Point(
        "press",
        "a press reaches the broker, the buzzer sounds and the lamp blinks, seen on their lines",
        press,
        tries=20,
    ),
    Point(
        "at once",
        "a press sounds within 0.1 s of its edge and is stored within 1 s, at 1,000 million instructions a second",
        soon,
        tries=20,
        mips=1_000,
    ),
)
