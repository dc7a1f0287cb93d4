"""Simulated nodes over real MQTT 5: one thread drives thousands of connections on an epoll of its own.

Each is born (retained, with a will), listens to its receipts and commands, answers probes, and beats at QoS 1 with the
protocol's own message. Two things are simpler than at a node: a heartbeat is encoded once and said again and again, and
the monitors' branch isn't subscribed: what that costs falls on the broker and on this process, which measure nothing.

Why not paho: its ``loop()`` calls select(), which ends at 1,024 files.
"""

import resource
import select
import socket
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec

from node.core.model import EventKind
from node.core.settings import AlarmClass
from node.monitor.core.model.records import NodeKey
from node.protocol.codec import rfc3339
from node.protocol.messages import (
    DiskHealth,
    Event,
    Health,
    HeartbeatMessage,
    InputHealth,
    LinkHealth,
    MemoryHealth,
    NetworkHealth,
    ReplyMessage,
    State,
    UnderVoltage,
)
from node.protocol.monitor_messages import Command, Receipt
from tests.support.flood import Packet, coded_length
from tests.support.node import wait_until

BOOT = "0000b007"
SPARE_FILES = 200
CONNECTING = 64
"""How many wait for CONNACK at once: mosquitto lets 100 stand at its door."""

KEEPALIVE_S = 30
PAUSE_S = 0.002
SAMPLE_S = 0.05
TIMEOUT_S = 120.0
OVERDUE_S = 5.0

_BEAT, _OTHER = b"\x00\x01", 2
"""The packet id of all heartbeats, and that of everything else: a node has one of each under way."""

_HEALTH = Health(
    age_s=1.0,
    started_by="boot",
    under_voltage=UnderVoltage(now=False, seen=False),
    cpu_c=48.3,
    memory=MemoryHealth(available_bytes=3_221_225_472, total_bytes=4_294_967_296),
    disk=DiskHealth(free_bytes=21_474_836_480, total_bytes=31_268_536_320, read_only=False),
    network=NetworkHealth(interface="eth0", up=True, signal_dbm=None),
    threads=9,
    files=31,
)


class Node:
    """One node: its connection, and what it says."""

    def __init__(self, key: NodeKey, root: str) -> None:
        self.key = key
        self.branch = f"{root}/{key.site}/node/{key.node}"
        self.socket: socket.socket | None = None
        self.beat = b""
        self.period_s = 0.0
        self.seq = 0
        self.told_at = 0.0
        self.unread = b""
        self.unsent = bytearray()

    def heartbeat(self, period_s: float) -> None:
        """Beat with this period from now on."""
        self.period_s = period_s
        inputs = {
            "button": InputHealth(kind="button", state="normal", wire="supervised"),
            "door": InputHealth(kind="door", state="normal", wire="unsupervised"),
            "case": InputHealth(kind="tamper", state="normal", wire="unsupervised"),
        }
        message = HeartbeatMessage(
            period_s=period_s,
            uptime_s=86_400.123,
            inputs=inputs,
            faults=[],
            faults_standing=0,
            links={"broker-a:8883": LinkHealth(connected=True, rtt_ms=1.3)},
            monitors=["guard-desk"],
            incidents=0,
            waiting=0,
            spilled=False,
            record_depth=12,
            refused=0,
            dropped=0,
            health=_HEALTH,
            version="1.0.0",
            **self._header(),
        )
        self.beat = self._packet("heartbeat", message, mid=int.from_bytes(_BEAT, "big"))

    def hello(self) -> bytes:
        """CONNECT with the will, as it stands at the broker."""
        will = msgspec.json.encode(State(state="lost", session=1, **self._header()))
        head = b"\x00\x04MQTT\x05\x2e" + KEEPALIVE_S.to_bytes(2, "big") + b"\x00"
        return _framed(0x10, head + _text(self.key.node) + b"\x00" + _text(f"{self.branch}/state") + _text(will))

    def introduction(self) -> bytes:
        """SUBSCRIBE, and the birth."""
        filters = b"".join(_text(f"{self.branch}/{kind}") + b"\x01" for kind in ("receipt", "command"))
        born = State(state="online", session=1, **self._header())
        return _framed(0x82, b"\x00\x03\x00" + filters) + self._packet("state", born, retain=True)

    def event(self) -> bytes:
        """The next event; the heartbeats name it from now on."""
        self.seq += 1
        said = self._packet("event", Event(kind=EventKind.IDENTIFIED, by="bench", age_ms=0, **self._header()))
        self.heartbeat(self.period_s)
        return said

    def press(self) -> bytes:
        """A call for help, of an incident of its own."""
        self.seq += 1
        call = Event(
            kind=EventKind.PRESSED,
            input="button",
            alarm_class=AlarmClass.THREAT,
            incident=f"{BOOT}-{self.seq}",
            presses=1,
            age_ms=0,
            **self._header(),
        )
        return self._packet("event", call)

    def reply(self, command: bytes) -> bytes:
        """That this command is done."""
        asked = msgspec.json.decode(command, type=Command)
        return self._packet("reply", ReplyMessage(id=asked.id, outcome="done", **self._header()))

    def _header(self) -> dict[str, Any]:
        at_utc = rfc3339(time.time())
        return {"v": 1, "node": self.key.node, "boot": BOOT, "seq": self.seq, "at_utc": at_utc, "clock": "synchronised"}

    def _packet(self, kind: str, message: msgspec.Struct, *, mid: int = _OTHER, retain: bool = False) -> bytes:
        return Packet(f"{self.branch}/{kind}", msgspec.json.encode(message), retain).encoded(mid)


class Crowd:
    """Nodes that are there from entering the context to leaving it, or until they are ``cut``.

    ``period_s`` is that of each one's heartbeats; all together they are spread evenly over it. Counts since the start:
    ``beats`` given to the broker's socket, ``accepted`` by its PUBACK, ``hung_up`` connections that it ended.
    """

    def __init__(self, port: int, keys: Sequence[NodeKey], period_s: float = 10.0, root: str = "alarm/v1") -> None:
        self.nodes = [Node(key, root) for key in keys]
        self.beats = self.accepted = self.born = self.hung_up = 0
        self.delays_s: list[float] = []
        """How long each event waited for its receipt *held*."""
        self._pours = False
        self._port = port
        self._period_s = self._first_round_s = period_s
        self._began, self._done, self._next = time.monotonic(), 0, 0
        self._event_s, self._event_at, self._events = 0.0, 0.0, 0
        self._by_fd: dict[int, Node] = {}
        self._stuffed: set[Node] = set()
        self._opened = 0
        self._samples: list[tuple[float, int, int]] = [(self._began, 0, 0)]
        self._asked: list[tuple[Callable[[], None], threading.Event]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crowd")

    def pace(self, period_s: float, event_s: float = 0.0) -> None:
        """Beat with this period, and have one node after the other say an event each ``event_s`` (0: none)."""
        self._do(lambda: self._pace(period_s, event_s))

    def pour(self, count: int) -> None:
        """Have so many nodes say an event each, and another one whenever one is held, until ``pace``."""
        self._do(lambda: self._pour(count))

    def press(self, number: int) -> float:
        """Have a node call for help; when it did (monotonic)."""
        self._do(lambda: self._send(self.nodes[number], self.nodes[number].press()))
        return time.monotonic()

    def cut(self) -> tuple[float, float]:
        """End all connections as a power cut would: without a goodbye. When that began and when it was done."""
        began = time.monotonic()
        self._do(self._cut)
        return began, time.monotonic()

    def at(self, instant: float) -> tuple[int, int]:
        """How many heartbeats were sent and how many accepted at this instant (monotonic), by interpolation."""
        samples = self._samples[:]
        place = min(bisect_right(samples, (instant,)), len(samples) - 1)
        (before, *low), (after, *high) = samples[max(place - 1, 0)], samples[place]
        share = min(max((instant - before) / (after - before), 0.0), 1.0) if after > before else 1.0
        sent, accepted = (round(a + share * (b - a)) for a, b in zip(low, high, strict=True))
        return sent, accepted

    def overdue(self) -> int:
        """How many events have waited longer than ``OVERDUE_S`` for their receipt."""
        now = time.monotonic()
        return sum(0.0 < node.told_at < now - OVERDUE_S for node in self.nodes)

    def __enter__(self) -> Self:
        needed = len(self.nodes) + SPARE_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))
        self._epoll = select.epoll()
        self._thread.start()
        try:
            wait_until(lambda: self.born == len(self.nodes) or not self._thread.is_alive(), TIMEOUT_S, "all births")
            assert self._thread.is_alive(), "the nodes can't connect"
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(TIMEOUT_S)
        self._cut()
        self._epoll.close()

    def _do(self, what: Callable[[], None]) -> None:
        """Have it done on the crowd's own thread."""
        done = threading.Event()
        self._asked.append((what, done))
        assert done.wait(TIMEOUT_S), "the crowd has ended"

    def _pour(self, count: int) -> None:
        self._pours = True
        for node in self.nodes[:count]:
            self._say_event(node)

    def _say_event(self, node: Node) -> None:
        if node.socket is not None and not node.told_at:
            said = node.event()
            node.told_at = time.monotonic()
            self._send(node, said)

    def _pace(self, period_s: float, event_s: float) -> None:
        self._pours = False
        for node in self.nodes:
            node.heartbeat(period_s)
        # The ring goes on where it was: begun anew, some would wait longer than they have said.
        self._next = (self._next + self._done) % len(self.nodes)
        # Each node has promised its next heartbeat within the old period, and names the new one in it. So the first
        # round takes no longer than the old period.
        self._first_round_s = min(period_s, self._period_s)
        self._period_s, self._event_s = period_s, event_s
        self._began, self._done = time.monotonic(), 0
        self._event_at = self._began

    def _cut(self) -> None:
        for node in self.nodes:
            if node.socket is not None:
                node.socket.close()
                node.socket = None
        self._by_fd.clear()
        self._stuffed.clear()

    # From here on: the crowd's thread.

    def _run(self) -> None:
        self._pace(self._period_s, 0.0)
        while not self._ended.is_set():
            while self._asked:
                what, done = self._asked.pop(0)
                what()
                done.set()
            now = time.monotonic()
            if now - self._samples[-1][0] >= SAMPLE_S:
                self._samples.append((now, self.beats, self.accepted))
            self._open()
            self._beat(now)
            for node in tuple(self._stuffed):
                self._send(node, b"")
            for fd, _ in self._epoll.poll(PAUSE_S, 1_000):
                speaking = self._by_fd.get(fd)
                if speaking is not None:
                    self._receive(speaking)

    def _open(self) -> None:
        while self._opened < len(self.nodes) and self._opened - self.born < CONNECTING:
            node = self.nodes[self._opened]
            self._opened += 1
            node.socket = socket.create_connection(("127.0.0.1", self._port))
            node.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            node.socket.setblocking(False)
            self._by_fd[node.socket.fileno()] = node
            self._epoll.register(node.socket, select.EPOLLIN)
            self._send(node, node.hello())

    def _beat(self, now: float) -> None:
        """Send what is due by now. Those that were too late for their turn aren't left out."""
        if self.born < len(self.nodes):
            self._began = now
            return
        past_s = now - self._began
        in_first_s = min(past_s, self._first_round_s)
        rounds = in_first_s / self._first_round_s + (past_s - in_first_s) / self._period_s
        due = int(rounds * len(self.nodes))
        for number in range(self._done, min(due, self._done + 500)):
            node = self.nodes[(self._next + number) % len(self.nodes)]
            if node.socket is not None:
                self.beats += 1
                self._send(node, node.beat)
            self._done += 1
        if self._event_s and now >= self._event_at:
            self._event_at = now + self._event_s
            node = self.nodes[self._events * 7919 % len(self.nodes)]
            self._events += 1
            self._say_event(node)

    def _send(self, node: Node, packet: bytes) -> None:
        if node.socket is None:
            return
        whole = bytes(node.unsent) + packet if node.unsent else packet
        sent = 0
        try:
            with suppress(BlockingIOError):
                sent = node.socket.send(whole)
        except OSError:
            self._hang_up(node)
            return
        if sent < len(whole):
            node.unsent[:] = whole[sent:]
            self._stuffed.add(node)
        elif node.unsent:
            node.unsent.clear()
            self._stuffed.discard(node)

    def _receive(self, node: Node) -> None:
        assert node.socket is not None
        try:
            got = node.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            self._hang_up(node)
            return
        data, start = node.unread + got, 0
        while (end := _end(data, start)) is not None:
            self._take(node, data[start], data[start:end])
            start = end
        node.unread = data[start:]

    def _take(self, node: Node, kind: int, packet: bytes) -> None:
        if kind == 0x40:
            self.accepted += packet[2:4] == _BEAT
        elif kind == 0x20:
            assert packet[3] == 0, f"the broker refuses {node.key}: {packet!r}"
            self._send(node, node.introduction())
        elif kind == 0x90:
            self.born += 1
        elif kind & 0xF0 == 0x30:
            self._hear(node, packet)

    def _hear(self, node: Node, packet: bytes) -> None:
        at = 2 if packet[1] < 0x80 else 3
        topic_end = at + 2 + int.from_bytes(packet[at : at + 2], "big")
        mid = packet[topic_end : topic_end + 2]
        payload = packet[topic_end + 3 + packet[topic_end + 2] :]
        self._send(node, b"\x40\x02" + mid)
        if packet[at + 2 : topic_end].endswith(b"/command"):
            self._send(node, node.reply(payload))
        elif node.told_at and msgspec.json.decode(payload, type=Receipt).event.seq == node.seq:
            self.delays_s.append(time.monotonic() - node.told_at)
            node.told_at = 0.0
            if self._pours:
                self._say_event(node)

    def _hang_up(self, node: Node) -> None:
        self.hung_up += 1
        self._stuffed.discard(node)
        if node.socket is not None:
            self._by_fd.pop(node.socket.fileno(), None)
            node.socket.close()
            node.socket = None


def _end(data: bytes, start: int) -> int | None:
    """Where the packet ends that begins there; None where it isn't whole."""
    size, place = 0, start + 1
    for shift in (0, 7, 14, 21):
        if place >= len(data):
            return None
        size |= (data[place] & 0x7F) << shift
        place += 1
        if data[place - 1] < 0x80:
            return place + size if place + size <= len(data) else None
    raise AssertionError(f"no MQTT: {data[start : start + 8]!r}")


def _text(value: str | bytes) -> bytes:
    coded = value.encode() if isinstance(value, str) else value
    return len(coded).to_bytes(2, "big") + coded


def _framed(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + coded_length(len(body)) + body
