"""One thread that tells one target: either what is told at once, or what is gathered."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from threading import Event, Thread
from time import monotonic

from node.errors import AlarmNodeError
from node.monitor.outbox import Claim, Delivery, Outbox, Settled
from node.monitor.settings import Target
from node.monitor.tell.gathering import MANY_S, Window, is_given_up, left_out, retry_s
from node.monitor.tell.health import Health
from node.monitor.tell.target import SEND_S, Outcome, Sender
from node.monitor.tell.texts import message
from node.monitor.tell.words import Words

log = logging.getLogger(__name__)

GATHERED_AT_ONCE = 50_000
"""In one claim: more than all nodes of a building may have to say."""


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: how often the outbox is looked at unasked, the waits for others, a try's deadline."""

    poll_s: float = 1.0
    gather_s: float = 5.0
    many_s: float = MANY_S
    send_s: float = SEND_S


class Lane:
    """Claims, tells, settles. ``gather``: which of the two kinds it is for; ``utc`` is the wall clock."""

    def __init__(
        self,
        monitor: str,
        outbox: Outbox,
        target: Target,
        health: Health,
        words: Words,
        pace: Pace,
        utc: Callable[[], datetime],
        *,
        gather: bool,
    ) -> None:
        self.gather = gather
        self._monitor = monitor
        self._outbox = outbox
        self._name = target.name
        self._health = health
        self._words = words
        self._pace = pace
        self._utc = utc
        self._sender = Sender(target.name, target.url, pace.send_s)
        self._window = Window(pace.gather_s, pace.many_s)
        self._woken = Event()
        self._stopped = Event()
        self.thread = Thread(target=self._run, name=f"tell-{target.name}-{'gather' if gather else 'now'}", daemon=True)

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def stop(self) -> None:
        """End after the try that is being made."""
        self._stopped.set()
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                left_s = self._turn()
            except AlarmNodeError:
                left_s = self._pace.poll_s  # the history itself tells that it is away
            except Exception:
                log.exception("telling %s stumbled", self._name)
                left_s = self._pace.poll_s
            if not self._stopped.is_set():
                self._woken.wait(left_s)

    def _turn(self) -> float:
        """Tell whatever is due; in how many seconds to look again."""
        waiting = self._outbox.waiting(self._name, self._utc())
        self._health.waiting = waiting.held
        left_s = self._window.left(monotonic(), waiting) if self.gather else (0.0 if waiting.alone else inf)
        if left_s > 0:
            return left_s if left_s < inf else self._pace.poll_s
        limit = GATHERED_AT_ONCE if self.gather else 1
        claim = self._outbox.claim(self._name, self._monitor, self._utc(), gather=self.gather, limit=limit)
        if claim is None:
            return self._pace.poll_s  # another monitor was quicker
        self._tell(claim)
        return 0.0

    def _tell(self, claim: Claim) -> None:
        over = left_out(claim.deliveries)
        if over:
            self._surely(lambda: self._outbox.settle(claim.id, Settled.LEFT_OUT, self._utc(), only=over))
        told = [each for each in claim.deliveries if each.id not in over]
        if not told:
            return
        outcome = self._sender.send(message(told, self._words))
        if outcome.told:
            had_failed = self._health.worked()
            self._surely(lambda: self._outbox.settle(claim.id, Settled.SENT, self._utc()))
            if had_failed:
                self._surely(lambda: self._outbox.hurry(self._name))
        else:
            self._health.failed(outcome.reason)
            self._failed(claim, told, outcome)

    def _failed(self, claim: Claim, told: Sequence[Delivery], outcome: Outcome) -> None:
        given_up = frozenset(each.id for each in told if is_given_up(each))
        if given_up:
            log.error("%d notices for %s are given up: %s", len(given_up), self._name, outcome.reason)
            self._surely(
                lambda: self._outbox.settle(claim.id, Settled.GIVEN_UP, self._utc(), outcome.reason, only=given_up)
            )
        left = [each for each in told if each.id not in given_up]
        if left:
            wait = timedelta(seconds=retry_s(1 + max(each.attempts for each in left)))
            self._surely(
                lambda: self._outbox.fail(
                    claim.id, self._utc(), outcome.reason, self._utc() + wait, uncertain=outcome.uncertain
                )
            )

    def _surely(self, settle: Callable[[], None]) -> None:
        """Record it, however long the database is away: only at the end of the process it is left uncertain."""
        while True:
            try:
                settle()
            except AlarmNodeError:
                if self._stopped.wait(self._pace.poll_s):
                    return
            else:
                return
