"""A press on arm64, whose lines are set and seen from outside of the guest."""

from tests.campaigns.campaign import Figures, Try
from tests.support.desk import incidents
from tests.vm.point import Point
from tests.vm.room import BUZZER, DESK, LAMP, TAP_S, Room


def press(room: Room, one: Try) -> Figures:
    """A tap reaches a desk at the broker; the buzzer's line goes up, and the lamp's blinks."""
    with room.desk(receipts=True) as desk:
        desk.beat()
        assert not room.level(BUZZER)
        buzzer = room.until(BUZZER, high=True)
        (pressed, _), _ = room.tap(DESK, one.random.uniform(0.08, TAP_S))
        event = desk.expect("event", kind="pressed", input="desk")
        alarm = desk.expect("alarm", phase="received")
        room.expect("StatusText", "ALARM desk: told")
    took = buzzer.result() - pressed
    assert incidents(alarm) == [event["incident"]]
    assert took > 0.0
    for high in (False, True):
        assert room.until(LAMP, high=high).result() is not None
    return {"edge to buzzer": took}


POINTS = (
    Point(
        "press from outside",
        "on arm64 a press on a PL061's line reaches the broker, and the buzzer's line goes up",
        press,
        tries=20,
        factories=("gpiod",),
    ),
)
