"""A virtual machine: QEMU without KVM, with two disks, a serial line to its agent, and its broker on a loopback port.

Its disks are never written to, but for a data disk that is to be ``kept``: QEMU writes into overlays that go with the
machine. So all tests begin with the same disks, and a moment can be saved and returned to.

With counted time (``mips``: how many million instructions a second) the guest's clock counts its instructions, and
jumps where it would wait. Then nothing that this machine is busy with can make a wave longer in the guest: 5 ms are
5 ms. It is slower, and nothing outside of the guest can be timed with it.
"""

import math
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.broker import free_port
from tests.vm.agent import NAME
from tests.vm.boards import BOARDS
from tests.vm.lines import ANSWER_S, Agent, LineError, Qmp, wait_until
from tests.vm.wires import Wires

MEMORY = "768M"
COMMAND_LINE = (
    "console={console} root=/dev/vda rw quiet loglevel=4 mitigations=off preempt=full nokaslr net.ifnames=0 panic=0 "
    "systemd.show_status=0 "
)

_CLOCK_THAT_GOES_BACK = "clocksource=acpi_pm "
"""After a return to a saved moment the processor's own counter goes on as if nothing had been: this clock returns."""

_FAST = ("-accel", "tcg,thread=multi,tb-size=512", "-smp", "2")
_COUNTED = ("-accel", "tcg,thread=single,tb-size=512", "-smp", "1")


@dataclass(frozen=True, slots=True)
class Disks:
    """What a machine of this architecture boots. ``data`` is changed only where it is to be kept."""

    architecture: str
    kernel: Path
    initramfs: Path
    root: Path
    data: Path


_running: set[subprocess.Popen[bytes]] = set()


def kill_all() -> None:
    """Kill every QEMU of this process. Whatever waits for a machine fails then, so that a run can end at once."""
    for each in tuple(_running):
        each.kill()


class Machine:
    """Runs from entering it as a context to leaving it. ``directory`` gets its sockets and what it says."""

    def __init__(self, disks: Disks, directory: Path, *, kept: bool = False, mips: int | None = None) -> None:
        self.disks = disks
        self.port = free_port()
        """On the host's loopback: the guest's broker."""
        self._directory = Path(tempfile.mkdtemp(prefix="machine-", dir=directory))
        self._board = BOARDS[disks.architecture]
        self._kept, self._mips = kept, mips

    wires: Wires
    """Only on a board that has them."""

    def save(self, moment: str) -> None:
        """Remember everything as it is now."""
        self.qmp.monitor(f"savevm {moment}")

    def load(self, moment: str) -> None:
        """Go back to a remembered moment."""
        self.agent.forget()
        self.qmp.monitor(f"loadvm {moment}")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still for a moment. The disks are then as a power cut would leave them."""
        self.qmp.do("stop")
        try:
            yield
        finally:
            self.qmp.do("cont")

    @property
    def console(self) -> str:
        """The end of what kernel and systemd said."""
        said = (self._directory / "console").read_text(encoding="utf-8", errors="replace")
        return "\n".join(said.splitlines()[-25:])

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._directory / "qemu").open("wb"),
        )
        _running.add(self._process)
        try:
            self.qmp = Qmp(self._connected("qmp"))
            self.agent = Agent(self._connected("agent"))
            if self._board.has_wires:
                self.wires = Wires(self._connected("qtest"), self.qmp)
            self.qmp.do("cont")
            self.agent.expect_hello(0)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.qmp.close()
        self.agent.close()
        if self._board.has_wires:
            self.wires.close()
        self._end()

    def _command(self) -> list[str]:
        place = self._directory
        overlay = "off" if self._kept else "on"
        command_line = COMMAND_LINE.format(console=self._board.console)
        if self._mips is None and not self._board.has_wires:
            command_line += _CLOCK_THAT_GOES_BACK
        qtest = ("-qtest", f"unix:{place}/qtest,server=on,wait=off", "-qtest-log", "/dev/null")
        return [
            *(self._board.program, *self._board.options, "-m", MEMORY, "-S"),
            *(_FAST if self._mips is None else (*_COUNTED, "-icount", f"shift={_shift(self._mips)},sleep=off")),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", f"file:{place}/console"),
            *("-kernel", str(self.disks.kernel), "-initrd", str(self.disks.initramfs), "-append", command_line),
            *("-drive", f"if=none,id=root,format=raw,snapshot=on,file={self.disks.root}"),
            *("-device", "virtio-blk-pci,drive=root"),
            *("-drive", f"if=none,id=data,format=raw,snapshot={overlay},file={self.disks.data}"),
            *("-device", "virtio-blk-pci,drive=data"),
            *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:1883"),
            *("-device", "virtio-net-pci,netdev=net,romfile="),
            *("-chardev", f"socket,id=agent,path={place}/agent,server=on,wait=off"),
            *("-device", "virtio-serial-pci", "-device", f"virtserialport,chardev=agent,name={NAME}"),
            *("-qmp", f"unix:{place}/qmp,server=on,wait=off"),
            *(qtest if self._board.has_wires else ()),
        ]

    def _connected(self, name: str) -> socket.socket:
        """A connection to one of QEMU's sockets, as soon as it listens there."""
        connection = socket.socket(socket.AF_UNIX)

        def connect() -> bool:
            if self._process.poll() is not None:
                said = (self._directory / "qemu").read_text(encoding="utf-8", errors="replace").strip()
                raise LineError(f"QEMU has ended: {said}")
            try:
                connection.connect(str(self._directory / name))
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            return True

        wait_until(connect, f"QEMU's socket {name}")
        return connection

    def _end(self) -> None:
        self._process.kill()
        self._process.wait(ANSWER_S)
        _running.discard(self._process)
        shutil.rmtree(self._directory, ignore_errors=True)


def _shift(mips: int) -> int:
    """QEMU's word for it: an instruction takes two to this power of nanoseconds."""
    return round(math.log2(1_000 / mips))
