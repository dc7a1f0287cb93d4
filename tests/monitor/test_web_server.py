"""The server's bounds over real sockets: too many clients, too slow ones, and an address that is taken."""

import socket
import statistics
import time
from contextlib import ExitStack

import pytest

from node.monitor import web
from node.monitor.model import Role
from node.monitor.web import AddressError, Server
from tests.support.building import building, node
from tests.support.web import Behind, Site, serving

TIMEOUT_S = 20.0
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connected(site: Site) -> socket.socket:
    """A client that says nothing yet."""
    return socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2])), TIMEOUT_S)


def heard(client: socket.socket) -> bytes:
    """What comes next; nothing where the connection was ended."""
    try:
        return client.recv(4096)
    except ConnectionError:
        return b""


def answered(client: socket.socket) -> bool:
    """Whether health is asked for and answered, head and body, on this connection."""
    client.sendall(HEALTH)
    told = b""
    while not told.endswith(b"ok\n"):
        piece = heard(client)
        if not piece:
            return False
        told += piece
    return told.startswith(b"HTTP/1.1 200")


def test_clients_beyond_the_bound_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take no file from the links and the history; those before them are served, and so is who comes later."""
    monkeypatch.setattr(web, "CONNECTIONS", 5)
    with serving(Behind()) as site, ExitStack() as clients:
        many = [clients.enter_context(connected(site)) for _ in range(5)]
        served = answered(many[-1])
        turned_away = heard(clients.enter_context(connected(site)))
        many[0].close()
        # Its end was heard, at the latest, when what was sent after it is answered.
        answered(many[1])
        served_later = answered(clients.enter_context(connected(site)))

    assert (served, turned_away, served_later) == (True, b"", True)


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /heal", b"POST /api/v1/walk-tests HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_client_that_gets_nothing_done_is_ended(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it dawdles, its connection ends by itself."""
    monkeypatch.setattr(web, "SLOWEST_S", 0.3)
    with serving(Behind()) as site, connected(site) as client:
        client.sendall(said)
        ended = any(heard(client) == b"" for _ in range(3))

    assert ended


def test_a_client_that_dawdles_after_its_first_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request isn't enough to stay."""
    monkeypatch.setattr(web, "SLOWEST_S", 0.3)
    with serving(Behind()) as site, connected(site) as client:
        first = answered(client)
        client.sendall(b"GET /heal")
        ended = heard(client)

    assert (first, ended) == (True, b"")


def test_a_client_that_gets_answers_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it goes on asking."""
    monkeypatch.setattr(web, "SLOWEST_S", 0.5)
    with serving(Behind()) as site, connected(site) as client:
        end = time.monotonic() + 3 * web.SLOWEST_S
        stayed = True
        while stayed and time.monotonic() < end:
            stayed = answered(client)

    assert stayed


def test_a_head_without_an_end_is_refused() -> None:
    """Memory for it is bounded."""
    with serving(Behind()) as site, connected(site) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000)
        answer = heard(client)

    assert answer.startswith(b"HTTP/1.1 400") or answer == b""


def test_a_large_answer_comes_whole() -> None:
    """A thousand nodes on one page, which no socket takes at once."""
    many = tuple(node(f"n-{number}") for number in range(1000))
    with serving(Behind(view=building(nodes=many))) as site:
        response = site.client(Role.VIEWER).get("/api/v1/nodes", params={"limit": 1000})

    assert len(response.json()["items"]) == 1000


def test_answers_come_at_once_on_a_connection_that_stays() -> None:
    """None waits for the acknowledgement of the one before it: that takes 40 ms."""
    took = []
    with serving(Behind()) as site:
        client = site.client(None)
        for _ in range(21):
            begun = time.perf_counter()
            client.get("/healthz")
            took.append(time.perf_counter() - begun)

    assert statistics.median(took) < 0.03


def test_an_address_that_is_taken_says_what_to_do() -> None:
    """Before the monitor looks alive."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(AddressError, match=r"E034 .* Next: give it"):
        Server(web_app, "127.0.0.1", other.getsockname()[1])


def test_a_strange_address_says_what_to_do() -> None:
    """One that this machine hasn't."""
    with pytest.raises(AddressError, match="E034"):
        Server(web_app, "203.0.113.7", 0)


def test_a_server_that_was_never_started_is_stopped() -> None:
    """So that whoever fails between the two can clean up."""
    server = Server(web_app, "127.0.0.1", 0)

    server.stop(TIMEOUT_S)

    assert not server.is_alive()


async def web_app(*_: object) -> None:
    """An application that nobody asks."""
