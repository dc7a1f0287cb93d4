"""What the teller sends to whom, at once or gathered, and targets that fail."""

import time

import pytest
from msgspec.structs import replace

from node.monitor.core.decisions.deliveries import Settled
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import Notice, NoticeKind
from node.monitor.notify.grouping import ALARM_TRIES, FINDING_TRIES
from node.monitor.notify.teller import Pace, TargetFailed, TargetWorks
from tests.monitor.notify.telling import all_settled, desk, telling
from tests.support.notices import alarm, finding
from tests.support.outbox import MemoryOutbox
from tests.support.receivers import HttpReceiver, MailServer, Record, text_of


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
    assert posted.title == "mitte 8: 8 x die Probe eines Tasters ist überfällig"


def test_ten_thousand_lost_nodes_are_one_message(outbox: MemoryOutbox, receiver: HttpReceiver) -> None:
    """Those that are found late, by their deadlines, join it."""
    with telling(outbox, desk(receiver)):
        outbox.add("desk", [finding(f"room-{number}") for number in range(6000)])
        outbox.wait_for(bool)
        outbox.add("desk", [finding(f"room-{number}") for number in range(6000, 10_000)])
        all_settled(outbox)

    [posted] = receiver.taken.items
    assert posted.title == "mitte 10.000: 10.000 x ein Gerät ist ausgefallen"
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
        counts = teller.counts()
        receiver.behaviour = "take"
        [_, works] = put.first(2)
        all_settled(outbox)

    assert isinstance(failed, TargetFailed)
    assert (failed.name, "error=503" in failed.reason) == ("desk", True)
    assert counts == {"desk": (2, 0)}
    assert works == TargetWorks("desk", works.at)
    assert [posted.title[-6:] for posted in receiver.taken.items] == ["room-1", "room-2"]
    assert teller.counts()["desk"][1] == 2
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
