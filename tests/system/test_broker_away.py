"""The broker goes, comes back, or refuses: what was pressed meanwhile arrives, and what it won't take is told."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker
from tests.support.desk import BRANCH, Desk, faults
from tests.support.node import SimulatedNode, wait_until, write_config

PRESSES = 50
TAP_MS = 45


def _by_identity(*desks: Desk) -> dict[tuple[str, int], Mapping[str, Any]]:
    """What a reader knows who dedupes by boot and seq, in the order of the first copies."""
    known: dict[tuple[str, int], Mapping[str, Any]] = {}
    for event in (event for desk in desks for event in desk.events):
        known.setdefault((event["boot"], event["seq"]), event)
    return known


@pytest.mark.parametrize("reader", ["first", "late"])
def test_what_was_pressed_while_the_broker_was_away_arrives_each_once(tmp_path: Path, reader: str) -> None:
    """Of 50 presses each arrives, alarms first and no number missing, whether a reader is there first or comes late."""
    with Broker(tmp_path / "broker") as broker:
        config = write_config(tmp_path, broker.port, receipt_s=5)
        with Desk(broker.port, receipts=True) as before, SimulatedNode(config) as node:
            before.beat()
            before.receive("heartbeat")
            before.receive("event", kind="started")
            broker.stop()
            node.expect_log("F010", timeout_s=30)
            for _ in range(PRESSES):
                node.tap(TAP_MS)
            node.freeze()  # so that it is the test that decides who comes first
            broker.start()
            if reader == "late":
                node.thaw()
                node.expect_log("session 2 is up", timeout_s=30)
            with Desk(broker.port, receipts=True) as after:
                node.thaw()
                after.beat()
                for number in range(1, PRESSES + 1):
                    after.receive("event", kind="pressed", presses=number)
                after.receive("event", kind="restored", presses=PRESSES)  # a fresh press would overtake it
                node.tap()
                last = after.expect("event", kind="restored", presses=PRESSES + 1)
                after.receive("alarm", lambda alarm: alarm["seq"] >= last["seq"] - 1)
                after.beat()  # as a monitor does all the time: a node that had no room for the first one hears this one
                wait_until(lambda: len(_by_identity(before, after)) == last["seq"], what="all events")

    events = _by_identity(before, after)
    presses = [event["presses"] for event in events.values() if event["kind"] == "pressed"]
    assert sorted(presses) == list(range(1, PRESSES + 2))
    assert len({event["incident"] for event in events.values() if event["kind"] == "pressed"}) == 1
    assert sorted(seq for _, seq in events) == list(range(1, last["seq"] + 1))
    if reader == "first":
        missed = [event["kind"] for event in _by_identity(after).values()]
        backlog = missed[: 2 * PRESSES]
        assert backlog == ["pressed", "restored"] * PRESSES
        assert "fault-raised" in missed


def test_a_refused_event_is_a_fault_that_names_the_topic_at_once(tmp_path: Path) -> None:
    """F011 comes in a heartbeat of its own, all other topics go on, and it is cleared when the topic is allowed."""
    acl = f"topic readwrite #\ntopic deny {BRANCH}/event\n"
    with Broker(tmp_path / "broker", acl=acl) as broker:
        # No heartbeat is due for a minute: the one that lists the fault went out because of it.
        config = write_config(tmp_path, broker.port, heartbeat_s=60)
        with Desk(broker.port) as desk, SimulatedNode(config) as node:
            up_at, _ = node.expect_log("session 1 is up")
            told = desk.receive("heartbeat", lambda message: "F011" in faults(message))
            heartbeat = desk.heard("heartbeat")[-1]

            assert told.at - up_at < 1.0
            assert faults(heartbeat) == {"F011": f"{BRANCH}/event (0x87)"}
            (fault,) = (each for each in heartbeat["faults"] if each["code"] == "F011")
            assert _seconds(heartbeat["at_utc"]) - _seconds(fault["since"]) < 1.0

            node.tap()
            node.expect(output="buzzer", level=True)
            node.expect(ladder="stored")
            desk.receive("alarm", phase="active")
            assert desk.order("probe")["outcome"] == "done"
            assert not node.lines(ladder="accepted")
            assert not desk.events

            broker.allow("topic readwrite #\n")
            node.tap()

            node.expect(ladder="accepted")
            desk.receive("event", kind="fault-cleared", fault="F011")


def _seconds(at_utc: str) -> float:
    return datetime.fromisoformat(at_utc).timestamp()
