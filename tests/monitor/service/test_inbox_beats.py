"""Heartbeats in the inbox: they wait for each other, and nothing else waits for them."""

import time
from threading import Thread

import pytest

from node.monitor.core.decisions.monitor_codec import Heard
from node.monitor.core.model.records import NodeKey
from node.monitor.service import inbox as inbox_module
from node.monitor.service.inbox import GATHER_S, Inbox, Said
from tests.monitor.core.node_messages import BROKER, SITE, heartbeat, press

LONG_S = 20.0


def said(number: int, message: Heard) -> Said:
    """What one of many nodes says."""
    return Said(time.monotonic(), BROKER, NodeKey(SITE, f"room-{number}"), message, False)


def test_heartbeats_that_come_together_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One wake for many."""
    monkeypatch.setattr(inbox_module, "GATHER_S", 1.0)
    inbox = Inbox()

    def speak() -> None:
        for number in range(50):
            inbox.put(said(number, heartbeat()))

    speaking = Thread(target=speak)

    speaking.start()
    _, taken = inbox.take(LONG_S, 256)

    speaking.join()
    assert len(taken) == 50


def test_a_heartbeat_does_not_wait_longer_for_others() -> None:
    """The one that nobody joins is taken soon."""
    inbox = Inbox()
    inbox.put(said(1, heartbeat()))
    began = time.monotonic()

    _, taken = inbox.take(LONG_S, 256)

    assert len(taken) == 1
    assert GATHER_S / 2 < time.monotonic() - began < LONG_S / 2


def test_as_many_as_are_wanted_wait_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy inbox makes nobody wait."""
    monkeypatch.setattr(inbox_module, "GATHER_S", LONG_S)
    inbox = Inbox()
    for number in range(4):
        inbox.put(said(number, heartbeat()))
    began = time.monotonic()

    _, taken = inbox.take(LONG_S, 4)

    assert len(taken) == 4
    assert time.monotonic() - began < LONG_S / 2


@pytest.mark.parametrize("own", [False, True], ids=["an alarm", "a matter of ours"])
def test_what_else_comes_waits_for_no_heartbeat(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """It ends their wait at once, and is taken before them."""
    monkeypatch.setattr(inbox_module, "GATHER_S", LONG_S)
    inbox = Inbox()
    inbox.put(said(1, heartbeat()))
    pressing = Thread(target=inbox.call_soon if own else inbox.put, args=(print if own else said(2, press(1)),))
    began = time.monotonic()

    pressing.start()
    matters, taken = inbox.take(LONG_S, 256)

    pressing.join()
    assert time.monotonic() - began < LONG_S / 2
    assert len(matters) == int(own)
    assert [each.node.node for each in taken] == (["room-1"] if own else ["room-2", "room-1"])
