"""Two brokers, and presses all along: whatever happens to one of them, the building hears each press over the other."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.broker import Broker
from tests.support.desk import BRANCH, Desk, Message, decoded, faults
from tests.support.mqtt import Client
from tests.support.node import NODE, PAUSE_S, SimulatedNode, wait_until, write_config

USUAL_S = 1.0
"""What a press may take to the desk: a hundred times what it takes here. Whatever waited for the broken path would take
3 s at least, the shortest deadline of a link."""

ENOUGH = 10
"""So many presses at least before, during and after each failure."""

ALL = f"topic readwrite #\nuser {NODE}\ntopic readwrite #\n"
NO_EVENTS = f"{ALL}topic deny {BRANCH}/event\n"
NOTHING = f"{ALL}topic deny {BRANCH}/#\n"
LOGIN = {NODE: "hunter2"}


@dataclass(frozen=True, slots=True)
class Way:
    """How a broker fails and is mended, and the fault that tells it."""

    fail: Callable[[Broker], None]
    mend: Callable[[Broker], None]
    code: str


WAYS: Mapping[str, Way] = {
    "killed": Way(Broker.kill, Broker.start, "F010"),
    "frozen": Way(Broker.freeze, Broker.thaw, "F010"),
    "refusing events": Way(lambda broker: broker.allow(NO_EVENTS), lambda broker: broker.allow(ALL), "F011"),
    "refusing everything": Way(lambda broker: broker.allow(NOTHING), lambda broker: broker.allow(ALL), "F011"),
    "refusing the login": Way(lambda broker: broker.let_in({}), lambda broker: broker.let_in(LOGIN), "F022"),
}


class Finger:
    """Presses again and again, as fast as a frightened person, from entering it as a context to leaving it."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node
        self._tired = threading.Event()
        self._thread = threading.Thread(target=self._press, name="finger", daemon=True)

    @property
    def presses(self) -> list[float]:
        """When the node decided each of them, so far."""
        return [line["at"] for line in self._node.lines(ladder="pressed")]

    def press_on(self) -> int:
        """Wait for some more presses; how many there were before."""
        before = len(self.presses)
        wait_until(lambda: len(self.presses) >= before + ENOUGH)
        return before

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tired.set()
        self._thread.join()
        if kind is None:
            self._press_last()

    def _press_last(self) -> None:
        """One more press of its own: once the node has decided it, it has decided all before it."""
        mark = self._node.mark
        self._node.tell("button mend")
        self._node.expect(since=mark, cable="intact")  # the wall has carried out all that it was told before
        mark = self._node.mark
        time.sleep(PAUSE_S)
        self._node.tap(60)
        [begun] = [line["at"] for line in self._node.lines(mark, pressed=True)]
        self._node.expect(lambda line: line["at"] > begun, ladder="pressed")

    def _press(self) -> None:
        while not self._tired.wait(random.uniform(0.08, 0.2)):  # noqa: S311 - a finger's rhythm, no secret
            self._node.tell("button tap 60")


def _broker(directory: Path) -> Broker:
    return Broker(directory, acl=ALL, passwords=LOGIN)


def _config(directory: Path, *brokers: Broker) -> Path:
    (directory / "password").write_text(LOGIN[NODE], encoding="ascii")
    login = {"username": NODE, "password_file": str(directory / "password")}
    listed = [{"host": "127.0.0.1", "port": broker.port, **login} for broker in brokers]
    # It is pressed all along, for longer than anybody does it: by the default that would be a contact that chatters.
    return write_config(directory, brokers=listed, panel={"chatter_presses": 10_000})


def _name(broker: Broker) -> str:
    return f"127.0.0.1:{broker.port}"


def _has_all_links(heartbeat: Message) -> bool:
    return all(each["connected"] for each in heartbeat["links"].values())


def _arrivals(desk: Desk) -> dict[int, float]:
    """When the first copy of each press came to this desk, by its number."""
    first: dict[int, float] = {}
    for received in desk.client.received:
        event = decoded(received)
        if event.get("kind") == "pressed":
            first.setdefault(event["presses"], received.at)
    return first


def _see_it_through(way: Way, node: SimulatedNode, finger: Finger, victim: Broker, survivor: Desk) -> range:
    """Let the victim fail and be mended; the numbers of the presses that came meanwhile."""
    subject = _name(victim)
    mark = node.mark
    since = len(finger.presses)
    way.fail(victim)
    survivor.receive("event", lambda event: subject in event["subject"], kind="fault-raised", fault=way.code)
    survivor.expect("heartbeat", lambda message: subject in faults(message).get(way.code, ""))
    finger.press_on()
    until = len(finger.presses)
    node.expect(since=mark, ladder="told")

    way.mend(victim)
    cleared = survivor.expect(
        "event", lambda event: subject in event["subject"], timeout_s=60.0, kind="fault-cleared", fault=way.code
    )
    survivor.expect("heartbeat", lambda message: message["seq"] >= cleared["seq"] and way.code not in faults(message))
    with Desk(victim.port, name="desk-of-victim", receipts=True) as back:
        after = finger.press_on()
        # The next press may have been sent before this desk was there: the line that counts it comes a little later.
        first = back.expect("event", lambda event: event["presses"] > after, kind="pressed")["presses"]
        for number in range(first + 1, first + ENOUGH):
            back.receive("event", kind="pressed", presses=number)
    return range(since + 1, until + 1)


@pytest.mark.parametrize("which", [0, 1], ids=["first", "second"])
def test_every_press_arrives_over_the_other_broker_in_its_usual_time(tmp_path: Path, which: int) -> None:
    """One broker is killed, frozen and refusing in turn: the other carries all and tells why, the lamp is as ever."""
    with _broker(tmp_path / "a") as a, _broker(tmp_path / "b") as b:
        victim, other = (a, b) if which == 0 else (b, a)
        with (
            Desk(other.port, name="desk-of-other", receipts=True) as survivor,
            SimulatedNode(_config(tmp_path, a, b)) as node,
        ):
            survivor.receive("heartbeat", _has_all_links, timeout_s=60.0)
            survivor.beat()
            with Finger(node) as finger:
                with Desk(victim.port, name="desk-of-victim", receipts=True) as both:
                    both.receive("event", lambda event: event["kind"] == "pressed" and event["presses"] > ENOUGH)
                failing = {name: _see_it_through(way, node, finger, victim, survivor) for name, way in WAYS.items()}
            pressed = finger.presses
            node.expect(lambda line: line["at"] > pressed[-1], ladder="told")
            survivor.receive("event", kind="restored", presses=len(pressed))
            with Client(victim.port, subscribe=[f"{BRANCH}/alarm"]) as late:
                retained = decoded(late.expect(lambda message: message.retain))

    arrived = _arrivals(survivor)
    took = {number: arrived[number] - at for number, at in enumerate(pressed, 1)}
    assert all(len(numbers) >= ENOUGH for numbers in failing.values())
    assert {number: seconds for number, seconds in took.items() if seconds >= USUAL_S} == {}
    assert _missing(survivor) == set()
    assert [each["presses"] for each in retained["incidents"]] == [len(pressed)]
    assert "Traceback" not in node.log


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_what_nobody_confirmed_arrives_over_a_broker_that_is_back(tmp_path: Path, how: str) -> None:
    """The desk at the other broker hears each press and confirms none: the one at the returned broker gets them all."""
    way = WAYS[how]
    with (
        _broker(tmp_path / "a") as victim,
        _broker(tmp_path / "b") as other,
        Desk(other.port) as silent,
        SimulatedNode(_config(tmp_path, victim, other)) as node,
    ):
        silent.receive("heartbeat", _has_all_links, timeout_s=60.0)
        way.fail(victim)
        with Finger(node) as finger:
            silent.expect_fault(way.code)
            wait_until(lambda: len(finger.presses) > 3 * ENOUGH)  # more than may be unconfirmed in flight
        last = silent.expect("event", kind="restored", presses=len(finger.presses))
        way.mend(victim)
        with Desk(victim.port, receipts=True) as back:
            back.beat()
            wait_until(lambda: not _missing(back, last["seq"]))
            node.expect(ladder="told")

    assert _arrivals(silent).keys() == set(range(1, len(finger.presses) + 1))


def _missing(desk: Desk, until: int = 0) -> set[int]:
    """The numbers of events, up to this one or the newest that it knows, that this desk hasn't got."""
    seqs = {event["seq"] for event in desk.events}
    return set(range(1, max([until, *seqs]) + 1)) - seqs
