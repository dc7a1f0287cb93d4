"""What a node says, compared with literal texts (golden/), and what comes back unchanged from record and broker."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core import events as ev
from node.core.effects import FaultReport, Heartbeat, InputReport
from node.core.line import ContactState
from node.core.model import BROKER, Incident, Inhibit, Key, KeyRange, ListedIncident, Snapshot, Step
from node.core.settings import AlarmClass, Lamp
from node.errors.faults import FAULTS
from node.protocol.codec import Wire, rfc3339
from node.protocol.messages import (
    INCIDENTS_LIMIT,
    PAYLOAD_LIMIT,
    RANGES_LIMIT,
    DiskHealth,
    Health,
    HeartbeatMessage,
    MemoryHealth,
    NetworkHealth,
    Throttling,
    UnderVoltage,
)
from node.protocol.record_codec import decode_snapshot, describe, encode_snapshot, is_event
from tests.support.sayings import BOOT, BRANCH, EARLIER, HEALTH, HEARTBEAT, NOON, NOW, SAID, STAMP, WIRE, event, listed

GOLDEN = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (Path(__file__).parent / "golden").iterdir()
}
WITHOUT_DATA = {**GOLDEN["heartbeat"], "health": dict.fromkeys(GOLDEN["heartbeat"]["health"])}
"""A heartbeat of a machine that tells nothing: each value of its health is null."""


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_is_golden(name: str) -> None:
    """Each message is, byte for byte, the text in golden/ without its spaces."""
    golden = WITHOUT_DATA if name == "heartbeat-without-data" else GOLDEN[name]

    said = SAID[name].decode()

    assert said == json.dumps(golden, separators=(",", ":"), ensure_ascii=False)


def test_no_golden_text_is_forgotten() -> None:
    """Every file in golden/ is compared with something."""
    assert {*GOLDEN, "heartbeat-without-data"} == SAID.keys()


@pytest.mark.parametrize(("version", "told"), [("1.0.0~rc1", "1.0.0~rc1"), ("1.0.0+" + "g" * 40, None), ("1:0", None)])
def test_an_odd_version_costs_itself_and_no_heartbeat(version: str, told: str | None) -> None:
    """Somebody has built the program in a way of his own: every monitor still understands the node."""
    wire = Wire("alarm/v1", "mitte", "room-214", BOOT, version)

    assert msgspec.json.decode(wire.heartbeat(HEARTBEAT, 0, HEALTH), type=HeartbeatMessage).version == told


def test_all_that_the_core_knows_of_itself_is_in_a_heartbeat() -> None:
    """By the same name; the sample has a value of each field that could also be left out."""
    known = set(Heartbeat.__struct_fields__)
    may_be_left_out = {
        each.name: each.default for each in msgspec.structs.fields(HeartbeatMessage) if not each.required
    }

    said = msgspec.structs.asdict(msgspec.json.decode(SAID["heartbeat"], type=HeartbeatMessage))

    assert known - said.keys() == {"at", "synchronised"}
    assert [name for name, default in may_be_left_out.items() if said[name] == default] == []


def test_a_node_hears_only_what_it_has_to() -> None:
    """A node subscribes to its own state, alarm, canary, receipt and command, and to the monitors; not to ``event``."""
    own = {f"{BRANCH}/{name}" for name in ("state", "alarm", "canary", "receipt", "command")}
    monitors = {f"alarm/v1/mitte/monitor/+/{name}" for name in ("state", "heartbeat")}

    assert set(WIRE.subscriptions) == own | monitors


@pytest.mark.parametrize(
    ("utc", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (-1.0, "1970-01-01T00:00:00.000Z"),
        (951_782_400.25, "2000-02-29T00:00:00.250Z"),
        (1_709_210_096.789, "2024-02-29T12:34:56.789Z"),
        (NOON, "2026-11-22T12:00:00.000Z"),
        (253_402_300_799.0, "9999-12-31T23:59:59.000Z"),
        (253_402_300_800.0, "9999-12-31T23:59:59.000Z"),
        (float("inf"), "9999-12-31T23:59:59.000Z"),
    ],
)
def test_instants_are_rfc_3339(utc: float, text: str) -> None:
    """Wall time is told to the millisecond in UTC, and clocks that are off by ages are told as 1970 or 9999."""
    assert rfc3339(utc) == text


def test_the_longest_list_of_incidents_can_be_heard_again() -> None:
    """However many are open and however long their names are, the list keeps the limit; the worst ones are in it."""
    longest = listed(
        int("9" * 16),
        input="i" * 63,
        step=Step.ACKNOWLEDGED,
        presses=2**53,
        press=Key(BOOT, 2**53),
        sounding_until=NOW + 3599.999,
    )
    wire = Wire("alarm/v1", "mitte", "n" * 63, BOOT)

    payload = wire.alarm([longest] * (INCIDENTS_LIMIT + 1), NOW, 2**53, NOON, True)

    assert len(payload) <= PAYLOAD_LIMIT
    assert adopted(payload, wire) == (longest,) * INCIDENTS_LIMIT


def test_the_longest_list_of_ranges_keeps_the_limit() -> None:
    """However much telemetry goes at once, the event that names it can be sent."""
    longest = KeyRange(BOOT, 2**53 - 1, 2**53)

    assert len(event("evicted", 2**53, ranges=(longest,) * RANGES_LIMIT)) <= PAYLOAD_LIMIT


def test_a_stored_event_is_described_for_people() -> None:
    """A description has the event's fields, who holds it and since when; what isn't known is None."""
    stored = event("inhibited", input="door", by="facilities", reason="cut-wire", for_s=3600.0)

    told = describe(stored, "guard-desk", NOON, (("stored", 0.0042), ("told", None)))
    accepted = describe(stored, BROKER, NOON)
    unheld = describe(stored, None, None)

    assert (told["kind"], told["input"], told["for_s"]) == ("inhibited", "door", 3600.0)
    assert (told["held_by"], told["held_at_utc"]) == ("guard-desk", "2026-11-22T12:00:00.000Z")
    assert (accepted["held_by"], accepted["held_at_utc"]) == (None, None)
    assert (unheld["held_by"], unheld["held_at_utc"]) == (None, None)
    assert [each["accepted_at_utc"] for each in (told, accepted, unheld)] == [None, "2026-11-22T12:00:00.000Z", None]
    assert (told["steps_ms"], unheld["steps_ms"]) == ({"stored": 4.2, "told": None}, {})
    assert "age_ms" not in told


@pytest.mark.parametrize(
    ("key", "body", "whole"),
    [
        (Key(BOOT, 7), event("restored"), True),
        (Key(BOOT, 8), event("restored"), False),
        (Key(EARLIER, 7), event("restored"), False),
        (Key(BOOT, 7), event("restored").replace(b"restored", b"rest\xffred"), False),
        (Key(BOOT, 7), b"{}", False),
        (Key(BOOT, 7), None, False),
    ],
)
def test_a_stored_event_is_known_by_its_identity(key: Key, body: bytes, whole: bool) -> None:
    """What a bad card has garbled is none."""
    assert is_event(key, body) is whole


def adopted(payload: bytes, wire: Wire = WIRE) -> tuple[ListedIncident, ...]:
    """The incidents that another node would take over from a retained list, read at NOW."""
    heard = wire.read("b", wire.alarm_topic, payload, retained=True, expiry_s=None, at=NOW)
    assert isinstance(heard, ev.AlarmHeard)
    return heard.incidents


ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
boots = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)
counts = st.integers(0, 2**53)
keys = st.builds(Key, boots, counts)
incident_ids = st.builds(lambda boot, seq: f"{boot}-{seq}", boots, st.integers(1, 10**16 - 1))
instants = st.floats(-1e9, 1e9)
dates = st.floats(0.0, 4e9)
incidents = st.builds(
    Incident,
    id=incident_ids,
    input=ids,
    alarm_class=st.sampled_from(AlarmClass),
    loud=st.booleans(),
    lamp=st.sampled_from(Lamp),
    step=st.sampled_from(Step),
    press=keys,
    presses=counts,
    since_utc=st.floats(allow_nan=False, allow_infinity=False),
    marks=st.frozensets(st.sampled_from(Step)),
    sounding_until=st.none() | instants,
    receipt_due=st.none() | instants,
    fault_shown=st.booleans(),
    test=st.booleans(),
)
snapshots = st.builds(
    Snapshot,
    at=instants,
    incidents=st.lists(incidents, max_size=4).map(tuple),
    inhibits=st.lists(st.builds(Inhibit, ids, instants, st.text(), st.text()), max_size=4).map(tuple),
)
lists = st.lists(
    st.builds(
        listed,
        id=incident_ids,
        input=ids,
        alarm_class=st.sampled_from(AlarmClass),
        step=st.sampled_from((Step.PRESSED, Step.TOLD, Step.ACKNOWLEDGED)),
        presses=counts,
        since_utc=dates,
        press=keys,
        sounding_until=st.none() | st.floats(NOW + 0.001, NOW + 3600.0),
        test=st.booleans(),
    ),
    max_size=8,
).map(tuple)


@given(snapshots)
def test_a_snapshot_survives_the_record(snapshot: Snapshot) -> None:
    """What a restart must bring back is read as it was written, to the last bit."""
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


@pytest.mark.parametrize("body", [b"", b"{}", b"[1, 2]", b'{"at": "\xff"}', b'{"x": ' + b"[" * 9_000])
def test_a_garbled_snapshot_is_refused(body: bytes) -> None:
    """A snapshot that can't be read is a ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError, match="unreadable snapshot"):
        decode_snapshot(body)


@given(lists)
def test_a_list_of_incidents_survives_the_broker(incidents: tuple[ListedIncident, ...]) -> None:
    """What a node adopts after its record was lost is what it had told; dates and sounds to the millisecond."""
    heard = adopted(WIRE.alarm(incidents, NOW, *STAMP))

    for each, told in zip(heard, incidents, strict=True):
        assert each == replace(told, since_utc=each.since_utc, sounding_until=each.sounding_until)
        assert each.since_utc == pytest.approx(told.since_utc, abs=0.0011)
        assert each.sounding_until == pytest.approx(told.sounding_until, abs=0.0011)


@pytest.mark.parametrize("step", [Step.STORED, Step.ACCEPTED, Step.NOBODY])
def test_a_call_that_nobody_has_begins_anew_where_it_is_adopted(step: Step) -> None:
    """Steps that readers can't tell apart are all active, and come back as pressed."""
    assert adopted(WIRE.alarm([listed(step=step)], NOW, *STAMP)) == (listed(step=Step.PRESSED),)


def test_a_heartbeat_keeps_within_the_limit_whatever_is_wrong() -> None:
    """With every fault of every input and endless monitors it still fits, and says how many faults stand."""
    worst = max(FAULTS.values(), key=lambda kind: len(kind.text) + len(kind.next_step))
    subject = f"{'t' * 100}/{'s' * 63}/node/{'n' * 63}/heartbeat on {'h' * 253}:65535"
    heartbeat = replace(
        HEARTBEAT,
        faults=tuple(FaultReport(worst.code, f"{subject}{number}", 0.0) for number in range(60)),
        monitors=tuple(f"{number:063}" for number in range(100)),
        inputs=tuple(
            InputReport(f"{number:063}", "button", ContactState.UNKNOWN, False, 86400.0) for number in range(26)
        ),
    )

    health = Health(
        age_s=86_400.123,
        stuck="started_by",
        started_by="watchdog",
        under_voltage=UnderVoltage(now=False, seen=False),
        throttling=Throttling(now=("capped", "throttled", "soft-limit"), seen=("capped", "throttled", "soft-limit")),
        cpu_c=100.123,
        memory=MemoryHealth(available_bytes=2**53, total_bytes=2**53),
        disk=DiskHealth(free_bytes=2**53, total_bytes=2**53, read_only=False),
        network=NetworkHealth(interface="w" * 15, up=False, signal_dbm=-100.0),
        threads=2**53,
        files=2**53,
    )

    payload = WIRE.heartbeat(heartbeat, record_depth=2**53, health=health)

    assert len(payload) <= PAYLOAD_LIMIT
    assert msgspec.json.decode(payload)["faults_standing"] == 60


FAULTY = replace(HEARTBEAT, faults=tuple(FaultReport("F010", f"10.0.0.{each}:1883", NOON) for each in range(16)))


@given(most=st.integers(0, 20_000))
def test_a_heartbeat_is_as_short_as_it_has_to_be(most: int) -> None:
    """Details are left out until it fits, or none is left; what a monitor needs to know of a node's life stays."""
    whole = WIRE.heartbeat(FAULTY, 0, HEALTH)

    short = WIRE.heartbeat(FAULTY, 0, HEALTH, most)

    least = WIRE.heartbeat(FAULTY, 0, HEALTH, 0)
    told = json.loads(short)
    assert len(short) <= max(most, len(least))
    assert (short == whole) == (most >= len(whole))
    assert (told["period_s"], told["seq"], told["faults_standing"], told["incidents"]) == (10.0, 7, 16, 1)


def test_the_shortest_heartbeat_passes_a_broker_that_takes_little() -> None:
    """With no detail left it is about as long as an event."""
    assert len(WIRE.heartbeat(FAULTY, 0, HEALTH, 0)) < 600
