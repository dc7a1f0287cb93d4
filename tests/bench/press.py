"""How long a press takes, with a real node process and a real mosquitto: ``python -m tests.bench.press``.

    contact   __|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾    the contact's own edge
    debounce    <-20 ms->
    buzzer    ___________|‾‾‾‾‾‾‾    (a) the buzzer's pin changes
    reader    _____________|‾‾‾‾‾    (b) the event is in the hands of a subscriber in another process

(c) is from the start of the process to its first heartbeat at that subscriber. All processes share CLOCK_MONOTONIC.
Ends with 1 if a median misses its target.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, write_config

DEBOUNCE_S = 0.020
TAP_MS = 120
TIRELESS = {"chatter_presses": 10_000}
"""No finger presses so often: by the default this would be a contact that chatters."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A distribution (seconds) and the median that it has to stay under."""

    what: str
    target_s: float
    values: Sequence[float]

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return statistics.median(self.values) < self.target_s

    def __str__(self) -> str:
        ordered = sorted(self.values)
        points = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
        shown = "  ".join(f"{name} {ordered[round(p * (len(ordered) - 1))] * 1e3:8.2f}" for name, p in points.items())
        verdict = "met" if self.met else "MISSED"
        return f"{self.what:<42} {len(ordered):>4} x  {shown}   median < {self.target_s * 1e3:g} ms: {verdict}"


def measure_presses(directory: Path, taps: int) -> tuple[Measured, Measured]:
    """(a) and (b) over this many taps; each is reset before the next, so that the buzzer starts anew."""
    to_buzzer, to_reader = [], []
    with Broker(directory / "broker") as broker, Desk(broker.port) as desk:
        config = write_config(directory, broker.port, panel=TIRELESS)
        with SimulatedNode(config) as node:
            desk.receive("heartbeat")
            for _ in range(taps):
                mark = node.mark
                node.tell(f"button tap {TAP_MS}")
                pressed = node.expect(since=mark, input="button", pressed=True)["at"] + DEBOUNCE_S
                to_buzzer.append(node.expect(since=mark, output="buzzer", level=True)["at"] - pressed)
                event = desk.receive("event", kind="pressed")
                to_reader.append(event.at - pressed)
                incident = desk.expect("event", kind="restored")["incident"]
                assert desk.order("reset", incident=incident)["outcome"] == "done"
    return (
        Measured("(a) press to buzzer, beyond the debounce", 0.003, to_buzzer),
        Measured("(b) press to subscriber, beyond it", 0.010, to_reader),
    )


def measure_starts(directory: Path, starts: int) -> Measured:
    """(c) over this many starts, each on the record of the one before."""
    to_heartbeat = []
    with Broker(directory / "broker") as broker, Desk(broker.port) as desk:
        config = write_config(directory, broker.port, panel=TIRELESS)
        for _ in range(starts):
            began_at = time.monotonic()
            with SimulatedNode(config) as node:
                heartbeat = desk.receive("heartbeat", boot=node.boot)
                to_heartbeat.append(heartbeat.at - began_at)
                node.quit()
    return Measured("(c) start to first heartbeat", 1.0, to_heartbeat)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.press", description="How long a press takes.")
    parser.add_argument("--taps", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--starts", type=int, default=20, help="default: %(default)s")
    asked = parser.parse_args(arguments)
    print(f"taps of {TAP_MS} ms, debounce {DEBOUNCE_S * 1e3:g} ms, real mosquitto; all in ms", flush=True)
    met = True
    with tempfile.TemporaryDirectory() as directory:
        for measured in (*measure_presses(Path(directory), asked.taps), measure_starts(Path(directory), asked.starts)):
            print(measured, flush=True)
            met = met and measured.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
