"""Who may come in: every route without a token, with too small a role, with a revoked one; and when the disk hangs."""

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from starlette.requests import Request

from node.errors import AlarmNodeError
from node.monitor.api import auth
from node.monitor.api.auth import ADMITTED, TokenAuthentication, sender_of
from node.monitor.api.operations.operation_table import OPERATIONS, PREFIX
from node.monitor.api.problems import ProblemError
from node.monitor.core.model.records import Role
from tests.support.building import INCIDENT
from tests.support.node import wait_until
from tests.support.web import REVOKED, SECRETS, Behind, Site, TokenList, bearer, serving

PATHS = [
    *((each.method, f"{PREFIX}{each.route}", each.role) for each in OPERATIONS),
    ("GET", f"{PREFIX}/openapi.json", Role.VIEWER),
    ("GET", "/metrics", Role.VIEWER),
]
FLEET = f"{PREFIX}/fleet"
AWAY = AlarmNodeError("the database is away", "start it")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A server for all tests here."""
    with serving(Behind()) as served:
        yield served


def status(site: Site, method: str, path: str, headers: dict[str, str]) -> int:
    """How a request with these headers alone ends."""
    filled = path.format(site="mitte", node="desk-1", incident=INCIDENT, id="w-1", name="guards")
    return site.client(None).request(method, filled, headers=headers).status_code


@pytest.mark.parametrize(("method", "path", "role"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(REVOKED),
        {"Authorization": "Bearer"},
        bearer(f"{SECRETS[Role.MANAGER]}x"),
        bearer(f"{SECRETS[Role.MANAGER]} {SECRETS[Role.MANAGER]}"),
        {"Authorization": f"Basic {SECRETS[Role.MANAGER]}"},
        {"Cookie": f"token={SECRETS[Role.MANAGER]}"},
    ],
    ids=["none", "revoked", "empty", "longer", "twice", "basic", "cookie"],
)
def test_nobody_comes_in_without_a_right_token(
    site: Site, method: str, path: str, role: Role, headers: dict[str, str]
) -> None:
    """Each route refuses whoever brings none, or a wrong one, and nobody is asked."""
    ended = status(site, method, path, headers)

    assert ended == 401
    assert site.behind.asked == []


@pytest.mark.parametrize(("method", "path", "needed"), PATHS)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_is_its_own(method: str, path: str, needed: Role, role: Role, site: Site) -> None:
    """And no more: with too small a role nobody is asked."""
    site.behind.asked.clear()

    ended = status(site, method, path, bearer(SECRETS[role]))

    assert (ended == 403) is (not role.may(needed))
    assert ended != 403 or site.behind.asked == []
    site.behind.asked.clear()


@pytest.mark.parametrize(("role", "count"), [(Role.VIEWER, 14), (Role.RESPONDER, 18), (Role.MANAGER, 26)])
def test_the_roles_are_as_they_were_decided(role: Role, count: int) -> None:
    """Who looks can't act; who responds can't pause, resume or test."""
    allowed = [path for _, path, needed in PATHS if role.may(needed)]

    assert len(allowed) == count


def test_a_refusal_says_how_to_come_in(site: Site) -> None:
    """With the header that HTTP asks for, and a next step."""
    response = site.client(None).get(FLEET)

    assert response.headers["www-authenticate"] == "Bearer"
    assert "alarm-monitor token create" in response.json()["next"]


def test_a_token_is_refused_from_its_revocation_on(site: Site) -> None:
    """The next request already."""
    secret = "x" * 32
    site.behind.tokens.known[secret] = site.behind.tokens.known[SECRETS[Role.VIEWER]]

    before = status(site, "GET", FLEET, bearer(secret))
    del site.behind.tokens.known[secret]
    after = status(site, "GET", FLEET, bearer(secret))

    assert (before, after) == (200, 401)


def test_every_response_keeps_browsers_from_storing_and_guessing(site: Site) -> None:
    """Those that refuse, too; and none says which program answers, or lets another page read it."""
    responses = [
        site.client(None).get("/healthz"),
        site.client(Role.VIEWER).get(FLEET),
        site.client(None).get(FLEET, headers={"Origin": "https://elsewhere.example"}),
        site.client(None).get("/nothing"),
    ]

    assert {each.headers.get("cache-control") for each in responses} == {"no-store"}
    assert {each.headers.get("x-content-type-options") for each in responses} == {"nosniff"}
    assert {each.headers["content-security-policy"].partition(";")[0] for each in responses} == {"default-src 'none'"}
    assert not any("server" in each.headers or "access-control-allow-origin" in each.headers for each in responses)


def test_a_wrong_token_waits_and_a_right_one_does_not() -> None:
    """Guessing is slow, and beyond some guesses at once refused at once; a token that was right gets in at once.

    It may come from the guesser's own address: a proxy's stands for many desks.
    """
    with serving(Behind(), slow_s=10.0) as site, ThreadPoolExecutor(auth.SLOWED + 4) as guessers:
        site.client(Role.VIEWER).get(FLEET)
        guesses = [
            guessers.submit(site.client(None).get, FLEET, headers=bearer(REVOKED)) for _ in range(auth.SLOWED + 4)
        ]
        right = site.client(Role.VIEWER).get(FLEET)
        waiting = sum(not guess.done() for guess in guesses)
        ended = sorted(guess.result().status_code for guess in guesses)
        metrics = site.client(Role.VIEWER).get("/metrics").text

    assert right.status_code == 200
    assert waiting >= auth.SLOWED
    assert ended == [401] * auth.SLOWED + [429] * 4
    assert f"alarm_monitor_refused_logins_total {auth.SLOWED + 4}.0" in metrics


def test_wrong_tokens_slow_their_sender_alone() -> None:
    """While it waits nothing unknown of that sender is looked at; another sender's first token gets in at once."""
    behind = Behind()
    with serving(behind, slow_s=10.0) as site, ThreadPoolExecutor(auth.SLOWED) as guessers, ExitStack() as clients:
        site.client(Role.MANAGER).get(FLEET)
        guesses = [guessers.submit(site.client(None).get, FLEET, headers=bearer(REVOKED)) for _ in range(auth.SLOWED)]
        wait_until(lambda: _refused(site) == auth.SLOWED)
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        other = clients.enter_context(httpx.Client(base_url=site.url, transport=transport))
        begun = time.monotonic()
        same = site.client(None).get(FLEET, headers=bearer(SECRETS[Role.RESPONDER]))
        elsewhere = other.get(FLEET, headers=bearer(SECRETS[Role.VIEWER]))
        took = time.monotonic() - begun
        waited = not any(guess.done() for guess in guesses)

    assert (same.status_code, elsewhere.status_code) == (429, 200)
    assert waited
    assert took < 10.0


def _refused(site: Site) -> int:
    found = re.search(r"refused_logins_total (\d+)", site.client(Role.MANAGER).get("/metrics").text)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize(
    ("client", "sender"),
    [
        (None, ""),
        (("192.0.2.7", 4711), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 4711), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::1", 4711), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 4711), "fe80::/64"),
    ],
)
def test_a_sender_is_an_address_or_a_network_of_ipv6(client: tuple[str, int] | None, sender: str) -> None:
    """A machine may have any number of addresses in its network of IPv6."""
    assert sender_of(client) == sender


def test_wrong_tokens_are_logged_without_being_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Facilities see that somebody tries; nobody finds what was tried."""
    status(site, "GET", FLEET, bearer(REVOKED))

    assert "wrong or revoked token was refused" in caplog.text
    assert REVOKED not in caplog.text


def test_who_came_in_before_the_history_failed_still_does() -> None:
    """Guards look most when something is broken. Whom nobody knows yet isn't let in; once it is back, nothing stays."""
    behind = Behind()
    viewer, manager = SECRETS[Role.VIEWER], SECRETS[Role.MANAGER]
    with serving(behind) as site:
        status(site, "GET", FLEET, bearer(viewer))
        behind.tokens.failing = AWAY
        meanwhile = [status(site, "GET", FLEET, bearer(secret)) for secret in (viewer, manager, REVOKED)]
        behind.tokens.failing = None
        del behind.tokens.known[viewer]
        back = status(site, "GET", FLEET, bearer(viewer))
        behind.tokens.failing = AWAY
        again = status(site, "GET", FLEET, bearer(viewer))

    assert meanwhile == [200, 503, 503]
    assert (back, again) == (401, 503)


def test_a_token_that_was_right_long_ago_is_not_let_in_by_that() -> None:
    """A day after the history last said so, it has to say so again."""
    tokens, now = TokenList(), [0.0]
    headers = [(b"authorization", f"Bearer {SECRETS[Role.VIEWER]}".encode())]
    request = Request({"type": "http", "headers": headers, "client": None, "state": {ADMITTED: lambda: None}})

    async def try_it() -> list[bool]:
        tried = TokenAuthentication(tokens, clock=lambda: now[0])
        came_in = []
        for at, tokens.failing in ((0.0, None), (auth.LATELY_S, AWAY), (auth.LATELY_S + 1.0, AWAY)):
            now[0] = at
            try:
                came_in.append((await tried.admit(request, Role.VIEWER)).role is Role.VIEWER)
            except ProblemError:
                came_in.append(False)
        return came_in

    assert asyncio.run(try_it()) == [True, True, False]


def test_two_tokens_at_once_are_none(site: Site) -> None:
    """Which of two headers counts must not depend on who reads them, here or on the way."""
    headers = [("Authorization", f"Bearer {SECRETS[role]}") for role in (Role.MANAGER, Role.VIEWER)]

    response = site.client(None).get(FLEET, headers=headers)

    assert response.status_code == 401


def test_a_history_that_hangs_holds_up_nobody_who_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health is answered at once; who needs the history is told within the deadline."""
    monkeypatch.setattr(auth, "LOOKUP_S", 0.2)
    behind = Behind()
    with serving(behind) as site:
        behind.tokens.gate.clear()
        refused = site.client(Role.VIEWER).get(FLEET)
        healthy = site.client(None).get("/healthz")
        behind.tokens.gate.set()

    assert (refused.status_code, healthy.status_code) == (503, 200)


@pytest.mark.parametrize(
    ("open_metrics", "host", "expected"),
    [
        (False, "127.0.0.1", 401),
        (True, "127.0.0.1", 200),
        (True, "localhost:8780", 200),
        (True, "[::1]:8780", 200),
        (True, "monitor.example", 401),
        (True, "[", 401),
        (True, "127.0.0.1.example", 401),
    ],
)
def test_metrics_need_no_token_on_this_machine_alone(open_metrics: bool, host: str, expected: int) -> None:
    """Where that was decided; and never for a page that a browser here was lured to by another name."""
    with serving(Behind(), open_metrics=open_metrics) as site:
        response = site.client(None).get("/metrics", headers={"Host": host})

    assert response.status_code == expected
