"""Many taps of each kind on a real node: what is too short for a press, and what is just long enough."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.examples import examples
from tests.support.node import BUTTON, SimulatedNode, write_config

TAPS = examples(1_000)
DEBOUNCE_S = 0.020
BRUSH_S, BRUSH_AT_MOST_S = 0.005, 0.006
PRESS_S, CHATTER_S = 0.040, 0.003
PAUSE_S = 0.022

PRESSED, BRUSHED = "pressed", "brushed"
_BUTTONS = ({**BUTTON, "name": PRESSED}, {**BUTTON, "name": BRUSHED, "pin": 27})


@dataclass(frozen=True, slots=True)
class Tap:
    """What a contact really did (monotonic seconds), by the node's own lines; ``settled``: its last closing."""

    pressed: float
    settled: float
    released: float

    @property
    def is_press(self) -> bool:
        """Whether its chatter was too short to be a press of its own. What follows it lasts for 37 ms at least."""
        return self.settled - self.pressed < DEBOUNCE_S

    @property
    def is_brush(self) -> bool:
        """Whether the machine was quick enough for it to be the brush that was meant."""
        return self.released - self.pressed <= BRUSH_AT_MOST_S

    def covers(self, at: float) -> bool:
        """Whether what was decided as of this instant was decided by this tap."""
        return self.pressed <= at <= self.released + DEBOUNCE_S


def _press(node: SimulatedNode) -> Tap:
    """40 ms, the first 3 of them chattering; longer where the machine was slow, never shorter. Until it is counted."""
    mark = node.mark
    # The wall carries out one instruction after the other: when it tells of the cable, it has told all of the chatter.
    node.tell(f"button:{PRESSED} bounce {CHATTER_S * 1000:.0f}", f"button:{PRESSED} mend")
    node.expect(since=mark, input=PRESSED, cable="intact")
    closings = [line["at"] for line in node.lines(mark, input=PRESSED, pressed=True)]
    _sleep_until(closings[-1] + PRESS_S - CHATTER_S)
    node.tell(f"button:{PRESSED} release")
    released = node.expect(lambda line: line["at"] > closings[-1], since=mark, input=PRESSED, pressed=False)["at"]
    node.expect(since=mark, input=PRESSED, ladder="pressed")
    return Tap(closings[0], closings[-1], released)


def _brush(node: SimulatedNode) -> Tap:
    mark = node.mark
    node.tell(f"button:{BRUSHED} tap {BRUSH_S * 1000:.0f}")
    pressed = node.expect(since=mark, input=BRUSHED, pressed=True)["at"]
    return Tap(pressed, pressed, node.expect(since=mark, input=BRUSHED, pressed=False)["at"])


def _taps(node: SimulatedNode) -> tuple[list[Tap], list[Tap]]:
    """All presses and brushes that it took to have enough of each, a brush in the pause after each press.

    The last one is a press that counts once: when it has been counted, so have all before it.
    """
    presses: list[Tap] = []
    brushes: list[Tap] = []
    missing = [TAPS, TAPS]
    while max(missing) > 0 or not presses[-1].is_press:
        presses.append(_press(node))
        brushes.append(_brush(node))
        missing[0] -= presses[-1].is_press
        missing[1] -= brushes[-1].is_brush
        _sleep_until(presses[-1].released + PAUSE_S)
    return presses, brushes


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))


@pytest.mark.many
@pytest.mark.timeout(400)
def test_short_taps_are_nothing_and_each_press_is_an_event(tmp_path: Path) -> None:
    """5 ms never raise an alarm; 40 ms with 3 ms of chatter always do, each as an event of its own.

    A tap that a slow machine made into another one than was meant isn't judged; another one takes its place.
    """
    with Broker(tmp_path / "broker") as broker, Desk(broker.port) as desk:
        # No finger presses so often: by the default this would be a contact that chatters.
        config = write_config(tmp_path, broker.port, buttons=_BUTTONS, panel={"chatter_presses": 10_000})
        with SimulatedNode(config) as node:
            desk.receive("heartbeat")
            presses, brushes = _taps(node)
            pressed = [line["at"] for line in node.lines(ladder="pressed", input=PRESSED)]
            alarmed = [line["at"] for line in node.lines(ladder="pressed", input=BRUSHED)]
            desk.receive("event", kind="pressed", input=PRESSED, presses=len(pressed))

    assert not [at for each in brushes if each.is_brush for at in alarmed if each.covers(at)]
    # A press is dated when its contact had been closed for the debounce, however late a busy machine decides it.
    counted = [(each, [at for at in pressed if each.pressed <= at <= each.released]) for each in presses]
    assert [(each, found) for each, found in counted if each.is_press and len(found) != 1] == []
    assert sum(len(found) for _, found in counted) == len(pressed)
    events = {(each["boot"], each["seq"]): each for each in desk.events if each["kind"] == "pressed"}
    numbers = sorted(each["presses"] for each in events.values() if each["input"] == PRESSED)
    assert numbers == list(range(1, len(pressed) + 1))
