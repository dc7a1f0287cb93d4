"""The doctor's findings: each situation made with real files, a real broker and a simulated wall."""

import errno
import socket
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gpiozero import DigitalInputDevice, DigitalOutputDevice

from node.cli import main
from node.cli.check import broker_check, pin_check
from node.cli.check.node_check import examine
from node.config import Config, last_good, load
from node.core.settings import InputSettings, Wiring
from node.errors import PanelError
from node.errors.faults import WIRE_FAULTY
from node.io.terminal.check_result import CheckResult
from node.service import status_file
from node.simulate.wall import Cable, Wall
from tests.support.broker import Broker, free_port
from tests.support.desk import BRANCH
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE, SimulatedNode, write_config
from tests.support.walls import wall_of

WAIT_LIMIT_S = 20.0
BUTTON, BUZZER = 17, 22
CANARY = f"{BRANCH}/canary"

NO_CANARY_BACK = "topic write #\n"
"""Everything may be written, and whatever is subscribed is granted and silent."""


def wall(wiring: Wiring = Wiring.NORMALLY_OPEN) -> Wall:
    """A wall with the button of ``write_config``."""
    return wall_of({"button": (BUTTON, wiring)})


def findings(config: Path, factory: Any = None, environ: dict[str, str] | None = None) -> list[CheckResult]:
    """All that the doctor says of a node with this wall."""
    pins = wall().factory if factory is None else factory
    return list(examine(config, environ or {}, lambda name: pins))


def about(found: list[CheckResult], subject: str) -> CheckResult:
    """The one finding whose text has this in it."""
    (one,) = (each for each in found if subject in each.text)
    return one


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, what answers is waited for."""
    monkeypatch.setattr(broker_check, "ANSWER_S", WAIT_LIMIT_S)
    monkeypatch.setattr(pin_check, "LEVELS_S", WAIT_LIMIT_S)


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (CheckResult(True, "all is well"), "ok      all is well"),
        (CheckResult(False, "it is broken", "mend it"), "FINDING it is broken. Next: mend it."),
        (CheckResult(None, "who knows", "look again"), "UNKNOWN who knows. Next: look again."),
    ],
)
def test_a_finding_is_one_line(finding: CheckResult, line: str) -> None:
    """A line begins with its mark and ends with the next step, where there is one."""
    assert str(finding) == line


def test_all_is_well_but_that_nothing_runs(tmp_path: Path, broker: Broker) -> None:
    """With config, pins, directory and broker in order, the one finding is that the service doesn't run."""
    config = write_config(tmp_path, broker.port)

    found = findings(config)

    assert [(each.ok, each.text.split(";")[0]) for each in found] == [
        (True, f"{config} is complete and consistent"),
        (False, "the service doesn't run: a press does nothing"),
        (True, f"{tmp_path / 'state'} can be written"),
        (True, "button (pin 17) is normal, its wire is unsupervised"),
        (True, f"broker 127.0.0.1:{broker.port} answers"),
    ]


def test_a_visit_leaves_no_trace(tmp_path: Path, broker: Broker) -> None:
    """The building hears a canary and nothing else, the doctor says goodbye to the broker, and no file stays."""
    config = write_config(tmp_path, broker.port)

    with Client(broker.port, subscribe=["#"]) as building:
        findings(config)
        building.publish("after/the/visit", b"")
        building.expect_topic("after/the/visit")
        topics = [each.topic for each in building.received]

    assert topics == [CANARY, "after/the/visit"]
    assert f"Received DISCONNECT from {SITE}/node/{NODE}" in broker.log.read_text(encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"broker", "node.toml"}


def test_the_pins_are_given_back(tmp_path: Path) -> None:
    """After a visit the pins can be used by whoever comes next."""
    pins = wall().factory
    config = write_config(tmp_path, free_port())

    findings(config, pins)
    again = findings(config, pins)

    assert about(again, "button (pin 17)").ok


def test_every_problem_of_the_config_is_a_finding(tmp_path: Path) -> None:
    """A config with problems is all that is looked at; each problem is a line that names its key."""
    config = tmp_path / "node.toml"
    config.write_text('[node]\nid = "Room 214"\nsite = "mitte"\nlocation = "here"\n', encoding="utf-8")

    found = findings(config)

    assert all(each.ok is False for each in found)
    assert about(found, "[node] id").text.startswith(f'{config}: [node] id = "Room 214"')
    assert about(found, "[[broker]] is missing").next_step == "correct this line"


def test_a_missing_config_is_a_finding(tmp_path: Path) -> None:
    """A config that isn't there has no line to correct: it has to be written."""
    config = tmp_path / "node.toml"

    assert findings(config) == [
        CheckResult(False, f"{config} isn't there", f"write it: alarm-node init --config {config}")
    ]


def test_the_file_alone_can_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a reload does first: what is wrong is told, its last good copy is no excuse, and nothing else is touched."""
    config = write_config(tmp_path, free_port())

    good = main.main(["check", "--file-only", "--config", str(config)])
    (tmp_path / "state").mkdir()
    last_good.keep(load(config), tmp_path / "state")
    config.write_text(config.read_text(encoding="utf-8").replace("pin = 17", "pin = 99"), encoding="utf-8")
    bad = main.main(["check", "--file-only", "--config", str(config)])

    told = capsys.readouterr()
    assert (good, bad) == (0, 1)
    assert told.out == f"{config} is complete and consistent\n"
    assert "[[button]] 1 pin = 99: must be a BCM number" in told.err


def test_a_config_that_was_lost_is_copied_back(tmp_path: Path) -> None:
    """The last good one is there, and the file that it becomes may be read by the service."""
    config = write_config(tmp_path, free_port())
    (tmp_path / "state").mkdir()
    last_good.keep(load(config), tmp_path / "state")
    config.unlink()

    missing, instead, *_ = findings(config, environ={"STATE_DIRECTORY": str(tmp_path / "state")})

    assert missing.text == f"{config} isn't there"
    copy = tmp_path / "state" / "last-good.toml"
    assert missing.next_step == f"copy it back: sudo install -m 644 {copy} {config}"
    assert "the node uses the last good configuration instead" in instead.text
    assert instead.next_step == f"put {config} in order, then: sudo systemctl reload alarm-node"


@pytest.mark.parametrize(
    ("wiring", "pressed", "ok"),
    [
        (Wiring.NORMALLY_OPEN, True, False),
        (Wiring.NORMALLY_CLOSED, True, False),
        (Wiring.NORMALLY_CLOSED, False, True),
    ],
)
def test_an_active_input_is_a_finding(wiring: Wiring, pressed: bool, ok: bool, tmp_path: Path) -> None:
    """A button that is held, or a wire that is cut, is told with what to check; one at rest is in order."""
    room = wall(wiring)
    if pressed:
        room.press("button")
    button = {"pin": BUTTON, "wiring": wiring.value, "class": "threat", "sound": "loud"}
    config = write_config(tmp_path, free_port(), buttons=[button])

    found = about(findings(config, room.factory), "button (pin 17)")

    assert found.ok is ok
    assert ("is active: pressed, cut, or wired the other way round" in found.text) is pressed
    assert (f"check the wire and wiring = '{wiring}'" in found.next_step) is pressed


CHANGEOVER = {"pin": BUTTON, "pin_nc": 27, "wiring": "changeover", "class": "threat", "sound": "loud"}
ALARM = {"mode": "alarm", "class": "threat", "sound": "loud", "lamp": "shown"}


@pytest.mark.parametrize(
    ("table", "keys", "ok", "text", "next_step"),
    [
        ("[[door]]", {"mode": "report"}, True, "door (pin 5) is active: the door is open", ""),
        ("[[door]]", {**ALARM, "mode": "held-open"}, True, "door (pin 5) is active: the door is open", ""),
        ("[[door]]", ALARM, False, "door (pin 5) is active: open, cut, or wired", "close the door, or check"),
        ("[tamper]", {}, False, "tamper (pin 5) is active: the case is open", "close the case, or check"),
        ("[reset]", {}, False, "reset (pin 5) is active: the key is turned", "turn it back, or check"),
    ],
)
def test_what_an_active_input_means_depends_on_what_it_is(
    tmp_path: Path, table: str, keys: dict[str, object], ok: bool, text: str, next_step: str
) -> None:
    """An open door is in order where opening it raises no alarm."""
    wired = {"pin": 5, "wiring": "normally-closed", **keys}
    config = write_config(tmp_path, free_port(), tables=[(table, wired)])

    found = about(findings(config), text)

    assert found.ok is ok
    assert found.text.endswith(", its wire is unsupervised")
    assert found.next_step.startswith(next_step)


@pytest.mark.parametrize("cable", Cable)
def test_the_doctor_tells_a_broken_wire_from_a_press(tmp_path: Path, cable: Cable) -> None:
    """Of a supervised input, whose two pins are named."""
    config = write_config(tmp_path, free_port(), buttons=[CHANGEOVER])
    room = Wall([InputSettings("button", Wiring.CHANGEOVER)], {"button": BUTTON, "button.nc": 27})
    room.set_cable("button", cable)

    found = about(findings(config, room.factory), "button (pin 17 and 27)")

    assert found.ok is (cable is Cable.INTACT)
    assert found.text.endswith("is normal" if found.ok else f": F043 {WIRE_FAULTY.text}")
    assert found.next_step == ("" if found.ok else WIRE_FAULTY.next_step)


def test_an_unreadable_input_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pin that can't be read is told as the fault that it would be."""
    room = wall()

    def broken() -> bool:
        raise OSError("the chip has gone")

    monkeypatch.setattr(room.factory.pin(BUTTON), "_get_state", broken)

    found = about(findings(write_config(tmp_path, free_port()), room.factory), "button (pin 17)")

    assert found.ok is False
    assert found.text == "button (pin 17): F001 an input can't be read: a press there may raise no alarm"


def test_an_input_that_is_not_read_in_time_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins that give no answer aren't waited for without end, and are not taken for normal."""
    room, answered = wall(), threading.Event()
    monkeypatch.setattr(pin_check, "LEVELS_S", 0.1)
    monkeypatch.setattr(room.factory.pin(BUTTON), "_get_state", partial(answered.wait, WAIT_LIMIT_S))

    found = findings(write_config(tmp_path, free_port()), room.factory)
    answered.set()

    assert about(found, "button (pin 17)").ok is False


def test_a_pin_that_is_taken_is_a_finding(tmp_path: Path) -> None:
    """A pin that another program holds is named, with how to find that program; the brokers are still looked at."""
    room = wall()

    with DigitalOutputDevice(BUZZER, pin_factory=room.factory):
        found = findings(write_config(tmp_path, free_port()), room.factory)

    taken = about(found, "buzzer (pin 22): F003 the buzzer or the lamp can't be switched")
    assert taken.ok is False
    assert "GPIO22 is already in use" in taken.text
    assert taken.next_step.startswith("look with gpioinfo")
    assert about(found, "button (pin 17)").ok, "each pin is told by itself"
    assert about(found, "broker ").ok is False


def test_each_input_that_is_taken_is_a_finding(tmp_path: Path) -> None:
    """With the pin, what it means, and why."""
    room = wall()

    with DigitalInputDevice(BUTTON, pin_factory=room.factory):
        found = about(findings(write_config(tmp_path, free_port()), room.factory), "button (pin 17)")

    assert found.ok is False
    assert found.text.startswith("button (pin 17): F001 an input can't be read: a press there may raise no alarm (")
    assert "GPIO17 is already in use" in found.text
    assert found.next_step.startswith("look with gpioinfo")


def test_a_machine_without_pins_is_a_finding(tmp_path: Path) -> None:
    """Where the named pin factory can't be had, the reason is told."""
    asked = []

    def make_factory(settings: Config) -> Any:
        asked.append(settings.pin_factory)
        raise PanelError("this machine has no GPIO", "run it on a Raspberry Pi")

    found = list(examine(write_config(tmp_path, free_port()), {}, make_factory))

    assert about(found, "no GPIO") == CheckResult(
        False, "E002 this machine has no GPIO: no press raises an alarm", "run it on a Raspberry Pi"
    )
    assert asked == ["gpiod"]


def test_a_directory_that_cannot_be_written_is_a_finding(tmp_path: Path) -> None:
    """A file in the place of the state directory is told as what it means for alarms."""
    (tmp_path / "state").write_text("in the way", encoding="ascii")

    found = about(findings(write_config(tmp_path, free_port())), str(tmp_path / "state"))

    assert found.ok is False
    assert "Not a directory: the record can't be written" in found.text
    assert (tmp_path / "state").read_text(encoding="ascii") == "in the way"


def test_a_directory_that_may_not_be_looked_at_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not see whether a service runs disturbs nothing, and is told to come back as somebody else."""
    config = write_config(tmp_path, free_port())

    def refuse(_state_directory: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(status_file, "is_running", refuse)

    found = list(examine(config, {}, lambda name: pytest.fail("the pins may be the service's")))

    assert [each.ok for each in found] == [True, None]
    assert found[1].text == f"{tmp_path / 'state'}: Permission denied"
    assert found[1].next_step == "run this as root or as the service's user"


def test_an_alarm_that_a_stopped_node_remembers_comes_first(tmp_path: Path, broker: Broker) -> None:
    """It is in the record, and nobody is called meanwhile."""
    config = write_config(tmp_path, broker.port)
    with SimulatedNode(config) as node:
        node.tap()
        node.expect(ladder="pressed")
        assert node.quit() == 0

    first = str(findings(config)[0])

    assert first.startswith("ALARM ")
    assert "of button was open when the service ended. Next: go there; then start the service" in first


def test_a_broker_that_is_away_is_a_finding(tmp_path: Path) -> None:
    """Where nobody listens, the reason and what it means are told at once."""
    port = free_port()

    found = about(findings(write_config(tmp_path, port)), "broker ")

    assert found.ok is False
    assert found.text.startswith(f"broker 127.0.0.1:{port}: connection refused: F010 a broker can't be reached")
    assert found.next_step.startswith("check the network cable, the network and the broker")


def test_a_broker_that_says_nothing_is_a_finding(tmp_path: Path) -> None:
    """A port that takes connections and never answers isn't waited for without end."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        found = about(findings(write_config(tmp_path, port)), "broker ")

    assert found.ok is False
    assert found.text.startswith(f"broker 127.0.0.1:{port}: no answer")


def test_a_broker_that_lets_nobody_in_is_a_finding(tmp_path: Path) -> None:
    """A refused connection is told with the broker's reason, and as the fault that it would be."""
    with Broker(tmp_path / "broker", anonymous=False) as broker:
        found = about(findings(write_config(tmp_path, broker.port)), "broker ")

    assert found.ok is False
    assert "not authorised (0x87): F022 a broker refuses the node's login" in found.text


def test_a_subscription_that_is_granted_and_silent_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An access list that swallows what the node would hear is found by a canary that doesn't come back: F012."""
    monkeypatch.setattr(broker_check, "ANSWER_S", 5.0)

    with Broker(tmp_path / "broker", acl=NO_CANARY_BACK) as broker:
        found = about(findings(write_config(tmp_path, broker.port)), "broker ")

    assert found.ok is False
    assert "no canary came back: F012 the node doesn't receive its own test message" in found.text
    assert found.next_step.startswith("in the broker's access list, allow the node's account")


def test_each_broker_is_looked_at(tmp_path: Path, broker: Broker) -> None:
    """One broker that is away hides nothing of another."""
    away = free_port()

    found = findings(write_config(tmp_path, away, broker.port))

    assert [about(found, f"broker 127.0.0.1:{port}").ok for port in (away, broker.port)] == [False, True]
