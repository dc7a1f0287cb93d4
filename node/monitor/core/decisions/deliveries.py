"""The deliveries that people still have to be told: one for each notice and target. history/ keeps, notify/ sends them.

    waiting --claim--> claimed --settle--> sent | left out | given up
       ^                |   ^
       |                +---+ renew
       +---- fail, release, or a claim that is void

Rules:

1. Claim, then act. What one monitor has claimed no other takes, so two monitors never tell the same thing twice.
2. Whoever acts on a claim renews it every RENEW_S. A claim whose stamp differs from now by more than LEASE_S, in
   either direction (clocks jump), is void. Its deliveries wait again as ``uncertain``: the claimer may have told them
   before it died.
3. The database's clock says what "now" is, the same for all monitors. Their own clocks may differ by any amount.
4. While the database is away nobody can renew. A monitor that hasn't heard from the database for a while therefore
   takes no claims over at first (retry_times.py). If only one monitor can't reach it, that one looks dead.
5. A delivery is due when it has no ``next_try``, when that time has come, or when it is more than RETRY_MAX_S ahead.
   For a delivery that failed in this process, its own monotonic clock decides, so a clock that is set delays nothing.
6. Deliveries that aren't gathered are told node by node, so that a node with many messages doesn't delay another node's
   call. The next node is that of the delivery with the lowest ``urgency``; among equals one that was never tried comes
   first, then the one that has waited longest. All that is due of this node becomes one message; real calls and tests
   stay apart.
7. Each method is one transaction, and raises an AlarmNodeError while the database is away.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from node.core.settings import AlarmClass
from node.monitor.core.model.catalogue import DOWN, NEVER_HEARD, OVERDUE_BACK
from node.monitor.core.model.records import Notice, NoticeKind

LEASE_S = 15.0
"""The longest time that an alarm waits because a dead monitor had claimed it. A living monitor can renew twice in it,
even on a slow database."""

RENEW_S = 5.0

RETRY_MAX_S = 300.0

DOWN_CODES = frozenset({DOWN.code, OVERDUE_BACK.code, NEVER_HEARD.code})
"""Codes of findings that say that a node isn't heard."""


TEST = 1_000
"""From this urgency on a notice is about a test."""


def urgency(notice: Notice) -> int:
    """The order of telling, 0 first: calls of the worst class; nodes that call too often later; tests last."""
    worst = AlarmClass.AMOK.rank
    rank = worst + 1 if notice.alarm_class is None else worst - notice.alarm_class.rank
    return TEST * notice.test + 100 * (notice.kind is not NoticeKind.ALARM) + 10 * notice.yields + rank


class Waiting(NamedTuple):
    """What is due for one target and claimed by nobody: ``alone`` (one by one), ``gathered``, and nodes that are down.

    ``held`` counts all that the target hasn't got yet, whoever has claimed it and whenever it is due.
    """

    alone: int = 0
    gathered: int = 0
    down: int = 0
    held: int = 0


class Delivery(Struct, frozen=True, kw_only=True):
    """One notice for one target. ``attempts`` counts the failed tries."""

    id: int
    notice: Notice
    attempts: int = 0
    uncertain: bool = False


class Claim(Struct, frozen=True, kw_only=True):
    """What one monitor is telling one target now. Each claim has a new ``id``."""

    id: str
    target: str
    deliveries: tuple[Delivery, ...]


class Settled(StrEnum):
    """How a delivery ended. ``left out``: what it reports was over before anybody was told."""

    SENT = "sent"
    LEFT_OUT = "left-out"
    GIVEN_UP = "given-up"


class Outbox(Protocol):
    """The deliveries of the building. ``monitor`` is the id of the monitor that asks."""

    def waiting(self, target: str) -> Waiting:
        """How much waits for ``target``. ``down`` counts distinct nodes of FINDING notices with one of DOWN_CODES."""

    def claim(self, target: str, monitor: str, *, gather: bool, limit: int) -> Claim | None:
        """Claim up to ``limit`` deliveries that are due and whose ``gather`` is this. None if there are none.

        Without ``gather`` they are those of one node, by rule 6. They come in the order in which they were made.
        """

    def renew(self, claim: str) -> bool:
        """Say that the claim is still acted on. False once another monitor has taken all of it over."""

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """End these deliveries of the claim (None: all that it still holds) with this outcome.

        What is sent is noted as told at its incident in the same transaction, so a crash can't separate the two.
        """

    def fail(self, claim: str, reason: str, wait_s: float, *, uncertain: bool) -> None:
        """Put back what the claim still holds: it wasn't told, and waits for ``wait_s`` with one more attempt.

        ``uncertain``: perhaps it was told all the same. A delivery that is uncertain stays so.
        """

    def hurry(self, target: str) -> None:
        """The target works again: make everything that waits for it due now."""

    def release(self, monitor: str) -> None:
        """Void the claims of this monitor, which an earlier process of it made."""
