"""The campaign ``disk``: the memory card is full, read-only, stalled or garbled, or its power is cut.

A press sounds and is sent in its usual time whatever the card does; what was shown as stored is never lost by it; the
fault is told, and cleared once it is over; then everything that was raised meanwhile is in the record.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from node.core.disk_stall import CALM_S
from node.core.effects import LoggedEvent
from node.core.model import EventKind, Key
from node.io.record.record import FILE_NAME, Row
from node.io.record.record_file import File
from node.protocol.codec import Wire
from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.card import Card, Fault, missing
from tests.campaigns.defects import command
from tests.campaigns.soon_calm import SOON_CALM_S
from tests.support.broker import Broker
from tests.support.desk import Desk, faults, incidents
from tests.support.node import NODE, SITE, SimulatedNode, alarm_node, wait_until, write_config
from tests.support.prepared import MODULE

USUAL_MORE_S = 3.0
"""How much longer than before the fault a press may take under it; a card that stalls does so for longer."""

STALL_S = 5.0
RECOVERY_S = 40.0
OLD_BOOT = "00000001"
OLD_EVENTS = 300
PAGE = 4096


def attempt(this: Try) -> Figures:
    """One try of this kind."""
    return _ATTEMPTS[this.kind](this)


# A card that takes nothing for a while.


def _outage(this: Try, fault: Fault, calm_s: float = 0.0) -> Figures:
    card = Card(this.directory)
    program = command(this.defect)
    if this.short and fault is Fault.STALLED and not this.defect:
        program, calm_s = [MODULE, "tests.campaigns.soon_calm"], SOON_CALM_S
    with Broker(this.directory / "broker") as broker, Desk(broker.port, receipts=True) as desk:
        config = write_config(this.directory, broker.port)
        with SimulatedNode(config, program=program, environ=card.environ) as node:
            node.expect(output="lamp", pattern="ready")
            usual, raised = _press(node, desk)
            desk.expect("event", kind="restored")
            reset = desk.order("reset", incident=raised)
            assert reset["outcome"] == "done", f"the reset between the presses: {reset}"
            node.expect(output="buzzer", level=False)
            time.sleep(this.random.uniform(0.0, 0.5))

            card.set(fault)
            begun = time.monotonic()
            measured = _press(node, desk)[0]
            for name, seconds in measured.items():
                late = f"{name} took {seconds:.2f} s under the fault, {usual[name]:.2f} s before it"
                assert seconds <= usual[name] + USUAL_MORE_S, late
            more = this.random.randrange(3)
            for _ in range(more):
                node.tap(this.random.randint(40, 120))
            desk.expect_fault("F020")
            time.sleep(max(0.0, begun + STALL_S - time.monotonic()) if fault is Fault.STALLED else this.random.random())
            card.set(Fault.WELL)

            node.tap()
            presses = 3 + more
            cleared = desk.expect("event", kind="fault-cleared", fault="F020", timeout_s=calm_s + RECOVERY_S)
            desk.expect("heartbeat", lambda each: each["seq"] >= cleared["seq"] and "F020" not in faults(each))
            wait_until(lambda: sum(event["kind"] == "pressed" for event in _apart(desk)) == presses)
            assert node.quit() == 0, "the node didn't end well"
        kept = _log(config)
        sent = {_key(event): event["kind"] for event in desk.events}
        lost = [f"{kind} {key}" for key, kind in sent.items() if key not in {_key(event) for event in kept}]
        assert not lost, f"sent, and not in the record: {lost}"
        found = sum(event["kind"] == "pressed" for event in kept)
        assert found == presses, f"{presses} presses, and {found} in the record"
    return measured


def _press(node: SimulatedNode, desk: Desk) -> tuple[dict[str, float], str]:
    """Press once; how long it took to the buzzer and to the desk, and the incident."""
    mark = node.mark
    node.tap()
    at = node.expect(since=mark, pressed=True)["at"]
    sounded = node.expect(since=mark, output="buzzer", level=True)["at"]
    key = f"{node.boot}-"
    received = desk.receive("event", lambda event: event["incident"].startswith(key), kind="pressed")
    figures = {"press to buzzer (s)": sounded - at, "press to desk (s)": received.at - at}
    return figures, str(json.loads(received.payload)["incident"])


def _apart(desk: Desk) -> list[dict[str, object]]:
    """The events that the desk has, each once."""
    return [dict(event) for event in {_key(event): event for event in desk.events}.values()]


# A record that is garbled while nobody runs.


def _damage(this: Try, harm: Callable[[Path, Random], None]) -> Figures:
    state = this.directory / "state"
    _fill(state)
    with Broker(this.directory / "broker") as broker, Desk(broker.port, receipts=True) as desk:
        config = write_config(this.directory, broker.port)
        with SimulatedNode(config, program=command(this.defect)) as node:
            node.expect(output="lamp", pattern="ready")
            incident = _press(node, desk)[1]
            for _ in range(this.random.randrange(4)):
                node.tap(40)
            time.sleep(this.random.uniform(0.0, 0.1))
            node.kill()
        harm(state, this.random)

        with SimulatedNode(config, program=command(this.defect)) as node:
            boot = node.boot
            desk.expect("alarm", lambda message: message["boot"] == boot and incident in incidents(message))
            node.expect(output="buzzer", level=True)
            mark = node.mark
            node.tap()
            at = node.expect(since=mark, pressed=True)["at"]
            first = desk.receive("event", lambda event: event["boot"] == boot, kind="pressed")
            node.expect(since=mark, ladder="stored")
            node.expect_log("the record was looked through")
            if any(state.glob(f"{FILE_NAME}.corrupt-1")):
                desk.expect("event", kind="fault-raised", fault="F020", boot=boot)
                desk.expect("event", kind="fault-cleared", fault="F020", boot=boot)
            node.tap()
            second = desk.expect("event", lambda event: event["boot"] == boot, kind="pressed")
            assert node.quit() == 0, "the node didn't end well"
        kept = {_key(event) for event in _log(config)}
        assert _key(second) in kept, "what was raised after the damage was known isn't in the record"
    return {"press to desk after damage (s)": first.at - at}


def _fill(state: Path) -> None:
    """A record with a past, so that there are pages to garble: half of it received."""
    state.mkdir()
    wire = Wire("alarm/v1", SITE, NODE, OLD_BOOT)
    events = [
        LoggedEvent(Key(OLD_BOOT, seq), EventKind.RESTORED, 1.0, 1e9, False, "button") for seq in range(1, OLD_EVENTS)
    ]
    rows = [Row(event.key, False, event.at, "an earlier one", wire.event(event)) for event in events]
    file = File(state / FILE_NAME, 64 * 2**20)
    file.commit(rows, {row.key: ("guard-desk", 1e9) for row in rows[::2]}, {}, None, "an earlier one")
    file.close()


def _garble(state: Path, chance: Random) -> None:
    """Flip bytes in some pages."""
    path = state / FILE_NAME
    content = bytearray(path.read_bytes())
    pages = range(len(content) // PAGE)
    for page in chance.sample(pages, chance.randint(1, min(8, len(pages)))):
        for _ in range(chance.randint(1, 64)):
            content[page * PAGE + chance.randrange(PAGE)] ^= chance.randint(1, 255)
    path.write_bytes(content)


def _cut_log(state: Path, chance: Random) -> None:
    """Cut the write-ahead log somewhere."""
    path = state / f"{FILE_NAME}-wal"
    with path.open("r+b") as log:
        log.truncate(chance.randrange(path.stat().st_size + 1))


# A power cut.


def _power_cut(this: Try) -> Figures:
    card = Card(this.directory)
    with Broker(this.directory / "broker") as broker:
        config = write_config(this.directory, broker.port)
        with SimulatedNode(config, program=command(this.defect), environ=card.environ) as node:
            node.expect(output="lamp", pattern="ready")
            for _ in range(this.random.randint(1, 8)):
                node.tell("button tap 30")
                time.sleep(this.random.uniform(0.06, 0.2))
            if this.random.random() < 0.5:
                node.expect(ladder="stored")
            node.kill()
        stored = _stored(node)
        card.cut(this.random, torn=this.random.random() < 0.5)

        with (
            Desk(broker.port, receipts=True) as desk,
            SimulatedNode(config, program=command(this.defect), environ=card.environ) as node,
        ):
            node.expect(output="lamp")
            kept = {event["presses"] for event in _log(config) if event["kind"] == "pressed"}
            assert kept >= set(stored), f"stored {stored}, and after the power cut the record has {sorted(kept)}"
            for number in stored:
                desk.expect("event", kind="pressed", presses=number)
            assert node.quit() == 0, "the node didn't end well"
    return {}


def _stored(node: SimulatedNode) -> list[int]:
    """The presses that were shown as stored, by their number in the incident."""
    pressed, stored = 0, []
    for change in node.lines():
        if change.get("ladder") == "pressed":
            pressed += 1
        elif change.get("ladder") == "stored":
            stored.append(pressed)
    return stored


# What all have in common.


def _log(config: Path) -> list[dict[str, Any]]:
    told = alarm_node("log", "--json", "--config", config, cwd=config.parent)
    assert told.returncode == 0, f"the record can't be read: {told.stderr}"
    return [json.loads(line) for line in told.stdout.splitlines()]


def _key(event: object) -> tuple[object, object]:
    assert isinstance(event, dict)
    return event["boot"], event["seq"]


_ATTEMPTS: dict[str, Callable[[Try], Figures]] = {
    "full": lambda this: _outage(this, Fault.FULL),
    "read-only": lambda this: _outage(this, Fault.READ_ONLY),
    "stalled": lambda this: _outage(this, Fault.STALLED, CALM_S),
    "corrupt": lambda this: _damage(this, _garble),
    "cut-log": lambda this: _damage(this, _cut_log),
    "power-cut": _power_cut,
}

DISK = Campaign(
    name="disk",
    invariant="whatever the card does, a press sounds and is sent as ever, and what was stored stays",
    full=200,
    short=len(_ATTEMPTS),
    attempt=attempt,
    kinds=tuple(_ATTEMPTS),
    parallel=6,
    missing=missing,
)
