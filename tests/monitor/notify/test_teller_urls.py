"""Targets whose URL can't be used, hangs or changes, and what the hub is told."""

import time

from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import IncidentKey, NoticeKind
from node.monitor.notify.teller import Accepted, Pace, TargetFailed, TargetWorks, Teller
from tests.monitor.notify.telling import QUICK, all_settled, desk, telling
from tests.support.broker import free_port
from tests.support.notices import alarm, finding
from tests.support.outbox import MemoryOutbox
from tests.support.receivers import HttpReceiver, Record


def test_a_target_whose_url_cannot_be_used_is_a_problem_and_the_others_work(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """It is told at the start, before an alarm needs it."""
    with telling(outbox, Target("broken", "nonsense://secret"), desk(receiver)) as (_, put):
        [failed] = put.first(1)
        outbox.add("broken", [alarm()])
        outbox.add("desk", [alarm()])

        assert len(receiver.taken.first(1)) == 1
        outbox.wait_for(lambda rows: rows[0].attempts == 1)

    assert (type(failed), failed.name) == (TargetFailed, "broken")
    assert "secret" not in failed.reason
    assert [each.name for each in put.items] == ["broken", "desk"]


def test_it_ends_soon_while_a_target_hangs(outbox: MemoryOutbox) -> None:
    """After the try that is being made, and without a further one."""
    outbox.add("desk", [alarm("room-1"), alarm("room-2")])
    teller = Teller(
        "monitor-a", outbox, [Target("desk", f"json://127.0.0.1:{free_port()}")], lambda _: None, pace=Pace(poll_s=60.0)
    )
    teller.start()
    begun = time.monotonic()

    assert teller.close(10.0)

    assert time.monotonic() - begun < 5.0
    assert not any(each.is_alive() for each in teller.threads)


def test_a_call_that_a_target_takes_is_said_at_once_and_nothing_else_is(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """Before it is settled: the lamp waits for it. No test, no end, no finding, and nothing that fails."""
    put, refusing = Record(), HttpReceiver()
    refusing.behaviour = "fail"
    with refusing:
        teller = Teller("monitor-a", outbox, (desk(receiver), desk(refusing, "other")), put.add, pace=QUICK)
        teller.start()
        try:
            outbox.add("other", [alarm("room-1")])
            outbox.add("desk", [alarm("room-2", test=True), alarm("room-3", kind=NoticeKind.RESET), finding()])
            outbox.add("desk", [alarm("room-4", level=1, presses=3)])
            refusing.asked.first(2)
            outbox.wait_for(lambda rows: all(row.outcome for row in rows if row.target == "desk"))
        finally:
            assert teller.close(30.0)

    said = [each for each in put.items if isinstance(each, Accepted)]
    assert said == [Accepted(IncidentKey("mitte", "room-4", "0a1b2c3d-7"), 3)]


def test_a_target_whose_url_could_not_be_read_is_told_once_it_has_one(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """Its problem is told at the start; what waits for it is sent as soon as there is a URL."""
    with telling(outbox, Target("desk", "", problem="/etc/desk.url is empty"), pace=Pace(poll_s=60.0)) as (teller, put):
        outbox.add("desk", [alarm()])
        teller.wake()
        outbox.wait_for(lambda rows: rows[0].attempts == 1)

        teller.use_url("desk", receiver.url)
        [posted] = receiver.taken.first(1)

        assert posted.title == "ALARM, Bedrohung: mitte/room-214"
        assert [(type(each), getattr(each, "reason", "")) for each in put.items[:2]] == [
            (TargetFailed, "/etc/desk.url is empty"),
            (TargetWorks, ""),
        ]


def test_a_target_is_told_by_its_newest_url(outbox: MemoryOutbox, receiver: HttpReceiver, other: HttpReceiver) -> None:
    """Another target keeps its own."""
    with telling(outbox, desk(receiver), desk(receiver, "guards")) as (teller, _):
        outbox.add("desk", [alarm()])
        receiver.taken.first(1)

        teller.use_url("desk", other.url)
        outbox.add("desk", [alarm(level=1)])
        outbox.add("guards", [alarm(level=1)])
        other.taken.first(1)
        receiver.taken.first(2)
        all_settled(outbox)

    assert (len(other.taken.items), len(receiver.taken.items)) == (1, 2)


def test_a_new_url_that_is_none_is_told(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """As it is at a start."""
    with telling(outbox, desk(receiver)) as (teller, put):
        teller.use_url("desk", "nothing://hunter2")
        failed = put.first(1)[0]

    assert isinstance(failed, TargetFailed)
    assert "hunter" not in failed.reason
