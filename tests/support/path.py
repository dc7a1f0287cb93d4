"""A network path of the test's own: two namespaces, and between them a relay that delays, loses and swallows packets.

    namespace NAME-n  10.77.0.2  tun <--- Path: one thread ---> tun  10.77.0.1  namespace NAME-b

Each way has a state of its own (``Way``), which may be changed at any moment. It needs root, ``ip`` and /dev/net/tun;
``missing`` says what this machine lacks.
"""

import ctypes
import fcntl
import heapq
import itertools
import os
import random
import selectors
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path as File
from types import TracebackType
from typing import Self

NODE_ADDRESS, BROKER_ADDRESS = "10.77.0.2", "10.77.0.1"

_TUN = File("/dev/net/tun")
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_PACKET = 65_536
_numbers = itertools.count()


@dataclass(slots=True)
class Way:
    """One direction: nothing passes where it is ``dead``, ``loss`` is the share that gets lost on it."""

    dead: bool = False
    loss: float = 0.0
    delay_s: float = 0.0


def missing() -> str:
    """What this machine lacks for a path of its own; "" where nothing."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    if shutil.which("ip") is None:
        return "needs ip (Debian's iproute2)"
    if not _TUN.exists():
        return f"needs {_TUN}"
    try:
        with Path(random.Random(0)):  # noqa: S311 - nothing is sent
            return ""
    except (OSError, subprocess.CalledProcessError) as failure:
        return f"network namespaces can't be made here: {failure}"


class Path:
    """Both namespaces and the relay, from entering it as a context to leaving it. ``chance`` decides what is lost."""

    def __init__(self, chance: random.Random) -> None:
        name = f"alarm-{os.getpid()}-{next(_numbers)}"
        self.node, self.broker = f"{name}-n", f"{name}-b"
        self.to_broker, self.to_node = Way(), Way()
        self._chance = chance
        self._stack = ExitStack()
        self._due: list[tuple[float, int, int, bytes]] = []
        self._order = itertools.count()

    @property
    def ways(self) -> tuple[Way, Way]:
        """Both."""
        return self.to_broker, self.to_node

    def heal(self) -> None:
        """Both ways are as good as new; what is on its way comes when it would have."""
        for way in self.ways:
            way.dead, way.loss, way.delay_s = False, 0.0, 0.0

    @contextmanager
    def at_broker(self) -> Iterator[None]:
        """This thread, and whatever it starts, in the broker's namespace."""
        with File("/proc/thread-self/ns/net").open() as before, File(f"/run/netns/{self.broker}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def __enter__(self) -> Self:
        try:
            self._tuns = [
                self._end(self.node, NODE_ADDRESS, BROKER_ADDRESS),
                self._end(self.broker, BROKER_ADDRESS, NODE_ADDRESS),
            ]
        except BaseException:
            self._stack.close()
            raise
        self._bell, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._relay, name="relay", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waker.close()
        self._thread.join()
        self._bell.close()
        self._stack.close()

    def _end(self, namespace: str, address: str, peer: str) -> int:
        """A namespace with one end of the path in it; the descriptor from which its packets are read."""
        _ip("netns", "add", namespace)
        self._stack.callback(_ip, "netns", "delete", namespace)
        tun = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._stack.callback(os.close, tun)
        made = fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"alarm%d", _IFF_TUN | _IFF_NO_PI))
        device = made[:16].rstrip(b"\0").decode()
        _ip("link", "set", device, "netns", namespace)
        _ip("-n", namespace, "address", "add", address, "peer", peer, "dev", device)
        for each in (device, "lo"):
            _ip("-n", namespace, "link", "set", each, "up")
        return tun

    def _relay(self) -> None:
        node, broker = self._tuns
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(node, selectors.EVENT_READ, (self.to_broker, broker))
            selector.register(broker, selectors.EVENT_READ, (self.to_node, node))
            while True:
                left = self._due[0][0] - time.monotonic() if self._due else None
                for key, _ in selector.select(None if left is None else max(0.0, left)):
                    if key.data is None:
                        return
                    self._take(key.fd, *key.data)
                while self._due and self._due[0][0] <= time.monotonic():
                    _, _, target, packet = heapq.heappop(self._due)
                    with suppress(OSError):  # its device is full or down: then the packet is lost, as on any path
                        os.write(target, packet)

    def _take(self, source: int, way: Way, target: int) -> None:
        with suppress(BlockingIOError):
            packet = os.read(source, _PACKET)
            if not way.dead and self._chance.random() >= way.loss:
                heapq.heappush(self._due, (time.monotonic() + way.delay_s, next(self._order), target, packet))


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
