"""An outbox whose database may hang: each call is answered within ``ANSWER_S``, whatever the database does.

A commit may wait without end, and without an error, for a dead standby or for a disk that doesn't answer. No timeout of
the server ends it (statement_timeout would report such a commit wrongly), and none of TCP does. So each call has a
thread of its own, which is left alone if it hangs for so long. While one hangs, no further call is made.

A call that was left alone may still take effect later. The rules of core/decisions/deliveries.py allow for that: a
claim that nobody renews is void after LEASE_S, and what was settled is settled only once.
"""

from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from node.errors import AlarmNodeError
from node.monitor.core.decisions.deliveries import Claim, Outbox, Settled, Waiting
from node.threads import new_thread

T = TypeVar("T")

ANSWER_S = 6.0
"""Longer than one writer waits for another (connection.py BUSY_S): that wait ends by itself."""


class TimedOutbox:
    """``outbox``, from any thread. Every method also raises AlarmNodeError while a call hangs."""

    def __init__(self, outbox: Outbox, answer_s: float = ANSWER_S) -> None:
        self._outbox = outbox
        self._answer_s = answer_s
        self._lock = Lock()
        self._hanging: list[Future[Any]] = []

    def waiting(self, target: str) -> Waiting:
        """As Outbox."""
        return self._answered(partial(self._outbox.waiting, target))

    def claim(self, target: str, monitor: str, *, gather: bool, limit: int) -> Claim | None:
        """As Outbox."""
        return self._answered(partial(self._outbox.claim, target, monitor, gather=gather, limit=limit))

    def renew(self, claim: str) -> bool:
        """As Outbox."""
        return self._answered(partial(self._outbox.renew, claim))

    def settle(self, claim: str, outcome: Settled, reason: str = "", only: Collection[int] | None = None) -> None:
        """As Outbox."""
        self._answered(partial(self._outbox.settle, claim, outcome, reason, only))

    def fail(self, claim: str, reason: str, wait_s: float, *, uncertain: bool) -> None:
        """As Outbox."""
        self._answered(partial(self._outbox.fail, claim, reason, wait_s, uncertain=uncertain))

    def hurry(self, target: str) -> None:
        """As Outbox."""
        self._answered(partial(self._outbox.hurry, target))

    def release(self, monitor: str) -> None:
        """As Outbox."""
        self._answered(partial(self._outbox.release, monitor))

    def _answered(self, call: Callable[[], T]) -> T:
        with self._lock:
            self._hanging = [each for each in self._hanging if not each.done()]
            if self._hanging:
                raise _hangs()
        answer: Future[T] = Future()
        new_thread("tell-history", _ask, call, answer).start()
        if not wait([answer], self._answer_s).done:
            with self._lock:
                self._hanging.append(answer)
            raise _hangs()
        return answer.result()


def _ask(call: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(call())
    except Exception as failure:  # noqa: BLE001 - it is raised where it was asked for
        answer.set_exception(failure)


def _hangs() -> AlarmNodeError:
    return AlarmNodeError("the history hangs", "see what its database or disk waits for; the monitor goes on by itself")
