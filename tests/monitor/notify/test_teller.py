"""The teller on real receivers: each notice is told once, at once or gathered, whatever fails or hangs meanwhile."""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event

import pytest
from msgspec.structs import replace

from node.monitor.core.deliveries import LEASE_S, Settled
from node.monitor.core.model import IncidentKey, Notice, NoticeKind
from node.monitor.core.monitor_settings import Target
from node.monitor.notify.grouping import ALARM_TRIES, FINDING_TRIES
from node.monitor.notify.teller import Accepted, Pace, TargetFailed, TargetWorks, Teller
from tests.support.broker import free_port
from tests.support.history import TurnedClock
from tests.support.notices import alarm, finding
from tests.support.outbox import MemoryOutbox
from tests.support.receivers import TIMEOUT_S, HttpReceiver, MailServer, Record, text_of

QUICK = Pace(poll_s=0.05, gather_s=0.5, many_s=1.5, send_s=10.0)
RENEWING = Pace(poll_s=0.02, gather_s=0.0, many_s=0.0, renew_s=0.0)
"""At every look: where the clock is turned, a claim is renewed by the new time at once."""


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A started HTTP receiver."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def other() -> Iterator[HttpReceiver]:
    """A second one."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def outbox() -> MemoryOutbox:
    """An empty outbox."""
    return MemoryOutbox()


@contextmanager
def telling(
    outbox: MemoryOutbox,
    *targets: Target,
    monitor: str = "monitor-a",
    pace: Pace = QUICK,
) -> Iterator[tuple[Teller, Record]]:
    """A running teller, and what it puts about its targets."""
    put = Record()
    teller = Teller(
        monitor, outbox, targets, lambda each: None if isinstance(each, Accepted) else put.add(each), pace=pace
    )
    teller.start()
    try:
        yield teller, put
    finally:
        assert teller.close(30.0)


def desk(receiver: HttpReceiver, name: str = "desk") -> Target:
    """A target that is this receiver."""
    return Target(name, receiver.url)


@pytest.fixture
def logged() -> Iterator[Record]:
    """What the teller's threads log."""
    lines = Record()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.add(record.getMessage())

    handler, logger = Handler(), logging.getLogger("node.monitor.notify")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def all_settled(outbox: MemoryOutbox) -> None:
    """Wait until nothing waits."""
    outbox.wait_for(lambda rows: all(row.outcome is not None for row in rows))


def renewed_at(outbox: MemoryOutbox, instant: datetime) -> None:
    """Wait until the first delivery's claim has this stamp."""
    outbox.wait_for(lambda rows: rows[0].claimed is not None and rows[0].claimed[2] == instant)


def test_an_alarm_is_told_at_once(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """When the teller is woken, however seldom it looks by itself."""
    with telling(outbox, desk(receiver), pace=Pace(poll_s=60.0)) as (teller, _):
        outbox.add("desk", [alarm()])
        begun = time.monotonic()
        teller.wake()

        [posted] = receiver.taken.first(1)

    assert posted.title == "ALARM, Bedrohung: mitte/room-214"
    assert posted.at - begun < 1.0
    assert outbox.outcomes("desk") == [Settled.SENT]


def test_each_target_is_told_in_its_language_over_its_own_way(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """One by mail in English, one by HTTP in German."""
    with MailServer() as mail_server:
        guards = Target("guards", mail_server.url, language="en")
        with telling(outbox, desk(receiver), guards):
            outbox.add("desk", [alarm()])
            outbox.add("guards", [alarm()])

            [posted] = receiver.taken.first(1)
            [mail] = mail_server.mails.first(1)

    assert "Bedrohung" in posted.body
    assert mail["subject"] == "ALARM, threat: mitte/room-214"
    assert "Guards: go there as your instructions say." in text_of(mail)


def test_every_alarm_is_a_message_of_its_own(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """In their order."""
    outbox.add("desk", [alarm(f"room-{number}") for number in range(5)])
    with telling(outbox, desk(receiver)):
        all_settled(outbox)

    assert [posted.title[-6:] for posted in receiver.taken.items] == [f"room-{number}" for number in range(5)]


def test_what_is_found_at_once_is_one_message(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """What comes while the first one waits joins it."""
    with telling(outbox, desk(receiver)):
        outbox.add("desk", [finding("a", "M006")])
        outbox.add("desk", [finding(name, "M006") for name in "bcdefgh"])
        all_settled(outbox)

    [posted] = receiver.taken.items
    assert posted.title == "8 x die Probe eines Tasters ist überfällig: mitte 8"


def test_ten_thousand_lost_nodes_are_one_message(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """Those that are found late, by their deadlines, join it."""
    with telling(outbox, desk(receiver)):
        outbox.add("desk", [finding(f"room-{number}") for number in range(6000)])
        outbox.wait_for(bool)
        outbox.add("desk", [finding(f"room-{number}") for number in range(6000, 10_000)])
        all_settled(outbox)

    [posted] = receiver.taken.items
    assert posted.title == "10.000 x ein Gerät ist ausgefallen: mitte 10.000"
    assert set(outbox.outcomes("desk")) == {Settled.SENT}


def test_what_is_over_before_it_was_told_is_told_to_nobody(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """And the rest of the message goes out."""
    outbox.add("desk", [finding("a"), finding("b"), finding("a", over=True)])
    with telling(outbox, desk(receiver)):
        all_settled(outbox)

    [posted] = receiver.taken.items
    assert posted.title == "mitte/b: ein Gerät ist ausgefallen"
    assert outbox.outcomes("desk") == [Settled.LEFT_OUT, Settled.SENT, Settled.LEFT_OUT]


def test_a_target_that_hangs_delays_no_other(outbox: MemoryOutbox, receiver: HttpReceiver, other: HttpReceiver) -> None:
    """Not even many of them: there is no pool that they could hold."""
    receiver.behaviour = "drip"
    hanging = [desk(receiver, f"hanging-{number}") for number in range(40)]
    for target in hanging:
        outbox.add(target.name, [alarm()])
    with telling(outbox, *hanging, desk(other, "other"), pace=Pace(poll_s=0.2, send_s=10.0)):
        receiver.asked.first(len(hanging))
        begun = time.monotonic()
        outbox.add("other", [alarm(f"room-{number}") for number in range(10)])

        last = other.taken.first(10)[-1]

        receiver.closing.set()
    assert last.at - begun < 3.0


def test_an_alarm_does_not_stand_behind_a_finding_that_hangs(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """Even at the same target."""
    receiver.behaviour = "drip"
    with telling(outbox, desk(receiver), pace=Pace(poll_s=0.05, gather_s=0.0, send_s=3.0)):
        outbox.add("desk", [finding()])
        receiver.asked.first(1)
        receiver.behaviour = "take"
        begun = time.monotonic()
        outbox.add("desk", [alarm()])

        [posted] = receiver.taken.first(1)

    assert posted.at - begun < 1.0


def test_a_target_that_fails_is_told_of_once_and_gets_everything_once_it_works(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """Two failures are a problem, the next success ends it; nothing is told twice."""
    receiver.behaviour = "fail"
    with telling(outbox, desk(receiver)) as (teller, put):
        outbox.add("desk", [alarm("room-1"), alarm("room-2")])

        [failed] = put.first(1)
        state = teller.states()[0]
        receiver.behaviour = "take"
        [_, works] = put.first(2)
        all_settled(outbox)

    assert isinstance(failed, TargetFailed)
    assert (failed.name, "error=503" in failed.reason) == ("desk", True)
    assert (state.failing, state.waiting, state.told) == (True, 2, 0)
    assert works == TargetWorks("desk", works.at)
    assert [posted.title[-6:] for posted in receiver.taken.items] == ["room-1", "room-2"]
    assert teller.states()[0].told == 2
    assert not teller.states()[0].failing
    assert len(put.items) == 2


def test_a_success_makes_due_what_waits(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """An alarm that has failed for long isn't left for five minutes once its target works again."""
    receiver.behaviour = "fail"
    outbox.add("desk", [alarm("room-1")])
    outbox.rows[0].attempts = 20
    with telling(outbox, desk(receiver)):
        outbox.wait_for(lambda rows: rows[0].attempts == 21)
        receiver.behaviour = "take"
        outbox.add("desk", [alarm("room-2")])

        titles = [posted.title[-6:] for posted in receiver.taken.first(2)]

    assert titles == ["room-2", "room-1"]


def test_a_new_call_does_not_wait_for_as_long_as_an_old_one_of_its_node(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """After its first failed try it is tried again within seconds, and the old one with it."""
    receiver.behaviour = "fail"
    outbox.add("desk", [alarm(), alarm(incident="0a1b2c3d-9")])
    outbox.rows[0].attempts = 20
    with telling(outbox, desk(receiver)):
        outbox.wait_for(lambda rows: rows[1].attempts == 2)

    assert outbox.rows[0].attempts == 22


def test_a_notice_that_cannot_be_put_into_words_is_set_aside_alone(
    outbox: MemoryOutbox, receiver: HttpReceiver, logged: Record
) -> None:
    """The call beside it is told, and it isn't tried for ever."""
    unspeakable = replace(alarm(kind=NoticeKind.RESET, incident="0a1b2c3d-3"), at_utc=None)
    outbox.add("desk", [unspeakable, alarm()])
    with telling(outbox, desk(receiver)):
        all_settled(outbox)

    assert outbox.outcomes("desk") == [Settled.GIVEN_UP, Settled.SENT]
    assert any("can't be put into words, and are given up" in line for line in logged.items)


@pytest.mark.parametrize(("notice", "tries"), [(alarm(), ALARM_TRIES), (finding(), FINDING_TRIES)])
def test_what_fails_for_too_long_is_given_up_and_recorded(
    outbox: MemoryOutbox, receiver: HttpReceiver, notice: Notice, tries: int
) -> None:
    """With the reason, and never tried again."""
    receiver.behaviour = "fail"
    outbox.add("desk", [notice])
    outbox.rows[0].attempts = tries - 1
    with telling(outbox, desk(receiver)):
        all_settled(outbox)

    assert outbox.outcomes("desk") == [Settled.GIVEN_UP]
    assert "error=503" in outbox.rows[0].reasons[-1]
    assert len(receiver.asked.items) == 1


def test_two_monitors_tell_each_notice_once(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """Claim, then act: both are at work, and nobody hears anything twice."""
    with telling(outbox, desk(receiver), monitor="a"), telling(outbox, desk(receiver), monitor="b"):
        for number in range(200):
            outbox.add("desk", [alarm(f"room-{number}"), finding(f"room-{number}")])
        all_settled(outbox)

    alarms = [posted.title.rpartition("-")[2] for posted in receiver.taken.items if "ALARM" in posted.title]
    assert sorted(alarms, key=int) == [str(number) for number in range(200)]
    assert outbox.outcomes("desk") == [Settled.SENT] * 400


def test_what_an_earlier_process_had_claimed_is_told_as_perhaps_told(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """At once after the start, not only after the lease."""
    outbox.add("desk", [alarm()])
    assert outbox.claim("desk", "monitor-a", gather=False, limit=1) is not None
    with telling(outbox, desk(receiver)):
        [posted] = receiver.taken.first(1)

    assert "Vielleicht haben Sie diese Nachricht schon bekommen." in posted.body


@pytest.mark.parametrize("ago_s", [LEASE_S + 1, -3600.0])
def test_what_a_dead_monitor_had_claimed_is_told_by_another(receiver: HttpReceiver, ago_s: float) -> None:
    """After the lease, or where the clock had been ahead."""
    clock = TurnedClock()
    outbox = MemoryOutbox(clock)
    outbox.add("desk", [alarm()])
    outbox.claim("desk", "monitor-b", gather=False, limit=1)
    clock.turn(ago_s)
    with telling(outbox, desk(receiver)):
        [posted] = receiver.taken.first(1)

    assert "Vielleicht" in posted.body


def test_what_a_living_monitor_has_claimed_is_its_own(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """However often another one looks."""
    outbox.add("desk", [alarm("room-1")])
    outbox.claim("desk", "monitor-b", gather=False, limit=1)
    with telling(outbox, desk(receiver)):
        outbox.add("desk", [alarm("room-2")])
        [posted] = receiver.taken.first(1)

    assert posted.title.endswith("room-2")
    assert outbox.outcomes("desk") == [None, Settled.SENT]


def test_a_claim_is_kept_while_its_try_hangs_for_longer_than_the_lease(receiver: HttpReceiver) -> None:
    """The other monitor looks all the time, and tells what comes meanwhile."""
    clock = TurnedClock()
    outbox = MemoryOutbox(clock)
    receiver.behaviour = "slow"
    outbox.add("desk", [alarm("room-1")])
    with (
        telling(outbox, desk(receiver), monitor="a", pace=RENEWING),
        telling(outbox, desk(receiver), monitor="b", pace=RENEWING),
    ):
        receiver.asked.first(1)
        for _ in range(4):
            clock.turn(LEASE_S)
            renewed_at(outbox, clock())
        receiver.behaviour = "take"
        outbox.add("desk", [alarm("room-2")])
        receiver.taken.first(1)
        receiver.answering.set()
        all_settled(outbox)

    assert [(posted.title[-6:], "Vielleicht" in posted.body) for posted in receiver.asked.items] == [
        ("room-1", False),
        ("room-2", False),
    ]


def test_a_monitor_that_alone_cannot_reach_the_database_is_taken_for_dead_and_settles_nothing(
    receiver: HttpReceiver, logged: Record
) -> None:
    """What it was telling is told by the other one as perhaps told; it learns of that when it renews, and goes on."""
    clock = TurnedClock()
    outbox = MemoryOutbox(clock)
    cut_off = outbox.beside()
    receiver.behaviour = "slow"
    outbox.add("desk", [alarm("room-1")])
    with telling(cut_off, desk(receiver), monitor="a", pace=RENEWING) as (teller, _):
        receiver.asked.first(1)
        cut_off.away = True
        clock.turn(LEASE_S + 1)
        with telling(outbox, desk(receiver), monitor="b", pace=RENEWING):
            receiver.asked.first(2)
            cut_off.away = False
            logged.wait(lambda lines: "another monitor has taken over what desk was being told" in lines)
            receiver.answering.set()
            all_settled(outbox)
        outbox.add("desk", [alarm("room-2")])
        all_settled(outbox)

        assert all(each.is_alive() for each in teller.threads)
    assert [(posted.title[-6:], "Vielleicht" in posted.body) for posted in receiver.asked.items] == [
        ("room-1", False),
        ("room-1", True),
        ("room-2", False),
    ]
    assert [len(row.reasons) for row in outbox.rows] == [1, 1]


class Hampered(MemoryOutbox):
    """The first thing that is settled is held up until ``go_on``, and where it ``stumbles`` ends as nobody expects."""

    def __init__(self, clock: TurnedClock, *, stumbles: bool = False) -> None:
        super().__init__(clock)
        self.stumbles = stumbles
        self.settling = Event()
        self.go_on = Event()

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """As in Outbox."""
        is_first = not self.settling.is_set()
        self.settling.set()
        assert self.go_on.wait(TIMEOUT_S)
        if is_first and self.stumbles:
            raise RuntimeError("nobody has thought of this")
        super().settle(claim, outcome, reason, only)


def test_what_another_took_over_before_it_was_sent_is_not_sent(receiver: HttpReceiver) -> None:
    """What is left out had to be recorded first, and that took longer than the lease."""
    clock = TurnedClock()
    outbox = Hampered(clock)
    outbox.add("desk", [finding("a"), finding("b"), finding("a", over=True)])
    with telling(outbox, desk(receiver), pace=RENEWING):
        assert outbox.settling.wait(TIMEOUT_S)
        clock.turn(LEASE_S + 1)
        taken = outbox.claim("desk", "monitor-b", gather=True, limit=9)
        outbox.add("desk", [finding("c")])
        outbox.go_on.set()
        receiver.taken.first(1)

    assert taken is not None
    assert [posted.title for posted in receiver.asked.items] == ["mitte/c: ein Gerät ist ausgefallen"]


def test_what_a_thread_has_stumbled_over_is_held_no_longer_than_by_a_dead_monitor(
    receiver: HttpReceiver, logged: Record
) -> None:
    """Its monitor lives, but nobody renews that claim."""
    clock = TurnedClock()
    outbox = Hampered(clock, stumbles=True)
    outbox.go_on.set()
    outbox.add("desk", [alarm()])
    with telling(outbox, desk(receiver), pace=RENEWING):
        logged.wait(lambda lines: "telling desk stumbled" in lines)
        clock.turn(LEASE_S + 1)
        all_settled(outbox)

    assert ["Vielleicht" in posted.body for posted in receiver.asked.items] == [False, True]


def test_a_try_whose_end_is_unknown_is_made_again_as_perhaps_told(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """A server that took the message and never ended its answer may have told it."""
    receiver.behaviour = "drip"
    outbox.add("desk", [alarm()])
    with telling(outbox, desk(receiver), pace=Pace(poll_s=0.05, send_s=0.3)):
        receiver.asked.first(1)
        receiver.behaviour = "take"

        [posted] = receiver.taken.first(1)

    assert "Vielleicht" in posted.body


def test_what_was_sent_while_the_database_went_away_is_not_sent_again(
    outbox: MemoryOutbox, receiver: HttpReceiver
) -> None:
    """It is recorded as soon as that can be done."""
    receiver.behaviour = "slow"
    outbox.add("desk", [alarm("room-1")])
    with telling(outbox, desk(receiver)) as (_, put):
        receiver.asked.first(1)
        outbox.away = True
        receiver.answering.set()
        put.first(1)
        outbox.away = False
        outbox.add("desk", [alarm("room-2")])
        all_settled(outbox)

    assert [posted.title[-6:] for posted in receiver.asked.items] == ["room-1", "room-2"]


def test_a_database_that_is_away_ends_nothing(
    outbox: MemoryOutbox, receiver: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """As soon as it is back, it goes on; the history has told of it, so here it isn't logged again."""
    with telling(outbox, desk(receiver)) as (teller, _):
        outbox.away = True
        outbox.add("desk", [alarm()])
        outbox.wait_for(lambda _rows: outbox.refused > 3)
        outbox.away = False

        assert len(receiver.taken.first(1)) == 1
        assert all(each.is_alive() for each in teller.threads)
    assert not [record for record in caplog.records if record.name.startswith("node.")]


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
