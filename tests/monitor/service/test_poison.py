"""Whoever has a node's login may write on its branch: a real press afterwards is told by a real monitor."""

import json
from contextlib import ExitStack
from pathlib import Path

from node.monitor.core.nodes.events.plausibility import LATE_S
from tests.monitor.core.node_messages import AT_UTC
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.mqtt import Client
from tests.support.node import NODE as WALL
from tests.support.node import SITE, SimulatedNode, write_config
from tests.support.receivers import HttpReceiver


def test_a_real_node_calls_people_whatever_was_written_in_its_name(tmp_path: Path) -> None:
    """Its next alarms were ended, tested and listed before it had them, by whoever has its login."""
    branch = f"alarm/v1/{SITE}/node/{WALL}"
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "broker"))
        people = stack.enter_context(HttpReceiver())
        target: dict[str, object] = {"name": "guards", "url": people.url, "language": "en", "findings": "none"}
        config = write_monitor(tmp_path / "monitor", broker.port, targets=[target])
        monitor = stack.enter_context(RunningMonitor(config))
        node = stack.enter_context(SimulatedNode(write_config(tmp_path, broker.port, heartbeat_s=1)))
        thief = stack.enter_context(Client(broker.port, subscribe=[f"{branch}/heartbeat"]))
        monitor.expect_status(WALL, "up")
        beat = json.loads(thief.expect_topic(f"{branch}/heartbeat").payload)

        boot, seq = beat["boot"], beat["seq"]
        head = {"v": 1, "node": WALL, "boot": boot, "at_utc": AT_UTC, "clock": "free"}
        about_it = {"input": "button", "class": "threat", "presses": 1}
        for number in range(seq + 1, seq + 9):
            ids = {"incident": f"{boot}-{number}", **about_it}
            said = {**head, "seq": number + 1_000, "kind": "reset", "by": "x", "age_ms": 0, **ids}
            press_of = {"boot": boot, "seq": number}
            one = {**ids, "phase": "active", "since": AT_UTC, "press": press_of, "test": True}
            thief.publish(f"{branch}/event", json.dumps(said))
            thief.publish(f"{branch}/alarm", json.dumps({**head, "seq": 9_000, "phase": "active", "incidents": [one]}))
        monitor.wait(lambda: "M024" in monitor.codes(), what="the contradiction")
        until = beat["uptime_s"] + 2 * LATE_S
        thief.expect(lambda each: json.loads(each.payload)["uptime_s"] > until)
        node.tap()

        node.expect(ladder="told")
        # What the thief wrote is told before it, in one message or in two.
        people.taken.wait(lambda taken: any(each.title == f"ALARM, threat: {SITE}/{WALL}" for each in taken))
