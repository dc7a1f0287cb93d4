"""A room in the guest: the service with two buttons, a buzzer and a lamp on the simulated chip; and who looks at it.

Lamp and buzzer are looked at on the lines themselves, never in what the program says of them.
"""

import json
import re
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.support.desk import Desk
from tests.support.node import write_config
from tests.vm.lines import ANSWER_S, Agent
from tests.vm.machine import Machine

DESK, COUNTER, BUZZER, LAMP = 17, 27, 22, 23
"""The pins of both buttons and of both outputs."""

BUTTONS = [
    {"name": name, "pin": pin, "wiring": "normally-open", "class": "threat", "sound": "loud"}
    for name, pin in (("desk", DESK), ("counter", COUNTER))
]
UNIT = "alarm-node.service"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"

_A_PI = "[Service]\nBindReadOnlyPaths=/vm/cpuinfo:/proc/cpuinfo\n"

_ENDS = "/run/watch-ends"

TAP_S = 0.120
HIGH_S = 30.0
"""Within so many seconds lines that blink are high at the same moment."""

READY = "ready"
"""The moment before each try: the service has said READY, no fault stands, and no alarm is open."""

PRESSED, RELEASED = False, True
"""The level of a line whose contact connects it to ground."""


class Room:
    """The room on a machine that runs, by one pin factory ("gpiod" or "lgpio")."""

    def __init__(self, machine: Machine, factory: str) -> None:
        self.machine = machine
        self.factory = factory

    @property
    def agent(self) -> Agent:
        """Who acts in the guest."""
        return self.machine.agent

    def configure(self, *, receipt_s: int = 10, chatter_presses: int = 10_000) -> None:
        """Write the configuration. A change wants a start."""
        panel = {"pin_factory": self.factory, "chatter_presses": chatter_presses, **self._panel()}
        with tempfile.TemporaryDirectory() as directory:
            written = write_config(Path(directory), 1883, buttons=BUTTONS, panel=panel, receipt_s=receipt_s)
            lines = written.read_text(encoding="utf-8").splitlines(keepends=True)
        text = "".join(self._at_its_place(line) for line in lines if not line.startswith("state_directory"))
        self.agent.do("write", path="/etc/alarm-node/node.toml", text=text)
        if self.factory == "lgpio":
            self.drop_in("pi", _A_PI)

    def _panel(self) -> Mapping[str, object]:
        """What else stands in the configuration's table of the panel."""
        return {}

    def _at_its_place(self, line: str) -> str:
        """A line of the configuration, with the pin that it has on this machine."""
        return line

    def go_back(self) -> None:
        """Return to the moment at which each try begins."""
        self.machine.load(READY)

    def drop_in(self, name: str, text: str) -> None:
        """Change the unit."""
        self.agent.do("write", path=f"{DROP_INS}/{name}.conf", text=text)
        self.run("systemctl", "daemon-reload")

    def run(self, *command: str) -> str:
        """Run a program in the guest; what it said. It has to succeed."""
        code, said = self.agent.do("run", command=command)
        assert code == 0, f"{' '.join(command)} ended with {code}: {said}"
        return str(said)

    def restart_machine(self) -> None:
        """Press the machine's reset button, with all files synced; until the guest runs again."""
        self.run("sync")
        hellos = self.agent.hellos
        self.machine.qmp.do("system_reset")
        self.agent.expect_hello(hellos)

    def start(self) -> None:
        """Start the service, and wait for READY."""
        self.run("systemctl", "start", UNIT)

    def show(self, name: str) -> str:
        """A property of the unit, such as "StatusText" or "MainPID"."""
        return self.run("systemctl", "show", UNIT, f"--property={name}", "--value").strip()

    def expect(self, name: str, pattern: str, timeout_s: float = ANSWER_S) -> str:
        """Wait until a property of the unit begins as this pattern says; what it is then."""
        until = time.monotonic() + timeout_s
        while not re.match(pattern, shown := self.show(name)):
            assert time.monotonic() < until, (
                f"{name} is {shown!r} and not {pattern!r} after {timeout_s:g} s: {self.log()}"
            )
            time.sleep(0.2)
        return shown

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of this kind in the record, oldest first, as `alarm-node log` tells them."""
        told = [
            json.loads(line) for line in self.run("alarm-node", "log", "--json").splitlines() if line.startswith("{")
        ]
        return [each for each in told if each.get("kind") == kind]

    def log(self, lines: int = 30) -> str:
        """The end of the service's journal."""
        return self.run("journalctl", f"--unit={UNIT}", "--output=short-monotonic", "--no-hostname", f"--lines={lines}")

    def signal(self, sent: signal.Signals, pins: Sequence[int] = ()) -> float:
        """Send the service's process a signal, when all these lines are high; the instant, on the guest's clock."""
        pid = int(self.show("MainPID"))
        at = self.agent.do("signal_when_high", pins=pins, pid=pid, sent=sent, timeout_s=HIGH_S)
        assert at is not None, f"the lines {pins} weren't high together within {HIGH_S:g} s"
        return float(at)

    def hold(self, pin: int) -> None:
        """Press a button, and keep it pressed."""
        self.wire(pin, [(PRESSED, 0.0)])

    def release(self, pin: int) -> None:
        """Let a button go."""
        self.wire(pin, [(RELEASED, 0.0)])

    def tap(self, pin: int, seconds: float = TAP_S) -> list[tuple[float, float]]:
        """Press a button and let it go; the instants before and after each of both edges, on the guest's clock."""
        return self.wire(pin, [(PRESSED, seconds), (RELEASED, 0.0)])

    def wire(self, pin: int, wave: Sequence[tuple[bool, float]]) -> list[tuple[float, float]]:
        """Do this to a wire: levels, each for so many seconds; when each was set."""
        set_at: list[tuple[float, float]] = self.agent.do("drive", pin=pin, wave=wave)
        return set_at

    def level(self, pin: int) -> bool:
        """Whether a line is high now."""
        return bool(self.agent.do("level", pin=pin))

    def until(self, pin: int, *, high: bool, timeout_s: float = ANSWER_S) -> "Future[Any]":
        """When a line is seen at a level, from now on; None if it never is."""
        return self.agent.start("until", pin=pin, high=high, timeout_s=timeout_s)

    def watch(self, seconds: float, pins: Sequence[int] = (BUZZER, LAMP)) -> "Future[Any]":
        """What lines do from now on: (when, which line, its level), the first levels included.

        For so many seconds, or until ``end_watch``.
        """
        return self.agent.start("watch", pins=pins, seconds=seconds, ends=_ENDS)

    def end_watch(self) -> None:
        """Watch no longer."""
        self.agent.do("write", path=_ENDS, text="")

    def desk(self, *, receipts: bool = False) -> AbstractContextManager[Desk]:
        """A monitor's desk at the guest's broker."""
        return Desk(self.machine.port, receipts=receipts)
