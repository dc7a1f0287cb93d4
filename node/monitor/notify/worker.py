"""The thread that tells one target, either what is told at once or what is gathered."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from threading import Event
from time import monotonic

from node.errors import AlarmNodeError
from node.monitor.core.decisions.deliveries import RENEW_S, Claim, Delivery, Outbox, Settled
from node.monitor.core.model.monitor_settings import Target
from node.monitor.locale.translation import Words
from node.monitor.notify.grouping import MANY_S, RETRY, GatherWindow, is_given_up, left_out
from node.monitor.notify.sender import SEND_S, Outcome, Sender
from node.monitor.notify.target_health import TargetHealth
from node.monitor.notify.texts.wording import worded
from node.threads import new_thread

log = logging.getLogger(__name__)

GATHERED_AT_ONCE = 50_000
"""The most deliveries in one claim: more than all nodes of a building may have to say."""

NODE_AT_ONCE = 1_000
"""The most deliveries of one node in one claim: they are one message, and the rest follows in the node's next turn."""


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: how often to look into the outbox, the waits for more to join, a try's deadline, when to renew."""

    poll_s: float = 1.0
    gather_s: float = 5.0
    many_s: float = MANY_S
    send_s: float = SEND_S
    renew_s: float = RENEW_S


class _Lease:
    """A claim that is being acted on. ``asked``: when it was asked for (monotonic).

    The worker's own thread renews it. So if the worker fails, its claim soon expires; no living monitor keeps it.
    """

    def __init__(self, outbox: Outbox, claim: Claim, asked: float, renew_s: float) -> None:
        self._outbox = outbox
        self._claim = claim
        self._renewed = asked
        self._renew_s = renew_s
        self._lost = False

    def keep(self) -> bool:
        """Renew the claim if that is due. False if another monitor has it now. Kept if the database can't say."""
        begun = monotonic()
        if not self._lost and begun - self._renewed >= self._renew_s:
            try:
                self._lost = not self._outbox.renew(self._claim.id)
            except AlarmNodeError:
                return True
            self._renewed = begun
            if self._lost:
                log.warning("another monitor has taken over what %s was being told", self._claim.target)
        return not self._lost


class Worker:
    """Claims, tells, settles. ``gather``: whether it is the thread for gathered notices."""

    def __init__(
        self,
        monitor: str,
        outbox: Outbox,
        target: Target,
        health: TargetHealth,
        words: Words,
        pace: Pace,
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
        self._sender = Sender(target.name, target.url, pace.send_s, target.problem)
        self._window = GatherWindow(pace.gather_s, pace.many_s)
        self._resync: deque[Callable[[], None]] = deque()
        self._woken = Event()
        self._stopped = Event()
        self.thread = new_thread(f"tell-{target.name}-{'gather' if gather else 'now'}", self._run)

    def use_url(self, name: str, url: str) -> None:
        """Use this URL from now on, if the name is that of this worker's target."""
        if name == self._name:
            self._sender.use_url(url)

    def wake(self) -> None:
        """Look into the outbox at once."""
        self._woken.set()

    def stop(self) -> None:
        """End after the present try."""
        self._stopped.set()
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                left_s = self._turn()
            except AlarmNodeError:
                left_s = self._pace.poll_s  # the history reports by itself that it is away
            except Exception:
                # If this thread ended, the target would never be told anything again, and nobody would notice.
                log.exception("telling %s stumbled", self._name)
                left_s = self._pace.poll_s
            if not self._stopped.is_set():
                self._woken.wait(left_s)

    def _turn(self) -> float:
        """Tell what is due. Returns in how many seconds to look again."""
        with suppress(AlarmNodeError):  # while the database is away, what is in memory is still told
            while self._resync:
                self._resync[0]()
                self._resync.popleft()
        waiting = self._outbox.waiting(self._name)
        self._health.waiting = waiting.held
        left_s = self._window.left(monotonic(), waiting) if self.gather else (0.0 if waiting.alone else inf)
        if left_s > 0:
            return left_s if left_s < inf else self._pace.poll_s
        limit = GATHERED_AT_ONCE if self.gather else NODE_AT_ONCE
        asked = monotonic()
        claim = self._outbox.claim(self._name, self._monitor, gather=self.gather, limit=limit)
        if claim is None:
            return self._pace.poll_s  # another monitor was quicker
        if self._health.isolated:
            self._surely(lambda: self._outbox.settle(claim.id, Settled.LEFT_OUT, "the target is isolated"))
        else:
            self._tell(claim, _Lease(self._outbox, claim, asked, self._pace.renew_s))
        return 0.0

    def _tell(self, claim: Claim, lease: _Lease) -> None:
        over = left_out(claim.deliveries)
        if over:
            self._surely(lambda: self._outbox.settle(claim.id, Settled.LEFT_OUT, only=over))
        told = [each for each in claim.deliveries if each.id not in over]
        if not told or not lease.keep():  # the steps before may have waited for the database
            return
        made, unsaid = worded(told, self._words)
        aside = frozenset(each.id for each in unsaid)
        if aside:
            log.error("%d notices for %s can't be put into words, and are given up", len(aside), self._name)
            self._surely(lambda: self._outbox.settle(claim.id, Settled.GIVEN_UP, "no words for it", only=aside))
            told = [each for each in told if each.id not in aside]
        if made is None:
            return
        outcome = self._sender.send(made, lease.keep, self._pace.poll_s)
        if outcome.told:
            is_first = self._health.worked(each.notice for each in told)
            self._surely(lambda: self._outbox.settle(claim.id, Settled.SENT))
            if is_first:
                self._surely(lambda: self._outbox.hurry(self._name))
        else:
            self._health.failed(outcome.reason)
            self._failed(claim, told, outcome)

    def _failed(self, claim: Claim, told: Sequence[Delivery], outcome: Outcome) -> None:
        given_up = frozenset(each.id for each in told if is_given_up(each))
        if given_up:
            log.error("%d notices for %s are given up: %s", len(given_up), self._name, outcome.reason)
            self._surely(lambda: self._outbox.settle(claim.id, Settled.GIVEN_UP, outcome.reason, only=given_up))
        left = [each for each in told if each.id not in given_up]
        if left:
            wait_s = RETRY.wait_s(1 + min(each.attempts for each in left))  # so a new one is tried again soon
            self._surely(lambda: self._outbox.fail(claim.id, outcome.reason, wait_s, uncertain=outcome.uncertain))

    def _surely(self, settle: Callable[[], None]) -> None:
        """Record a result. If the database is away, do it once it is back, before anything else is claimed there.

        Only if the process ends first does the delivery stay uncertain.
        """
        try:
            settle()
        except AlarmNodeError:
            self._resync.append(settle)
