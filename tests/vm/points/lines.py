"""Lines that another program has, and a chip that goes away."""

from tests.campaigns.campaign import Figures, Try
from tests.support.desk import Desk, Message
from tests.vm.point import Point
from tests.vm.room import BUZZER, COUNTER, DESK, UNIT, Room

CHIP = "gpiochip0"
SOMEBODY = "somebody else"
"""What another program calls itself at the kernel."""

LINES_AT_MOST = {"gpiod": 60, "lgpio": 8_000}
"""Of the journal, when a chip goes and comes back. lgpio writes 5,000 a second until the next reading silences it."""

AWAY_S = 20.0
AWAY = "away for a while"


def taken(room: Room, one: Try) -> Figures:
    """A line that another program has is a fault that names it; the rest works, and the line does once it is free."""
    pin, code, subject = {"a button": (COUNTER, "F001", "counter"), "the buzzer": (BUZZER, "F003", "buzzer")}[one.kind]
    room.run("systemctl", "stop", UNIT)
    room.agent.do("hold", chip=CHIP, pin=pin, consumer=SOMEBODY)
    room.start()
    with room.desk(receipts=True) as desk:
        desk.expect("heartbeat", lambda message: (code, subject) in _faults(message), timeout_s=120.0)
        assert room.factory == "lgpio" or SOMEBODY in room.log(), room.log()
        _press(room, desk, DESK, "desk")
        room.agent.do("let_go")
        desk.expect("heartbeat", lambda message: (code, subject) not in _faults(message), timeout_s=120.0)
        _press(room, desk, COUNTER, "counter")
        _press(room, desk, DESK, "desk")  # its line was let go and asked for again, together with the other
    assert room.until(BUZZER, high=True).result() is not None
    return {}


def unplugged(room: Room, one: Try) -> Figures:
    """A chip that goes and comes back is found again, without a flood in the journal."""
    before, cursor = room.show("InvocationID"), _lines(room)
    room.agent.do("unplug")
    room.agent.do("plug", chip="other", lines=4, label="other")
    if one.kind == AWAY:
        room.agent.do("wait", seconds=AWAY_S)
    room.agent.do("plug")
    room.expect("InvocationID", f"(?!{before})")
    room.expect("StatusText", "ready(?!.*F001)")
    with room.desk(receipts=True) as desk:
        _press(room, desk, DESK, "desk")
    assert room.until(BUZZER, high=True).result() is not None
    written = _lines(room) - cursor
    assert written <= LINES_AT_MOST[room.factory], room.log(written)
    return {"lines in the journal": written, "starts": float(room.show("NRestarts"))}


def gone(room: Room, one: Try) -> Figures:
    """With lgpio the service ends cleanly and in time, without a flood, and its next run says that there is no chip."""
    before, cursor = room.show("InvocationID"), _lines(room)
    unplugged_at = room.agent.do("now")
    room.agent.do("unplug")
    room.expect("InvocationID", f"(?!{before})")
    began = float(room.show("ExecMainStartTimestampMonotonic")) / 1e6
    room.expect("StatusText", "NOT READY.*F001.*F003")
    said = room.run("journalctl", f"--unit={UNIT}", "--output=cat", "--quiet")
    assert "Main process exited" not in said, room.log(60)  # systemd says that of an end that isn't clean
    written = _lines(room) - cursor
    assert written <= LINES_AT_MOST["lgpio"], room.log(60)
    return {"lines in the journal": written, "seconds until the next run": began - unplugged_at}


def _press(room: Room, desk: Desk, pin: int, name: str) -> None:
    room.tap(pin)
    desk.expect("event", kind="pressed", input=name, timeout_s=60.0)


def _faults(heartbeat: Message) -> set[tuple[str, str]]:
    return {(fault["code"], fault["subject"]) for fault in heartbeat["faults"]}


def _lines(room: Room) -> int:
    return len(room.run("journalctl", f"--unit={UNIT}", "--output=cat", "--quiet").splitlines())


POINTS = (
    Point(
        "taken line",
        "a line that another program has is a fault, the rest works, and it works once it is free",
        taken,
        tries=2,
        kinds=("a button", "the buzzer"),
    ),
    Point(
        "chip away",
        "a chip that goes and comes back under another number is found, without a flood in the journal",
        unplugged,
        tries=2,
        kinds=("back at once", AWAY),
    ),
    Point(
        "chip gone",
        "with lgpio a service whose chip has gone ends cleanly, without a flood, and says that there is none",
        gone,
        tries=2,
        factories=("lgpio",),
    ),
)
