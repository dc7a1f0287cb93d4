"""A press: from the edge on the wire to the broker, to the buzzer's line and to the lamp's."""

from tests.campaigns.campaign import Figures, Try
from tests.support.desk import incidents
from tests.vm.point import Point
from tests.vm.room import BUZZER, DESK, LAMP, TAP_S, Room

SECOND = 1.0
"""Nothing tighter is asserted: the guest is emulated on a machine that does other things, too."""


def press(room: Room, one: Try) -> Figures:
    """A tap reaches a desk at the broker; the lines of buzzer and lamp go up within a second of its edge."""
    with room.desk(receipts=True) as desk:
        desk.beat()
        buzzer, lamp = (room.until(pin, high=True) for pin in (BUZZER, LAMP))
        (pressed, _), _ = room.tap(DESK, one.random.uniform(0.08, TAP_S))
        event = desk.expect("event", kind="pressed", input="desk")
        alarm = desk.expect("alarm", phase="received")
        room.expect("StatusText", "ALARM desk: told")
    figures = {"edge to buzzer": buzzer.result() - pressed, "edge to lamp": lamp.result() - pressed}
    assert incidents(alarm) == [event["incident"]]
    assert all(0.0 < each < SECOND for each in figures.values()), figures
    return figures


POINTS = (
    Point(
        "press",
        "a press reaches the broker, and buzzer and lamp are seen on their lines within 1 s",
        press,
        tries=20,
    ),
)
