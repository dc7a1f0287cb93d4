"""A node that is newer than its monitor: what the monitor doesn't know is confirmed and shown, and alarms are told."""

import json
from pathlib import Path

import msgspec

from node.core.settings import AlarmClass
from tests.monitor.core.node_messages import BOOT, ROOM, alarm, press
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.mqtt import Client
from tests.support.receivers import HttpReceiver

BRANCH = f"alarm/v1/{ROOM.site}/node/{ROOM.node}"


def test_a_call_in_words_that_the_monitor_doesnt_know_is_confirmed_and_told(tmp_path: Path, broker: Broker) -> None:
    """The kind of its event and the class of its button are those of a later version."""
    called = msgspec.json.encode(press(1)).replace(b'"pressed"', b'"shouted"').replace(b'"threat"', b'"medical"')
    listed = msgspec.json.encode(alarm((1, "active"))).replace(b'"threat"', b'"medical"')
    with (
        HttpReceiver() as guards,
        RunningMonitor(
            write_monitor(
                tmp_path / "monitor",
                broker.port,
                targets=[{"name": "guards", "url": guards.url, "language": "en", "classes": ["threat"]}],
            )
        ) as monitor,
        Client(broker.port, subscribe=[f"{BRANCH}/receipt"]) as node,
    ):
        node.publish(f"{BRANCH}/alarm", listed, retain=True)
        node.publish(f"{BRANCH}/event", called)
        receipt = json.loads(node.expect_topic(f"{BRANCH}/receipt").payload)
        monitor.wait(lambda: bool(monitor.items("/incidents")), what="the incident")

        [incident] = monitor.items("/incidents")
        assert (receipt["event"], receipt["kind"]) == ({"boot": BOOT, "seq": 1}, "held")
        assert incident["alarm_class"] == AlarmClass.THREAT
        assert [each["kind"] for each in monitor.items("/events")] == ["shouted"]
        assert [each["detail"] for each in monitor.items("/findings") if each["code"] == "M023"] == [
            "class medical, kind shouted"
        ]
        guards.taken.wait(lambda posted: any("ALARM, threat" in each.title for each in posted))
