"""A database that hangs holds nobody who tells."""

import threading
from collections.abc import Iterator

import pytest

from node.errors import AlarmNodeError
from node.monitor.core.decisions.deliveries import Settled, Waiting
from node.monitor.notify.outbox_timeout import TimedOutbox
from tests.support.notices import alarm
from tests.support.outbox import MemoryOutbox
from tests.support.receivers import TIMEOUT_S


class Hanging(MemoryOutbox):
    """It answers while ``gate`` is open; ``asked`` counts."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.asked = 0

    def waiting(self, target: str) -> Waiting:
        """As in Outbox, once the gate is open."""
        self.asked += 1
        self.gate.wait(TIMEOUT_S)
        return super().waiting(target)


@pytest.fixture
def behind() -> Iterator[Hanging]:
    """It hangs."""
    made = Hanging()
    yield made
    made.gate.set()


def test_a_call_that_hangs_is_left_alone_and_no_further_one_is_made(behind: Hanging) -> None:
    """Nobody waits for it but a thread of its own."""
    patient = TimedOutbox(behind, 0.01)

    for _ in range(3):
        with pytest.raises(AlarmNodeError, match="hangs"):
            patient.waiting("mail")
    with pytest.raises(AlarmNodeError, match="hangs"):
        patient.renew("0")

    assert behind.asked == 1


def test_once_it_answers_it_is_asked_again(behind: Hanging) -> None:
    """What hung is over by itself."""
    hurried, patient = TimedOutbox(behind, 0.01), TimedOutbox(behind, TIMEOUT_S)
    with pytest.raises(AlarmNodeError):
        hurried.waiting("mail")
    behind.gate.set()
    behind.add("mail", [alarm()])

    assert patient.waiting("mail") == Waiting(alone=1, held=1)
    claim = patient.claim("mail", "guard-desk", gather=False, limit=1)
    assert claim is not None
    assert patient.renew(claim.id)
    patient.fail(claim.id, "no route", 60.0, uncertain=False)
    patient.hurry("mail")
    again = patient.claim("mail", "guard-desk", gather=False, limit=1)
    assert again is not None
    patient.release("guard-desk")
    patient.settle(again.id, Settled.SENT)
    assert behind.outcomes("mail") == [None]


def test_what_the_database_raises_is_raised(behind: Hanging) -> None:
    """To whoever asked."""
    behind.away = True
    behind.gate.set()

    with pytest.raises(AlarmNodeError) as away:
        TimedOutbox(behind, TIMEOUT_S).waiting("mail")

    assert "hangs" not in str(away.value)
