"""The web as it runs, with stand-ins for what stands behind it: a view, a history, tokens, and the deciding thread."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

import httpx
from starlette.types import ASGIApp

from node.core.settings import AlarmClass
from node.errors.severity import Severity
from node.monitor.api.app import create_app
from node.monitor.api.operations.history_access import Reading
from node.monitor.api.operations.operation import Sources
from node.monitor.api.server import Server, on_network
from node.monitor.core.model import requests
from node.monitor.core.model.records import (
    ButtonTest,
    EventKey,
    FindingKey,
    Flip,
    HeardEvent,
    IncidentKey,
    IncidentRecord,
    NodeKey,
    PastFinding,
    Role,
    Status,
)
from node.monitor.core.model.requests import RecordFilter
from node.monitor.core.view.view_types import View
from tests.support.building import INCIDENT, NOW, building

T = TypeVar("T")

STOP_S = 20.0
SECRETS = {role: f"secret-of-a-{role}-0123456789abcdef" for role in Role}
REVOKED = "secret-that-was-revoked-0123456789"


@dataclass(frozen=True, slots=True)
class Named:
    """A token."""

    name: str
    role: Role


def bearer(secret: str) -> dict[str, str]:
    """The header that brings a token."""
    return {"Authorization": f"Bearer {secret}"}


class TokenList:
    """Tokens in memory, one of each role; ``failing`` is raised while it is set, after ``gate`` opened."""

    def __init__(self) -> None:
        self.known = {secret: Named(f"desk-{role}", role) for role, secret in SECRETS.items()}
        self.failing: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def lookup(self, secret: str) -> Named | None:
        """As the Protocol says."""
        self.gate.wait(STOP_S)
        if self.failing is not None:
            raise self.failing
        return self.known.get(secret)


class HistoryInMemory:
    """Three records of each kind, the newest first; cursors are numbers. ``asked`` is what was wanted last."""

    def __init__(self) -> None:
        node = NodeKey("mitte", "desk-1")
        self.asked: RecordFilter | None = None
        self.failing: Exception | None = None
        self._events = [
            HeardEvent(
                key=EventKey(*node, "0badcafe", seq),
                kind="pressed",
                at_utc="2026-03-02T09:29:40.000Z",
                heard_utc=NOW,
                urgent=True,
                incident=INCIDENT,
                input="button",
                body='{"v":1,"kind":"pressed"}' if seq > 1 else "",
            )
            for seq in (3, 2, 1)
        ]
        self._incidents = [
            IncidentRecord(
                key=IncidentKey(*node, f"0badcafe-{seq}"),
                input="button",
                alarm_class=AlarmClass.THREAT,
                raised_utc=NOW - timedelta(days=4 - seq),
                held_utc=NOW if seq > 1 else None,
                acknowledged_utc=NOW if seq == 3 else None,
                answered=int(seq == 3),
            )
            for seq in (3, 2, 1)
        ]
        self._flips = [Flip(node=node, before=Status.UP, after=Status.LATE, at_utc=NOW) for _ in range(3)]
        self._tests = [
            ButtonTest(event=EventKey(*node, "0badcafe", seq), input="button", at_utc=NOW, reaction_s=0.02)
            for seq in (3, 2, 1)
        ]

        self._findings = [
            PastFinding(
                key=FindingKey("M001", *node, ""),
                severity=Severity.CRITICAL,
                since_utc=NOW - timedelta(days=4 - seq),
                cleared_utc=None if seq == 3 else NOW,
                detail="silent",
            )
            for seq in (3, 2, 1)
        ]

    def events(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[HeardEvent], str | None]:
        """As the Protocol says."""
        return self._page(self._events, which, limit, cursor)

    def incidents(
        self, which: RecordFilter, limit: int, cursor: str | None
    ) -> tuple[Sequence[IncidentRecord], str | None]:
        """As the Protocol says."""
        return self._page(self._incidents, which, limit, cursor)

    def flips(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[Flip], str | None]:
        """As the Protocol says."""
        return self._page(self._flips, which, limit, cursor)

    def tests(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[ButtonTest], str | None]:
        """As the Protocol says."""
        return self._page(self._tests, which, limit, cursor)

    def findings(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[PastFinding], str | None]:
        """As the Protocol says."""
        return self._page(self._findings, which, limit, cursor)

    def _page(
        self, records: Sequence[T], which: RecordFilter, limit: int, cursor: str | None
    ) -> tuple[Sequence[T], str | None]:
        self.asked = which
        if self.failing is not None:
            raise self.failing
        start = int(cursor or "0")
        following = start + limit
        return records[start:following], str(following) if following < len(records) else None


@dataclass
class Behind:
    """What stands behind the web. ``answer`` None leaves a request unanswered; ``asked`` are all that came."""

    view: View = field(default_factory=building)
    age_s: float = 0.25
    answer: requests.Answer | None = field(default_factory=lambda: requests.Answer("done"))
    asked: list[requests.Request] = field(default_factory=list)
    futures: list[Future[requests.Answer]] = field(default_factory=list)
    history: HistoryInMemory = field(default_factory=HistoryInMemory)
    tokens: TokenList = field(default_factory=TokenList)

    def ask(self, request: requests.Request) -> Future[requests.Answer]:
        """Answer as the deciding thread would."""
        future: Future[requests.Answer] = Future()
        self.asked.append(request)
        self.futures.append(future)
        if self.answer is not None:
            future.set_result(self.answer)
        return future

    def sources(self) -> Sources:
        """What the web gets."""
        return Sources(
            view=lambda: self.view, age_s=lambda: self.age_s, ask=self.ask, history=self.history, tokens=self.tokens
        )


@dataclass(frozen=True, slots=True)
class Site:
    """A running web: what stands behind it, its address, and a client of each role."""

    behind: Behind
    url: str
    client: Callable[[Role | None], httpx.Client]


def server_of(app: ASGIApp, port: int = 0, told: Callable[[str], None] = lambda _: None) -> Server:
    """A server on a loopback port, which 0 leaves to the system; not started yet."""
    return Server(app, partial(on_network, "127.0.0.1", port), "api", told)


@contextmanager
def serving(
    behind: Behind, *, reading: Reading | None = None, open_metrics: bool = False, slow_s: float = 0.0, port: int = 0
) -> Iterator[Site]:
    """The real server on a free loopback port, and clients that are closed with it.

    ``reading`` is a history to be shown instead of the one in memory.
    """
    sources = behind.sources() if reading is None else replace(behind.sources(), history=reading)
    server = server_of(create_app(sources, open_metrics=open_metrics, slow_s=slow_s), port)
    clients: dict[Role | None, httpx.Client] = {}

    def client(role: Role | None) -> httpx.Client:
        headers = {} if role is None else bearer(SECRETS[role])
        return clients.setdefault(role, httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30.0))

    server.start()
    url = f"http://127.0.0.1:{server.port}"
    try:
        yield Site(behind, url, client)
    finally:
        for each in clients.values():
            each.close()
        server.stop(STOP_S)
        assert not server.is_alive()
