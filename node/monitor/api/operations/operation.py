"""What an operation of the API is, and what it gets to do its work."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, Generic, Literal, ParamSpec, TypeVar, get_args, get_type_hints

from msgspec import Struct

from node.errors import AlarmNodeError
from node.monitor.api.operations.history_access import Reading, Tokens
from node.monitor.api.problems import ProblemError
from node.monitor.core.model import requests
from node.monitor.core.model.records import Role
from node.monitor.core.view.view_types import View
from node.threads import new_thread

A = ParamSpec("A")
R = TypeVar("R")
P = TypeVar("P", bound=Struct)
Q = TypeVar("Q", bound=Struct)
B = TypeVar("B", bound=Struct)


STALLED_S = 10.0
"""From which age on of the view the monitor counts as standing still; it looks at least every second."""


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No fields at all."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the web shows and whom it asks.

    ``view``: the newest view; ``age_s``: how long ago, by the monotonic clock, it was made. Both are asked on the
    web's threads and must not wait. ``ask`` hands a request to the deciding thread and doesn't wait either; the web
    never cancels the future.
    """

    view: Callable[[], View]
    age_s: Callable[[], float]
    ask: Callable[[requests.Request], Future[requests.Answer]]
    history: Reading
    tokens: Tokens


class _Threads(Executor):
    """Up to ``count`` threads of this name, which end with the process: Python's own pool keeps it while one hangs."""

    def __init__(self, count: int, name: str) -> None:
        self._left = count
        self._name = name
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def submit(self, function: Callable[..., R], /, *arguments: Any, **keywords: Any) -> Future[R]:
        """As Executor's; for one thread alone, a loop's."""
        future: Future[R] = Future()
        self._waiting.put(partial(_work, future, partial(function, *arguments, **keywords)))
        if self._left:
            self._left -= 1
            new_thread(self._name, self._run).start()
        return future

    def _run(self) -> None:
        while True:
            self._waiting.get()()


def _work(future: Future[R], function: Callable[[], R]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as failure:  # noqa: BLE001 - it is raised where it was asked for
        future.set_exception(failure)


class Reader:
    """Asks what may wait for a disk: on ``threads`` threads of its own, for ``within_s`` seconds. Used in a loop."""

    def __init__(self, threads: int, within_s: float) -> None:
        self._within_s = within_s
        self._threads = _Threads(threads, "web-reader")

    async def __call__(self, function: Callable[A, R], *arguments: A.args, **keywords: A.kwargs) -> R:
        """What ``function`` returns, or ProblemError where the history can't be read or takes too long."""
        work = partial(function, *arguments, **keywords)
        reading = asyncio.get_running_loop().run_in_executor(self._threads, work)
        done, _ = await asyncio.wait({reading}, timeout=self._within_s)
        if not done:
            reading.cancel()
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the history didn't answer within {self._within_s:g} s",
                "check the database and its disk, then ask again",
            )
        try:
            return reading.result()
        except AlarmNodeError as error:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, error.text, error.next_step) from None


@dataclass(frozen=True, slots=True)
class Call(Generic[P, Q, B]):
    """One request: what its path, its query and its body say, and the name of the token that it came with.

    ``read`` asks the history.
    """

    path: P
    query: Q
    body: B
    by: str
    read: Reader


Handler = Callable[[Sources, Call[Any, Any, Any]], Awaitable[Struct]]
Method = Literal["GET", "POST", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API; its route, its checks and its description are all made of this.

    ``path``, ``query`` and ``body`` are the types that a request must agree with; ``answers`` is the type of what
    ``handle`` returns.
    """

    name: str
    method: Method
    route: str
    role: Role
    summary: str
    answers: Any
    handle: Handler
    path: type[Struct]
    query: type[Struct]
    body: type[Struct]
    status: HTTPStatus

    @property
    def changes(self) -> bool:
        """Whether it asks for something that a node, or the monitor, may refuse."""
        return self.method != "GET"


def operation(
    method: Method, route: str, role: Role, *, status: HTTPStatus = HTTPStatus.OK
) -> Callable[[Callable[[Sources, Call[P, Q, B]], Awaitable[Struct]]], Operation]:
    """Declare the operation that a function handles: its name, summary and types are the function's own."""

    def declare(handle: Callable[[Sources, Call[P, Q, B]], Awaitable[Struct]]) -> Operation:
        *_, call, answers = get_type_hints(handle, include_extras=True).values()
        path, query, body = get_args(call)
        return Operation(
            name=handle.__name__.replace("_", "-"),
            method=method,
            route=route,
            role=role,
            summary=str(handle.__doc__).removesuffix("."),
            answers=answers,
            handle=handle,
            path=path,
            query=query,
            body=body,
            status=status,
        )

    return declare
