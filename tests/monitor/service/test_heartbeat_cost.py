"""What a heartbeat costs a monitor, in calls of Python's functions and of the system.

These numbers depend on no machine, and on nothing that runs beside. ``make fleet`` measures the time.
"""

import gc
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

from node.config.brokers import Broker
from node.monitor.cli.commands.this_machine import SWITCH_S
from node.monitor.core.decisions.monitor_codec import FromNode, MonitorWire
from node.monitor.core.model.monitor_settings import Place
from node.monitor.core.model.records import NodeKey
from node.monitor.service.inbox import Inbox, Said
from node.monitor.service.links.broker_link import Link
from node.monitor.service.links.link_reports import LinkReports
from node.monitor.service.monitor_loop import MOST
from node.protocol.messages import HeartbeatMessage
from tests.bench.nodes import Node
from tests.monitor.core.node_messages import BROKER, ROOM, SITE, heartbeat
from tests.monitor.core.play import DrivenHub
from tests.support.loop import CONNACK, SUBACK, TIMEOUT_S, listener
from tests.support.monitor import write_monitor

BEATS = 1_000

HEARD_CALLS = 32
"""Python functions for each heartbeat from the socket into the inbox, at most. There are 30; 7 are this test's own."""

DECIDED_CALLS = 40
"""The same from the inbox to what is decided. There are 37; 5 are this test's own."""

BEATS_A_READ = 10
"""How many heartbeats one read of the socket brings at least, where more are there."""


class Calls:
    """Counts calls: of Python's functions, and of those in C by their names."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def __call__(self, _frame: FrameType, event: str, argument: Any) -> None:
        """As a profile function."""
        if event == "call":
            self.count["python"] += 1
        elif event == "c_call":
            self.count[argument.__name__] += 1


class Counting(LinkReports):
    """Reports into this inbox, and says when so many heartbeats were heard."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox, lambda _: None)
        self.heard = threading.Semaphore(0)

    def said(self, broker: str, heard: FromNode, *, retained: bool) -> None:
        """See broker_link.Listener."""
        super().said(broker, heard, retained=retained)
        self.heard.release()

    def wait(self, count: int) -> None:
        """Until so many more were heard."""
        for _ in range(count):
            assert self.heard.acquire(timeout=TIMEOUT_S)


@contextmanager
def counted_link(inbox: Inbox) -> Iterator[tuple[Calls, Callable[[Sequence[bytes]], None]]]:
    """A link whose calls are counted, to a broker that says what it is given; it returns once all is in the inbox."""
    calls, reports = Calls(), Counting(inbox)
    with listener() as listening:
        port = listening.getsockname()[1]
        link = Link(
            Broker(BROKER, "127.0.0.1", port), MonitorWire("alarm/v1", (SITE,), "desk", "0000abcd"), reports, "x"
        )
        threading.setprofile(calls)
        link.start()
        threading.setprofile(None)
        try:
            with listening.accept()[0] as broker:
                broker.settimeout(TIMEOUT_S)
                for answer in (CONNACK, SUBACK):
                    broker.recv(4096)
                    broker.sendall(answer)
                swallowing = threading.Thread(target=_swallow, args=(broker,))
                swallowing.start()

                def say(packets: Sequence[bytes]) -> None:
                    broker.sendall(b"".join(packets))
                    reports.wait(len(packets))

                yield calls, say
                link.close("done")
                broker.shutdown(socket.SHUT_RDWR)
                swallowing.join(TIMEOUT_S)
        finally:
            link.close("done")


def _swallow(broker: socket.socket) -> None:
    while broker.recv(65_536):
        pass


def fleet(count: int) -> list[NodeKey]:
    """So many nodes."""
    return [NodeKey(SITE, f"room-{number}") for number in range(count)]


def beats(keys: Sequence[NodeKey]) -> list[bytes]:
    """A heartbeat of each, as a broker sends it."""
    made = []
    for key in keys:
        node = Node(key, "alarm/v1")
        node.heartbeat(10.0)
        made.append(node.beat)
    return made


def test_hearing_a_heartbeat_takes_few_calls() -> None:
    """The socket is read in large pieces, and a message passes through few hands."""
    packets = beats(fleet(BEATS))
    with counted_link(Inbox()) as (calls, say):
        say(packets)
        before = calls.count.copy()
        say(packets)
        spent = calls.count - before

    assert spent["python"] / BEATS <= HEARD_CALLS
    assert spent["recv"] * BEATS_A_READ <= BEATS
    assert spent["send"] * BEATS_A_READ <= BEATS


@pytest.mark.parametrize("nodes", [BEATS, 100_000])
def test_deciding_a_heartbeat_takes_the_same_few_calls_in_every_fleet(nodes: int) -> None:
    """What is done from time to time doesn't grow with the fleet either, but for the reviews once a minute."""
    keys = fleet(nodes)
    hub = DrivenHub(roster=tuple(Place(key) for key in keys))
    hub.link_up(0.0)
    speaking = [Said(0.0, BROKER, key, heartbeat(key), retained=False) for key in keys[:: nodes // BEATS]]
    inbox = Inbox()
    turn(hub, inbox, speaking, 1.0)
    turn(hub, inbox, speaking, 3.0)

    calls = Calls()
    sys.setprofile(calls)
    try:
        turn(hub, inbox, speaking, 5.0)
    finally:
        sys.setprofile(None)

    assert calls.count["python"] / BEATS <= DECIDED_CALLS


def turn(hub: DrivenHub, inbox: Inbox, speaking: Sequence[Said], at: float) -> None:
    """These nodes beat; decide that as the monitor's loop does."""
    for said in speaking:
        inbox.put(said)
    while taken := inbox.take(0.0, MOST)[1]:
        for each in taken:
            hub.hear(at, each.message, each.node)
        hub.jump(at)
        hub.take()


def test_a_heartbeat_is_nothing_that_a_search_for_garbage_looks_through() -> None:
    """Each would be a dozen objects more, and with thousands of nodes a full search takes a tenth of a second."""
    packet = Node(ROOM, "alarm/v1")
    packet.heartbeat(10.0)
    decoded = msgspec.json.decode(packet.beat[packet.beat.index(b"{") :], type=HeartbeatMessage)

    parts = [decoded, decoded.inputs, *decoded.inputs.values(), decoded.links, *decoded.links.values(), decoded.health]

    assert len(parts) == 8
    assert not any(map(gc.is_tracked, parts))


def test_the_service_leaves_imports_out_of_searches_and_switches_threads_quickly(tmp_path: Path) -> None:
    """Both are set before it runs, in a process of its own."""
    path = write_monitor(tmp_path, 1)
    shown = subprocess.run([sys.executable, "-c", RUN, str(path)], capture_output=True, text=True, check=False)

    frozen, switch_s = shown.stdout.split()
    assert int(frozen) > 20_000
    assert float(switch_s) == SWITCH_S


RUN = """
import gc, sys
from node.monitor.cli.main import main
from node.monitor.service.monitor_loop import Service
Service.run = lambda _: print(gc.get_freeze_count(), sys.getswitchinterval())
main(["--config", sys.argv[1], "run"])
"""
