"""A press: from the edge on the wire to the broker, to the buzzer's line and to the lamp's."""

from tests.campaigns.campaign import Figures, Try
from tests.support.desk import incidents
from tests.vm.point import Point
from tests.vm.room import BUZZER, DESK, LAMP, TAP_S, Room

SECOND = 1.0
"""Nothing tighter is asserted: the guest is emulated on a machine that does other things, too."""

WATCHED_S = 5.0
BLINKS = 2
"""A node that is ready flashes once in several seconds."""


def press(room: Room, one: Try) -> Figures:
    """A tap reaches a desk at the broker; within a second of its edge the buzzer sounds and the lamp blinks."""
    with room.desk(receipts=True) as desk:
        desk.beat()
        watched = room.watch(WATCHED_S)
        (pressed, _), _ = room.tap(DESK, one.random.uniform(0.08, TAP_S))
        event = desk.expect("event", kind="pressed", input="desk")
        alarm = desk.expect("alarm", phase="received")
        room.expect("StatusText", "ALARM desk: told")
    assert incidents(alarm) == [event["incident"]]
    buzzer, lamp = (
        [at - pressed for at, pin, high in watched.result() if pin == each and high and pressed < at < pressed + SECOND]
        for each in (BUZZER, LAMP)
    )
    assert buzzer, "the buzzer wasn't heard"
    assert len(lamp) >= BLINKS, f"the lamp didn't blink: {lamp}"
    return {"edge to buzzer": buzzer[0]}


POINTS = (
    Point(
        "press",
        "a press reaches the broker, and within 1 s the buzzer sounds and the lamp blinks, seen on their lines",
        press,
        tries=20,
    ),
)
