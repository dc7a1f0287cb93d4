"""The teller on a real history, on SQLite and on PostgreSQL: two monitors, and one that is killed while it tells."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from node.monitor.core.decisions.deliveries import LEASE_S
from node.monitor.core.model.monitor_settings import Target
from node.monitor.history.history import Batch, History
from node.monitor.notify.teller import Pace, Teller
from tests.support.history import TurnedClock
from tests.support.node import wait_until
from tests.support.notices import alarm
from tests.support.postgres import Postgres
from tests.support.receivers import TIMEOUT_S, HttpReceiver
from tests.support.telling import MONITOR

COUNT = 60


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A started HTTP receiver."""
    with HttpReceiver() as started:
        yield started


def stored(url: str, count: int) -> None:
    """Alarms in this history, each for one target."""
    history = History(url, lambda _notice: ("desk",))
    history.store(Batch(notices=[alarm(f"room-{number}") for number in range(count)]))
    history.close()


def test_two_monitors_on_one_history_tell_each_alarm_once(history_url: str, receiver: HttpReceiver) -> None:
    """Each has its own connection to the database, and both are at work at once."""
    stored(history_url, COUNT)
    histories = [History(history_url) for _ in range(2)]
    tellers = [
        Teller(name, history.outbox, [Target("desk", receiver.url)], lambda _: None, pace=Pace(poll_s=0.05))
        for name, history in zip(("a", "b"), histories, strict=True)
    ]
    for teller in tellers:
        teller.start()

    receiver.taken.first(COUNT)

    assert [teller.close(TIMEOUT_S) for teller in tellers] == [True, True]
    titles = [posted.title for posted in receiver.taken.items]
    assert sorted(titles) == sorted(f"ALARM, Bedrohung: mitte/room-{number}" for number in range(COUNT))
    assert all(told > 0 for teller in tellers for _, told in teller.counts().values())
    for history in histories:
        history.close()


def test_the_database_goes_away_for_longer_than_the_lease_while_one_tells(receiver: HttpReceiver) -> None:
    """Neither can claim or renew meanwhile; when it is back, the one that lives keeps what it was telling."""
    clock = TurnedClock()
    receiver.behaviour = "slow"
    with Postgres() as postgres, postgres.database() as name, ExitStack() as stack:
        url = postgres.url(name)
        made = History(url)
        made.upgrade()
        made.close()
        stored(url, 1)
        tellers = []
        for monitor in ("a", "b"):
            history = History(url, clock=clock)
            stack.callback(history.close)
            pace = Pace(poll_s=0.05)  # the first one doesn't renew at once: its own time limit holds the other one back
            teller = Teller(monitor, history.outbox, [Target("desk", receiver.url)], lambda _: None, pace=pace)
            stack.callback(teller.close, TIMEOUT_S)
            teller.start()
            tellers.append(teller)
            receiver.asked.first(1)
        wait_until(lambda: tellers[1].counts()["desk"][0] == 1, TIMEOUT_S, "the other one's look")

        postgres.stop()
        clock.turn(10 * LEASE_S)
        postgres.start()
        receiver.behaviour = "take"
        stored(url, 2)  # the first is there already
        receiver.taken.first(1)
        receiver.answering.set()

        receiver.taken.first(2)
        wait_until(lambda: all(each.counts()["desk"][0] == 0 for each in tellers), TIMEOUT_S, "nothing that waits")

    assert [(posted.title[-6:], "Vielleicht" in posted.body) for posted in receiver.asked.items] == [
        ("room-0", False),
        ("room-1", False),
    ]


def test_what_a_killed_process_was_telling_is_told_as_perhaps_told(history_url: str, receiver: HttpReceiver) -> None:
    """It is told by its successor at once, the rest of the alarms as if nothing had been."""
    stored(history_url, 2)
    receiver.behaviour = "hang"
    process = subprocess.Popen([sys.executable, "-m", "tests.support.telling", history_url, receiver.url])
    try:
        receiver.asked.first(1)
    finally:
        process.kill()
        process.wait(TIMEOUT_S)
    receiver.behaviour = "take"
    history = History(history_url)
    teller = Teller(MONITOR, history.outbox, [Target("desk", receiver.url)], lambda _: None, pace=Pace(poll_s=0.05))
    teller.start()

    told = receiver.taken.first(2)

    assert teller.close(TIMEOUT_S)
    history.close()
    assert [(posted.title[-6:], "Vielleicht" in posted.body) for posted in told] == [
        ("room-0", True),
        ("room-1", False),
    ]
