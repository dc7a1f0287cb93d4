"""Nobody's messages stand before another room's call: from the database, from memory, whatever a mad node says."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from node.core.settings import AlarmClass
from node.monitor.core.decisions.deliveries import Outbox, urgency
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import Notice, NoticeKind
from node.monitor.history.history import Batch, History
from node.monitor.notify.fallback import FALLBACK_S, HELD_LIMIT, FallbackOutbox
from node.monitor.notify.teller import Pace, Teller
from tests.support.examples import examples
from tests.support.notices import alarm
from tests.support.outbox import MemoryOutbox
from tests.support.postgres import Postgres
from tests.support.receivers import TIMEOUT_S, HttpReceiver, Posted

COUNT = 600
NEEDS_S = 0.3
WITHIN_S = 5.0
MAD, ROOM = "room-mad", "room-214"


def mad(count: int = COUNT, *, yields: bool = True) -> list[Notice]:
    """A node opens and resets alarms of the worst class."""
    made = []
    for number in range(count // 2):
        incident = f"0badcafe-{number}"
        made.append(alarm(MAD, alarm_class=AlarmClass.AMOK, incident=incident, yields=yields))
        made.append(alarm(MAD, alarm_class=AlarmClass.AMOK, incident=incident, kind=NoticeKind.RESET))
    return made


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A started HTTP receiver that takes a while for each message."""
    with HttpReceiver(NEEDS_S) as started:
        yield started


@contextmanager
def telling(outbox: Outbox, receiver: HttpReceiver) -> Iterator[Teller]:
    """A running teller with one target, as a monitor has it."""
    teller = Teller("guard-desk", outbox, [Target("desk", receiver.url)], lambda _: None, pace=Pace())
    teller.start()
    try:
        yield teller
    finally:
        assert teller.close(TIMEOUT_S)


def call_of_room(receiver: HttpReceiver) -> Posted:
    """The message about another room's call, once it is there."""

    def found(taken: list[Posted]) -> list[Posted]:
        return [each for each in taken if each.title == f"ALARM, Bedrohung: mitte/{ROOM}"]

    return receiver.taken.wait(found)[0]


def test_another_rooms_threat_is_told_within_seconds_beside_600_messages_of_one_node(
    history_url: str, receiver: HttpReceiver
) -> None:
    """They waited before it, and their class is worse."""
    history = History(history_url, lambda _notice: ("desk",))
    history.store(Batch(notices=list(mad(yields=False))))
    with telling(history.outbox, receiver) as teller:
        receiver.asked.first(1)
        begun = time.monotonic()
        history.store(Batch(notices=[alarm(ROOM)]))
        teller.wake()

        posted = call_of_room(receiver)
    history.close()

    assert posted.at - begun < WITHIN_S


def test_a_node_that_never_stops_calling_stands_behind_every_other_one(
    history_url: str, receiver: HttpReceiver
) -> None:
    """Whenever the target is free there is a newer call of the worst class; once its node calls too often, it waits."""
    history = History(history_url, lambda _notice: ("desk",))
    ended = threading.Event()

    def call_on() -> None:
        number = 0
        while not ended.wait(NEEDS_S / 3):
            incident, number = f"0badcafe-{number}", number + 1
            call = alarm(MAD, alarm_class=AlarmClass.AMOK, incident=incident, yields=number > 5)
            history.store(Batch(notices=[call]))

    calling = threading.Thread(target=call_on)
    with telling(history.outbox, receiver) as teller:
        calling.start()
        receiver.asked.first(2)
        begun = time.monotonic()
        history.store(Batch(notices=[alarm(ROOM)]))
        teller.wake()
        try:
            posted = call_of_room(receiver)
        finally:
            ended.set()
            calling.join()
    history.close()

    assert posted.at - begun < WITHIN_S


@pytest.mark.parametrize("is_known", [False, True], ids=["as it went", "known to take nothing"])
def test_another_rooms_threat_is_told_within_seconds_from_memory(receiver: HttpReceiver, is_known: bool) -> None:
    """The database went away while a message was on its way, before anything of it was stored."""
    with Postgres() as postgres, postgres.database() as name:
        history = History(postgres.url(name), lambda _notice: ("desk",))
        history.upgrade()
        outbox = FallbackOutbox(history.outbox, lambda _notice: ("desk",))
        history.store(Batch(notices=[alarm("room-1")]))
        with telling(outbox, receiver) as teller:
            receiver.asked.first(1)
            postgres.stop()
            outbox.failing = is_known
            outbox.keep_until_stored(mad())
            receiver.asked.first(2)
            begun = time.monotonic()
            outbox.keep_until_stored([alarm(ROOM)])
            teller.wake()

            posted = call_of_room(receiver)
        history.close()
        postgres.start()

    assert posted.at - begun < WITHIN_S


def test_what_was_told_as_the_database_went_away_is_recorded_once_it_is_back(receiver: HttpReceiver) -> None:
    """Meanwhile its target is told from memory; nothing is told twice."""
    with Postgres() as postgres, postgres.database() as name:
        history = History(postgres.url(name), lambda _notice: ("desk",))
        history.upgrade()
        outbox = FallbackOutbox(history.outbox, lambda _notice: ("desk",), after_s=0.0)
        receiver.behaviour = "slow"
        history.store(Batch(notices=[alarm("room-1")]))
        with telling(outbox, receiver):
            receiver.asked.first(1)
            postgres.stop()
            receiver.behaviour = "take"
            receiver.answering.set()
            outbox.keep_until_stored([alarm("room-2")])
            receiver.taken.first(2)
            postgres.start()
            stored = history.store(Batch(notices=[alarm("room-2"), alarm("room-3")]))
            outbox.drop(stored.settled)
            receiver.taken.first(3)
        history.close()

    assert [each.title[-6:] for each in receiver.asked.items] == ["room-1", "room-2", "room-3"]
    assert not any("Vielleicht" in each.body for each in receiver.asked.items)


def test_who_is_told_of_first() -> None:
    """Real calls by class, then calls of who calls too often, then what became of them; tests last."""
    ordered = [
        *(alarm(alarm_class=each) for each in (AlarmClass.AMOK, AlarmClass.THREAT, AlarmClass.ASSIST)),
        alarm(alarm_class=AlarmClass.AMOK, yields=True),
        alarm(alarm_class=AlarmClass.AMOK, kind=NoticeKind.ACKNOWLEDGED),
        alarm(alarm_class=AlarmClass.ASSIST, kind=NoticeKind.RESET),
        alarm(alarm_class=AlarmClass.AMOK, test=True),
    ]

    mixed = ordered[::-1]
    assert sorted(mixed, key=urgency) == ordered


def test_nodes_take_turns_and_each_says_all_that_it_has(history_url: str) -> None:
    """A node whose message goes out has its next turn after those that waited meanwhile."""
    history = History(history_url, lambda _notice: ("desk",))
    history.store(Batch(notices=[*mad(4, yields=False), alarm("a"), alarm("b"), alarm("a", kind=NoticeKind.RESET)]))
    history.store(Batch(notices=[alarm(MAD, test=True, incident="test"), alarm("c", alarm_class=AlarmClass.ASSIST)]))

    told = []
    while claim := history.outbox.claim("desk", "guard-desk", gather=False, limit=100):
        told.append([(each.notice.node, each.notice.kind.value) for each in claim.deliveries])
        if len(told) == 1:
            history.store(Batch(notices=[alarm(MAD, incident="late")]))
    history.close()

    assert told == [
        [(MAD, "alarm"), (MAD, "reset")] * 2,
        [("a", "alarm"), ("a", "reset")],
        [("b", "alarm")],
        [(MAD, "alarm")],
        [("c", "alarm")],
        [(MAD, "alarm")],
    ]


@pytest.mark.many
def test_who_says_too_much_to_be_held_in_memory_goes_short_itself() -> None:
    """The call of another room stays, and of the loud node what was called rather than what was reset."""
    behind = MemoryOutbox()
    outbox = FallbackOutbox(behind, lambda _notice: ("desk",), clock=iter([0.0, *[FALLBACK_S] * 9_999]).__next__)
    behind.away = True

    outbox.keep_until_stored([alarm(ROOM)])
    outbox.keep_until_stored(mad(HELD_LIMIT + examples(HELD_LIMIT)))

    first = outbox.claim("desk", "guard-desk", gather=False, limit=1)
    assert first is not None
    assert [each.notice.node for each in first.deliveries] == [ROOM]
