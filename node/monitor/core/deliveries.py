"""What people still have to be told, as the history keeps it and notify/ works on it: a delivery per notice and target.

    waiting --claim--> claimed --settle--> sent | left out | given up
       ^                |   ^
       |                +---+ renew
       +---- fail, release, or a claim that is void

Rules:

1. Claim, then act: what is claimed by one monitor is no other's, so two monitors never tell twice.
2. Whoever acts renews its claim every RENEW_S. One whose stamp is further than LEASE_S from now, either way (clocks
   jump), is void. What it held waits again, ``uncertain``: perhaps it was told before the claimer died.
3. Now is what the database's clock says, one and the same for all: those of the monitors may differ by any amount.
4. While the database is away nobody can renew. So who hasn't heard of it for a while takes nothing over at first
   (retry_times.py). Where it is away for one monitor only, that one can't be told from a dead one.
5. A delivery is due when it has no ``next_try``, when that has come, or when it lies further ahead than RETRY_MAX_S.
   For what failed in this process its own monotonic clock decides, so that a clock that is set holds nothing back.
6. What isn't gathered is told node by node, so that none that says much stands before another's call: the next node is
   the one of the least ``urgency``; among equals that of what was never tried, then of what waits longest. All that is
   due of it joins one message, real calls and tests apart.
7. Every method is one transaction, and raises an AlarmNodeError while the database is away.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from node.core.settings import AlarmClass
from node.monitor.core.findings.catalogue import DOWN, NEVER_HEARD, OVERDUE_BACK
from node.monitor.core.model import Notice, NoticeKind

LEASE_S = 15.0
"""So long an alarm waits that a dead monitor held; time enough for a living one to renew twice, on a slow database."""

RENEW_S = 5.0

RETRY_MAX_S = 300.0

DOWN_CODES = frozenset({DOWN.code, OVERDUE_BACK.code, NEVER_HEARD.code})
"""Findings that say of a node that nobody hears it."""


TEST = 1_000
"""From this urgency on it is about a test."""


def urgency(notice: Notice) -> int:
    """What is told first, from 0: the call of the worst class, of a node that doesn't call too often; tests last."""
    worst = AlarmClass.AMOK.rank
    rank = worst + 1 if notice.alarm_class is None else worst - notice.alarm_class.rank
    return TEST * notice.test + 100 * (notice.kind is not NoticeKind.ALARM) + 10 * notice.yields + rank


class Waiting(NamedTuple):
    """Of one target, what is due and nobody's: one by one, to be gathered, and how many nodes these say are down.

    ``held`` counts all that it hasn't got yet, whoever has claimed it and whenever it is due.
    """

    alone: int = 0
    gathered: int = 0
    down: int = 0
    held: int = 0


class Delivery(Struct, frozen=True, kw_only=True):
    """One notice for one target. ``attempts`` counts the tries that failed."""

    id: int
    notice: Notice
    attempts: int = 0
    uncertain: bool = False


class Claim(Struct, frozen=True, kw_only=True):
    """What one monitor tells one target now; ``id`` is new with every claim."""

    id: str
    target: str
    deliveries: tuple[Delivery, ...]


class Settled(StrEnum):
    """How a delivery ended. ``left out``: what it told was over before anybody heard of it."""

    SENT = "sent"
    LEFT_OUT = "left-out"
    GIVEN_UP = "given-up"


class Outbox(Protocol):
    """The deliveries of the building. ``monitor`` is the id of who asks."""

    def waiting(self, target: str) -> Waiting:
        """How much there is to tell ``target``. ``down``: distinct nodes of FINDING notices with one of DOWN_CODES."""

    def claim(self, target: str, monitor: str, *, gather: bool, limit: int) -> Claim | None:
        """Claim up to ``limit`` deliveries that are due, of notices whose ``gather`` is this; None where there is none.

        Of those that aren't gathered only what one node has to say, by rule 6. In the order of their making.
        """

    def renew(self, claim: str) -> bool:
        """It is still being acted upon. Whether it holds anything: False once another has taken all of it over."""

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """These of the claim's deliveries (None: all that it still holds) have ended so.

        With what is sent its incident is kept as told, at once or not at all: no kill parts the two.
        """

    def fail(self, claim: str, reason: str, wait_s: float, *, uncertain: bool) -> None:
        """What the claim still holds wasn't told, and waits for ``wait_s`` with one attempt more.

        ``uncertain``: perhaps it was told all the same. It stays so once it is.
        """

    def hurry(self, target: str) -> None:
        """The target works again: whatever waits for it is due now."""

    def release(self, monitor: str) -> None:
        """Claims of this monitor are an earlier process's: they are void."""
