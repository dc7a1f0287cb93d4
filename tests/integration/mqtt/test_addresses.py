"""A broker's name with several addresses, some of which hang, and a slow name server."""

import socket
import time

import pytest

from node.core.events import LinkDown, LinkUp
from node.io.mqtt.addresses import Addresses
from node.io.mqtt.login import connect_errors
from tests.support.broker import Broker, free_port
from tests.support.loop import (
    Loop,
    listener,
    running,
)


def have_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: object) -> None:
    """Have every name stand for these, in this order."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", each) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_keywords: found)


def test_a_host_that_swallows_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TCP connect has a deadline of its own."""
    monkeypatch.setattr(connect_errors, "TCP_CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address), running(Loop(address[1])) as loop:
            down = loop.expect(LinkDown)

    assert down == LinkDown(down.at, "the-broker", 1, "no connection within 0.2 s")


def test_an_address_that_hangs_does_not_hide_the_next_one(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker's name may have several: each has a time of its own, and the link is up at its first attempt."""
    monkeypatch.setattr(connect_errors, "TCP_CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        have_addresses(monkeypatch, full.getsockname(), ("127.0.0.1", broker.port))
        with running(Loop(broker.port, host="broker.example")) as loop:
            first = loop.next()

    assert isinstance(first, LinkUp)


def test_an_address_that_takes_tcp_and_stays_silent_does_not_hide_the_next_one(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has had its time for CONNACK, the next one is tried."""
    with listener() as silent:
        have_addresses(monkeypatch, silent.getsockname(), ("127.0.0.1", broker.port))
        with running(Loop(broker.port, host="broker.example")) as loop:
            refused, first = loop.next(), loop.next()

    assert isinstance(refused, LinkDown)
    assert refused.reason == "no answer to CONNECT within 3 s"
    assert isinstance(first, LinkUp)


def test_the_address_that_failed_last_is_tried_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the one that works first, whatever the name server's order; what it no longer names is forgotten."""
    addresses = Addresses()

    def connected() -> int:
        with addresses.connect("broker.example", 0, 5.0) as opened:
            port: int = opened.getpeername()[1]
        return port

    with listener() as a, listener() as b, listener() as c:
        ports = [each.getsockname()[1] for each in (a, b, c)]
        have_addresses(monkeypatch, *(each.getsockname() for each in (a, b, c)))
        in_turn = [connected() for _ in range(4)]
        addresses.works()
        kept = [connected()]
        have_addresses(monkeypatch, b.getsockname(), c.getsockname())
        kept += [connected(), connected()]
        have_addresses(monkeypatch, a.getsockname(), b.getsockname())
        kept += [connected()]

    assert in_turn == [*ports, ports[0]]
    assert kept == [ports[0], ports[1], ports[2], ports[0]]


def test_addresses_of_which_none_takes_tcp_are_told_by_the_last_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is left open."""
    have_addresses(monkeypatch, ("127.0.0.1", free_port()), ("127.0.0.1", free_port()))

    with pytest.raises(ConnectionRefusedError):
        Addresses().connect("broker.example", 0, 5.0)


def test_a_slow_name_server_takes_no_time_from_the_brokers_answer(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paho counts a keepalive from before the lookup, and would give up before CONNACK."""
    found = socket.getaddrinfo("127.0.0.1", broker.port, type=socket.SOCK_STREAM)

    def slow(*_arguments: object, **_keywords: object) -> object:
        time.sleep(2.5)  # the name server's; the keepalive is over twice by then
        return found

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with running(Loop(broker.port, host="broker.example", keepalive_s=1)) as loop:
        first = loop.next()

    assert isinstance(first, LinkUp)
