"""Two monitors beside each other, on one PostgreSQL and each on a history of its own: nobody is called twice."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.monitor.core.decisions.deliveries import LEASE_S
from tests.support import kept
from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SITE, SimulatedNode, write_config
from tests.support.postgres import Postgres
from tests.support.receivers import HttpReceiver
from tests.support.standins import StandIns, names

Pair = Sequence[RunningMonitor]
Start = Callable[..., Pair]

REMARK = "You may have got this message before."
_FURTHER = "Pressed 2 times"
NAMES = ("desk-a", "desk-b")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A private broker."""
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """Where both of them tell people."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def start(tmp_path: Path, broker: Broker) -> Iterator[Start]:
    """Starts both at once, each on the history of its address, and waits until they are ready."""
    with ExitStack() as stack:

        def start_both(urls: Sequence[str | None], *targets: dict[str, object], escalate_s: int = 60) -> Pair:
            pair = [
                RunningMonitor(
                    write_monitor(
                        tmp_path / name,
                        broker.port,
                        name=name,
                        history_url=url,
                        targets=targets,
                        incidents={"escalate_s": escalate_s},
                    )
                )
                for name, url in zip(NAMES, urls, strict=True)
            ]
            for monitor in pair:
                stack.push(monitor)
                monitor.start()
            for monitor in pair:
                monitor.wait_until_ready()
            return pair

        yield start_both


@pytest.fixture
def shared_url(postgres: Postgres) -> Iterator[str]:
    """A database in which nothing is: whoever comes first makes the tables."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture
def nodes(broker: Broker) -> Iterator[StandIns]:
    """Nodes that are no programs."""
    with StandIns(broker.port) as connected:
        yield connected


def _target(receiver: HttpReceiver, name: str = "guards", **keys: object) -> dict[str, object]:
    return {"name": name, "url": receiver.url, "language": "en", **keys}


def _titles(receiver: HttpReceiver) -> list[str]:
    return sorted(each.title for each in receiver.taken.items)


def _phases(monitor: RunningMonitor) -> list[str]:
    return [each["phase"] for each in monitor.items("/incidents")]


def test_both_start_at_once_and_each_is_reached_by_its_own_commands(start: Start, shared_url: str) -> None:
    """Whoever makes the tables, the commands beside each monitor reach it; and still do when both were started anew."""
    pair = start([shared_url, shared_url])

    before = [monitor.get("/fleet")["monitor"] for monitor in pair]
    for monitor in pair:
        monitor.kill()
        monitor.start()
    for monitor in pair:
        monitor.wait_until_ready()
    after = [monitor.get("/fleet")["monitor"] for monitor in pair]

    assert before == [*NAMES]
    assert after == [*NAMES]


def test_each_gives_its_receipt_and_an_alarm_is_told_once(
    start: Start, shared_url: str, nodes: StandIns, receiver: HttpReceiver
) -> None:
    """Ten walls call; nobody hears of one of them twice, and the history has each once."""
    start([shared_url, shared_url], _target(receiver, findings="none"))
    walls = names(10)

    incidents = [nodes.press(wall) for wall in walls]

    nodes.wait(lambda: all(nodes.receipts(each.first).keys() == {*NAMES} for each in incidents), what="both receipts")
    receiver.taken.first(len(walls))
    kept.wait_until_nothing_waits(shared_url)
    assert _titles(receiver) == sorted(f"ALARM, threat: {SITE}/{wall}" for wall in walls)
    assert kept.rows(shared_url, "SELECT count(*), sum(presses) FROM incidents") == [(10, 10)]


def test_a_lost_node_is_one_flip_and_one_message(
    start: Start, shared_url: str, nodes: StandIns, receiver: HttpReceiver
) -> None:
    """Both find it by the same deadline; the history takes the first, and people hear of it once."""
    pair = start([shared_url, shared_url], _target(receiver))
    nodes.beat("wall", period_s=1.0)
    for monitor in pair:
        monitor.expect_status("wall", "up")

    for monitor in pair:
        monitor.expect_status("wall", "down")

    (told,) = receiver.taken.first(1)
    kept.wait_until_nothing_waits(shared_url)
    assert (len(receiver.taken.items), told.title.startswith(f"{SITE}/wall: ")) == (1, True), receiver.taken.items
    flips = kept.rows(shared_url, "SELECT before, after FROM flips WHERE node = 'wall' ORDER BY id")
    assert [each for each in flips if each[1] == "down"] == flips[-1:]
    assert kept.rows(shared_url, "SELECT code FROM findings WHERE cleared_utc IS NULL AND site <> ''") == [("M001",)]


@pytest.mark.parametrize("killed", [0, 1])
def test_one_is_killed_and_the_other_goes_on(
    start: Start, shared_url: str, nodes: StandIns, receiver: HttpReceiver, killed: int
) -> None:
    """What was called before is told to the next group, once; what is called after has its receipt and its message."""
    pair = start(
        [shared_url, shared_url],
        _target(receiver, findings="none"),
        _target(receiver, "next", level=1, findings="none"),
        escalate_s=10,
    )
    before = nodes.press("wall-before")
    nodes.wait(lambda: len(nodes.receipts(before.first)) == 2)
    receiver.taken.first(1)
    kept.wait_until_nothing_waits(shared_url)  # or the kill may leave it open whether people were told

    pair[killed].kill()
    after = nodes.press("wall-after")

    nodes.wait(lambda: nodes.receipts(after.first).keys() == {NAMES[1 - killed]})
    receiver.taken.first(4)
    kept.wait_until_nothing_waits(shared_url)
    assert _titles(receiver) == [
        f"ALARM, threat: {SITE}/wall-after",
        f"ALARM, threat: {SITE}/wall-before",
        f"NOT ACKNOWLEDGED! ALARM, threat: {SITE}/wall-after",
        f"NOT ACKNOWLEDGED! ALARM, threat: {SITE}/wall-before",
    ]


def test_what_a_killed_one_was_telling_the_other_tells_soon(
    start: Start, shared_url: str, nodes: StandIns, receiver: HttpReceiver
) -> None:
    """Its target hung, so that perhaps people know: the living one waits for the lease, and says so."""
    pair = start([shared_url, shared_url], _target(receiver, findings="none"))
    receiver.behaviour = "hang"
    nodes.press("wall")
    receiver.asked.first(1)
    ((teller,),) = kept.rows(shared_url, "SELECT claimed_by FROM deliveries WHERE claim IS NOT NULL")

    receiver.behaviour = "take"
    pair[NAMES.index(teller)].kill()
    killed = time.monotonic()

    [told] = receiver.taken.first(1)
    assert (told.title, REMARK in told.body) == (f"ALARM, threat: {SITE}/wall", True)
    assert told.at - killed < LEASE_S + 10.0
    assert len(receiver.asked.items) == 2


def test_what_one_acknowledges_and_resets_the_other_knows(
    start: Start, shared_url: str, tmp_path: Path, broker: Broker, receiver: HttpReceiver
) -> None:
    """By way of the wall: a real node tells both, and people hear of each step once."""
    pair = start([shared_url, shared_url], _target(receiver, findings="none"))
    with SimulatedNode(write_config(tmp_path, broker.port)) as node:
        for monitor in pair:
            monitor.expect_status(NODE, "up")
        node.tap()
        node.expect(ladder="held")
        for monitor in pair:
            monitor.wait(lambda monitor=monitor: len(monitor.items("/incidents")) == 1)  # type: ignore[misc]
        (incident,) = pair[0].items("/incidents")

        assert pair[0].post(f"/incidents/{incident['id']}/acknowledge")[0] == 200
        node.expect(ladder="acknowledged")
        pair[1].wait(lambda: pair[1].items("/incidents")[0]["phase"] == "acknowledged", what="the acknowledgement")
        receiver.taken.first(2)  # else the end may join its message
        assert pair[1].post(f"/incidents/{incident['id']}/reset", {"reason": "drill"})[0] == 200
        pair[0].wait(lambda: pair[0].items("/incidents") == [], what="no open incident")

    receiver.taken.first(3)
    kept.wait_until_nothing_waits(shared_url)
    assert _titles(receiver) == [
        f"ALARM, threat: {SITE}/{NODE}",
        f"Alarm is over, it was a drill: {SITE}/{NODE}",
        f"Somebody is coming: {SITE}/{NODE}",
    ]


def test_what_one_acknowledges_for_a_dead_node_is_not_told_to_the_next_group(
    start: Start, shared_url: str, nodes: StandIns, receiver: HttpReceiver
) -> None:
    """No wall says it to the other monitor: it knows by the history that they share, and awaits no next level."""
    pair = start(
        [shared_url, shared_url],
        _target(receiver, findings="none"),
        _target(receiver, "next", level=1, findings="none"),
        escalate_s=10,
    )
    incident = nodes.press("wall")
    nodes.wait(lambda: len(nodes.receipts(incident.first)) == 2)
    pressed = time.monotonic()

    # The stand-in answers no command, as a node that has lost its power.
    status, _ = pair[0].post(f"/incidents/{SITE}/wall/{incident.id}/acknowledge")

    assert time.monotonic() - pressed < 10.0, "too late to say anything"
    pair[1].wait(lambda: _phases(pair[1]) == ["acknowledged"], what="the acknowledgement, when the next level is due")
    assert [each["next_level_s"] for monitor in pair for each in monitor.items("/incidents")] == [None, None]
    kept.wait_until_nothing_waits(shared_url)
    assert status == 504
    assert _titles(receiver) == [f"ALARM, threat: {SITE}/wall", f"Somebody is coming: {SITE}/wall"]


def test_with_histories_of_their_own_each_goes_by_itself(start: Start, nodes: StandIns) -> None:
    """Each tells its own people; one that comes back still has the alarm that it knew, and tells the further press."""
    with HttpReceiver() as one, HttpReceiver() as other:
        receivers = (one, other)
        targets = [_target(each, f"of-{number}", findings="none") for number, each in enumerate(receivers)]
        pair = start([None, None], *targets)
        incident = nodes.press("wall")
        nodes.wait(lambda: nodes.receipts(incident.first).keys() == {*NAMES}, what="both receipts")
        for each in receivers:
            each.taken.first(2)

        pair[0].kill()
        nodes.press("wall")
        nodes.wait_for_all()
        pair[0].start()
        pair[0].wait_until_ready()

        pair[1].wait(lambda: [each["presses"] for each in pair[1].items("/incidents")] == [2], what="both presses")
        pair[0].wait(lambda: [each["phase"] for each in pair[0].items("/incidents")] == ["told"], what="told")
        # Of each monitor the first press and the further one. A kill between the telling and its record has it told
        # again, and say so, perhaps in one message with the further press.
        for people in receivers:
            people.taken.wait(lambda taken: sum(_FURTHER in each.body for each in taken) == 2)
            sure = [_FURTHER in each.body for each in people.taken.items if REMARK not in each.body]
            assert (sure.count(False), sure.count(True)) in ((2, 2), (2, 1))


def test_a_press_that_one_never_saw_takes_back_what_it_knows_of_help(start: Start, nodes: StandIns) -> None:
    """Each has its own history; the other one's receipt ended the sending of the press, and the list alone tells it."""
    with HttpReceiver() as one, HttpReceiver() as other:
        receivers = (one, other)
        targets = [_target(each, f"of-{number}", findings="none") for number, each in enumerate(receivers)]
        pair = start([None, None], *targets)
        incident = nodes.press("wall")
        nodes.acknowledge(incident)
        nodes.wait(lambda: all(nodes.receipts(each).keys() == {*NAMES} for each in incident.told), what="all receipts")
        pair[0].wait(lambda: _phases(pair[0]) == ["acknowledged"], what="the acknowledgement")

        pair[0].kill()
        incident.phase = "active"
        nodes.press("wall")
        nodes.wait_for_all()
        told = [len(each.taken.items) for each in receivers]
        pair[0].start()
        pair[0].wait_until_ready()

        pair[0].wait(lambda: [each["presses"] for each in pair[0].items("/incidents")] == [2], what="both presses")
        assert _phases(pair[0]) != ["acknowledged"]
        receivers[0].taken.first(told[0] + 1)
        assert receivers[0].taken.items[-1].title.startswith("ALARM, threat")
