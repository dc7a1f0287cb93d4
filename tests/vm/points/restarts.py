"""A machine and a service that start anew: with a button held, after a freeze, after a crash of the kernel."""

from signal import SIGSTOP

from tests.campaigns.campaign import Figures, Try
from tests.support.desk import incidents
from tests.vm.agent import HELD
from tests.vm.point import Point
from tests.vm.room import BUZZER, DESK, LAMP, UNIT, Room


def held_at_boot(room: Room, one: Try) -> Figures:
    """A button that is pressed when the machine starts is an alarm."""
    room.run("systemctl", "enable", UNIT)
    room.agent.do("write", path=str(HELD), text=f"{DESK}\n")
    room.restart_machine()
    buzzer = room.until(BUZZER, high=True)
    with room.desk(receipts=True) as desk:
        alarm = desk.expect("alarm", phase="active", timeout_s=120.0)
    assert [each["input"] for each in alarm["incidents"]] == ["desk"]
    assert buzzer.result() is not None
    return {}


def frozen(room: Room, one: Try) -> Figures:
    """A service that stands still is started anew by its watchdog, and is in alarm again."""
    before = _press(room)
    pid = room.show("MainPID")
    stopped_at = room.signal(SIGSTOP)
    room.expect("ExecMainPID", f"(?!{pid}$|0$)")
    began = float(room.show("ExecMainStartTimestampMonotonic")) / 1e6
    room.run("journalctl", f"--unit={UNIT}", "--grep=Watchdog timeout")
    _in_alarm(room, before)
    return {"seconds until the new run": began - stopped_at}


def crashed(room: Room, one: Try) -> Figures:
    """A kernel that crashes is reset by the hardware watchdog, and the node is in alarm again."""
    room.run("systemctl", "enable", UNIT)
    before = _press(room)
    room.run("sync")
    events, hellos = len(room.machine.qmp.events), room.agent.hellos
    room.agent.start("write", path="/proc/sysrq-trigger", text="c")
    room.machine.qmp.expect_event("WATCHDOG", events)
    room.machine.qmp.expect_event("RESET", events)
    room.agent.expect_hello(hellos)
    _in_alarm(room, before)
    return {}


def _press(room: Room) -> list[str]:
    """Press, until the press is stored and at the broker; the open incidents."""
    with room.desk() as desk:
        desk.beat()
        room.tap(DESK)
        alarm = desk.expect("alarm", phase="active")
        room.expect("StatusText", "ALARM desk: accepted")
    return incidents(alarm)


def _in_alarm(room: Room, before: list[str]) -> None:
    """The same incident is open at the broker, and seen on both lines."""
    with room.desk() as desk:
        online = desk.expect("state", lambda message: message["state"] == "online", timeout_s=120.0)
        alarm = desk.expect("alarm", lambda message: message["boot"] == online["boot"], timeout_s=120.0)
    assert incidents(alarm) == before
    assert room.until(LAMP, high=True).result() is not None
    assert room.until(BUZZER, high=True).result() is not None


POINTS = (
    Point("held at boot", "a button that is held when the machine starts is an alarm", held_at_boot, tries=2),
    Point("frozen", "a service that stands still is started anew, and in alarm again", frozen, tries=2),
    Point(
        "kernel crash",
        "a crashed kernel is reset by the hardware watchdog (i6300esb), and the node is in alarm again",
        crashed,
        tries=2,
    ),
)
