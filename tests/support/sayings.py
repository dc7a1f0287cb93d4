"""A node's messages for fixed inputs, and what monitors and tools say to it: samples for more than one test."""

import json
from typing import Any

from node.core import effects as ef
from node.core.line import ContactState
from node.core.model import EventKind, Key, KeyRange, ListedIncident, Step
from node.core.settings import AlarmClass
from node.protocol.codec import Wire
from node.protocol.messages import DiskHealth, Health, MemoryHealth, NetworkHealth, Throttling, UnderVoltage
from node.protocol.record_codec import with_age

BOOT, EARLIER = "0badcafe", "0000beef"
NOON = 1_795_348_800.0
NOW = 1_000.0
WIRE = Wire("alarm/v1", "mitte", "room-214", BOOT, version="2.3.4rc1")
BRANCH = "alarm/v1/mitte/node/room-214"
MONITOR = "alarm/v1/mitte/monitor/guard-desk"

STAMP = (7, NOON, True)
"""The newest event's number, wall clock, synchronised."""


def text(**fields: Any) -> bytes:
    """A message of protocol v1 with these fields."""
    return json.dumps({"v": 1, **fields}).encode()


def listed(number: int = 5, **changed: Any) -> ListedIncident:
    """An open incident of this boot."""
    fields: dict[str, Any] = {
        "id": f"{BOOT}-{number}",
        "input": "desk",
        "alarm_class": AlarmClass.THREAT,
        "step": Step.PRESSED,
        "presses": 2,
        "since_utc": NOON - 60.0,
        "press": Key(BOOT, 7),
    }
    return ListedIncident(**(fields | changed))


def event(kind: str, number: int = 7, **fields: Any) -> bytes:
    """A stored event."""
    return WIRE.event(ef.LoggedEvent(Key(BOOT, number), EventKind(kind), NOW, NOON, True, **fields))


def alarm_event(kind: str, **fields: Any) -> bytes:
    """A stored event about the incident that ``listed`` makes."""
    return event(kind, input="desk", alarm_class="threat", incident=f"{BOOT}-5", presses=2, **fields)


HEARTBEAT = ef.Heartbeat(
    period_s=10.0,
    seq=7,
    at=NOW,
    at_utc=NOON,
    synchronised=True,
    uptime_s=3600.0004,
    inputs=(
        ef.InputReport("desk", "button", ContactState.ACTIVE, True, None, AlarmClass.THREAT),
        ef.InputReport("door", "door", ContactState.UNKNOWN, False, 59.9996),
    ),
    faults=(
        ef.FaultReport("F011", f"{BRANCH}/event on 10.0.0.2:1883", NOON - 5.0),
        ef.FaultReport("F020", "", NOON - 1.5),
    ),
    links=(ef.LinkReport("10.0.0.1:1883", True, 0.0042), ef.LinkReport("10.0.0.2:1883", False, None)),
    monitors=("guard-desk",),
    incidents=1,
    waiting=3,
    refused=4,
    dropped=5,
    spilled=True,
    walk_test_s=1799.9996,
)

HEALTH = Health(
    age_s=12.345,
    started_by="boot",
    under_voltage=UnderVoltage(now=False, seen=True),
    throttling=Throttling(now=("capped",), seen=("capped", "throttled")),
    cpu_c=48.85,
    memory=MemoryHealth(available_bytes=655_360_000, total_bytes=952_320_000),
    disk=DiskHealth(free_bytes=24_000_000_000, total_bytes=31_000_000_000, read_only=False),
    network=NetworkHealth(interface="wlan0", up=True, signal_dbm=-61.0),
    threads=12,
    files=31,
)

SAID: dict[str, bytes] = {
    "state-online": WIRE.state("online", 3, *STAMP),
    "state-offline": WIRE.state("offline", 3, *STAMP, reason="sigterm", back_in_s=30.0),
    "state-lost": WIRE.state("lost", 3, 7, NOON, synchronised=False),
    "alarm-normal": WIRE.alarm((), NOW, *STAMP),
    "alarm-open": WIRE.alarm(
        (
            listed(8, alarm_class=AlarmClass.AMOK, step=Step.ACCEPTED, sounding_until=NOW + 12.3456),
            listed(5, step=Step.TOLD),
            listed(6, alarm_class=AlarmClass.ASSIST, input="door", step=Step.ACKNOWLEDGED, test=True),
        ),
        NOW,
        *STAMP,
    ),
    "event-started": with_age(event("started", 1, previous=Key(EARLIER, 41)), 0.25),
    "event-pressed": with_age(alarm_event("pressed"), 1.2345),
    "event-pressed-before-the-kernel": with_age(alarm_event("pressed", test=True), None),
    "event-acknowledged": with_age(alarm_event("acknowledged", by="guard-desk"), 0.0),
    "event-fault-raised": with_age(event("fault-raised", fault="F010", subject="10.0.0.1:1883"), 3.0),
    "event-inhibited": with_age(
        event("inhibited", input="door", by="facilities", reason="cut-wire", for_s=3600.0), 0.001
    ),
    "event-tested": with_age(event("tested", input="desk", alarm_class="threat", test=True), 0.002),
    "event-test-confirmed": with_age(event("test-confirmed", input="desk", test=True, for_s=0.031), 0.0),
    "event-evicted": with_age(
        event("evicted", ranges=(KeyRange(EARLIER, 3, 41), KeyRange(EARLIER, 43, 43))),
        0.0,
    ),
    "event-command-refused": with_age(
        event("command-refused", command="reset", subject="order-1", by="guard-desk", reason="input-active"), 0.0
    ),
    "heartbeat": WIRE.heartbeat(HEARTBEAT, record_depth=2, health=HEALTH),
    "heartbeat-without-data": WIRE.heartbeat(HEARTBEAT, record_depth=2),
    "canary": WIRE.canary(3, *STAMP),
    "reply-done": WIRE.reply(ef.Reply("order-1", "done"), *STAMP),
    "reply-refused": WIRE.reply(ef.Reply("order-1", "refused", "no-expiry"), *STAMP),
    "reply-to-nobody": WIRE.reply(ef.Reply("", "refused", "malformed: no id"), *STAMP),
}
"""Each of the node's messages, by the name of its golden text."""

COMMAND = {"id": "order-1", "boot": BOOT, "ttl_s": 20, "by": "guard-desk"}
RECEIPT = {"monitor": "guard-desk", "event": {"boot": BOOT, "seq": 7}, "kind": "held"}
BEAT = {"monitor": "guard-desk", "boot": EARLIER, "period_s": 5}

HEARD: dict[str, bytes] = {
    WIRE.state_topic: SAID["state-offline"],
    WIRE.alarm_topic: SAID["alarm-open"].replace(BOOT.encode(), EARLIER.encode()),
    WIRE.canary_topic: SAID["canary"],
    WIRE.receipt_topic: text(**RECEIPT),
    WIRE.command_topic: text(**COMMAND, action="acknowledge", incident=f"{BOOT}-2", presses=1),
    f"{MONITOR}/state": text(**BEAT, state="online"),
    f"{MONITOR}/heartbeat": text(**BEAT),
}
"""A valid message on each topic that a node hears."""
