"""What people and tools have asked of the monitor and wait for: each request gets one answer.

    asked --> decided --> answered
                  `-----> waits until it is stored --> answered
                                  `-- STORED_S ------> answered as "not stored"

Some decisions must be stored before they are answered (requests.must_be_stored): nobody shall rely on a decision that a
restart forgets. Only the deciding thread uses this, except for ``new``.
"""

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import count

from node.monitor.core.decisions.ledger import Respond
from node.monitor.core.model.requests import Answer, Request, must_be_stored

STORED_S = 5.0
"""How long an answer waits until its decision is stored. After that it says that it isn't stored."""


class OpenRequests:
    """The requests without an answer, by their number."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._futures: dict[int, tuple[Future[Answer], Request]] = {}
        self._unstored: dict[Respond, float] = {}

    def new(self) -> tuple[int, Future[Answer]]:
        """A number and a future for one more request; from any thread. ``begin`` has to follow."""
        return next(self._numbers), Future()

    def begin(self, number: int, future: Future[Answer], request: Request) -> None:
        """The request is about to be decided."""
        self._futures[number] = (future, request)

    def to_store(self, responds: Iterable[Respond]) -> list[Respond]:
        """The answers that must not be given before their decision is stored."""
        return [each for each in responds if self._must_be_stored(each)]

    def await_store(self, responds: Iterable[Respond], at: float) -> None:
        """These answers wait from now on (monotonic seconds)."""
        self._unstored.update((each, at + STORED_S) for each in responds)

    def answer(self, respond: Respond) -> None:
        """Answer a request. Does nothing if it was answered before."""
        self._unstored = {each: due for each, due in self._unstored.items() if each.number != respond.number}
        future, _ = self._futures.pop(respond.number, (None, None))
        if future is not None and not future.cancelled():
            future.set_result(respond.answer)

    def answer_overdue(self, at: float) -> None:
        """Answer all that wait for the history, as not stored, once the first of them has waited for too long."""
        if min(self._unstored.values(), default=math.inf) <= at:
            self.answer_unstored()

    def answer_unstored(self) -> None:
        """Answer all that wait for the history: they are done, but not stored."""
        for respond in list(self._unstored):
            self.answer(with_stored(respond, stored=False))
        self._unstored.clear()

    def undecided(self) -> Sequence[int]:
        """The numbers of requests that have no answer yet, not even one that waits for the history."""
        decided = {each.number for each in self._unstored}
        return [number for number in self._futures if number not in decided]

    def cancel(self) -> None:
        """The monitor ends: whoever still waits is told so."""
        for future, _ in self._futures.values():
            future.cancel()

    def _must_be_stored(self, respond: Respond) -> bool:
        _, request = self._futures.get(respond.number, (None, None))
        return request is not None and must_be_stored(request, respond.answer)


def with_stored(respond: Respond, *, stored: bool) -> Respond:
    """The answer, with whether its decision is stored."""
    return respond._replace(answer=replace(respond.answer, stored=stored))
