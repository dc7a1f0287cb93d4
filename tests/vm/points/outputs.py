"""What buzzer and lamp show after the service's end, on a kernel that keeps the level of a released output.

The lines are watched from outside, from before the end until the next run (or for a while, where there is none).
"""

from contextlib import ExitStack
from signal import SIGKILL

from tests.campaigns.campaign import Figures, Try
from tests.support.desk import Desk
from tests.vm.point import Point
from tests.vm.room import BUZZER, DESK, LAMP, UNIT, Room

STATES = ("ready", "calling", "received", "nobody", "acknowledged")
KILLED, STOPPED = "killed", "stopped"
KINDS = tuple(f"{how} when {state}" for state in STATES for how in (KILLED, STOPPED))

LIGHT = {"ready": (), "acknowledged": (LAMP,)}
"""Which lines are high when it is killed: the worst moment. In all other states both can be."""

_STEPS = {"calling": "(stored|accepted)", "received": "told", "nobody": "nobody", "acknowledged": "acknowledged"}

WATCHED_S = 200.0
"""At most: a busy machine takes its time from one run to the next."""

AFTER_STOP_S = 5.0
RECEIPT_S = 5
MICROSECONDS = 1e6


def dark(room: Room, one: Try) -> Figures:
    """However the service ends: both lines are low when its next run begins, and stay low if there is none."""
    how, _, state = one.kind.partition(" when ")
    with ExitStack() as stack:
        _bring(room, stack, state)
        watched = room.watch(WATCHED_S)
        if how == STOPPED:
            room.run("systemctl", "stop", UNIT)
            ended = begins = float(room.show("InactiveEnterTimestampMonotonic")) / MICROSECONDS
            room.agent.do("wait", seconds=AFTER_STOP_S)
        else:
            pid = room.show("MainPID")
            ended = room.signal(SIGKILL, LIGHT.get(state, (BUZZER, LAMP)))
            room.expect("ExecMainPID", f"(?!{pid}$|0$)")
            begins = float(room.show("ExecMainStartTimestampMonotonic")) / MICROSECONDS
        room.end_watch()
        changes = watched.result()
    levels = {pin: high for at, pin, high in changes if at < begins}
    assert levels == {BUZZER: False, LAMP: False}, f"{levels} when the next run began: {changes}"
    if how == STOPPED:
        assert not any(high for at, _, high in changes if at > begins), f"something came on after the stop: {changes}"
        return {}
    if state != "ready":
        room.expect("StatusText", "ALARM desk")
        assert room.until(LAMP, high=True).result() is not None
    lit = [at for at, _, high in changes if ended < at < begins and not high]
    return {"seconds until dark": max(lit, default=ended) - ended}


def _bring(room: Room, stack: ExitStack, state: str) -> None:
    """Bring the lamp into this state."""
    if state == "nobody":
        room.configure(receipt_s=RECEIPT_S)
        room.run("systemctl", "restart", UNIT)
    desk: Desk = stack.enter_context(room.desk(receipts=state == "received"))
    if state == "ready":
        return
    desk.beat()
    room.tap(DESK)
    pressed = desk.expect("event", kind="pressed")
    if state == "acknowledged":
        assert desk.order("acknowledge", incident=pressed["incident"])["outcome"] == "done"
    room.expect("StatusText", f"ALARM desk: {_STEPS[state]}")


POINTS = (
    Point(
        "dark after the end",
        "however the service ends, buzzer and lamp are low before its next run, though the kernel keeps outputs",
        dark,
        tries=2 * len(KINDS),
        kinds=KINDS,
    ),
)
