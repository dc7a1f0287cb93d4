"""The server's bounds over real sockets: too many clients, too slow ones, and an address that is taken."""

import os
import socket
import stat
import statistics
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from node.config.files import socket_path
from node.monitor.api import server as web_server
from node.monitor.api.app import create_app
from node.monitor.api.operations.operation_table import PREFIX
from node.monitor.api.server import Server, on_network, on_this_machine
from node.monitor.core.model.records import Role
from tests.support.building import building, node
from tests.support.web import SECRETS, Behind, Site, server_of, serving

TIMEOUT_S = 20.0
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connected(site: Site, sender: str = "127.0.0.1") -> socket.socket:
    """A client at this address of the machine that says nothing yet."""
    return socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2])), TIMEOUT_S, (sender, 0))


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


@pytest.mark.parametrize("count", [110, 1_000])
@pytest.mark.parametrize("said", [b"", b"GET /api/v1/fleet HTTP/1.1\r\nX-Slow: "], ids=["idle", "half a head"])
def test_a_desk_gets_in_however_many_connections_say_nothing(count: int, said: bytes) -> None:
    """They end one another, and hold no more files than the bound; who has a token is answered, again and again."""
    with serving(Behind()) as site, ExitStack() as clients:
        for _ in range(count):
            clients.enter_context(connected(site)).sendall(said)
        answers = [site.client(Role.VIEWER).get(f"{PREFIX}/fleet").status_code for _ in range(3)]

    assert answers == [200, 200, 200]


def test_a_head_that_comes_a_byte_at_a_time_keeps_no_desk_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection that dawdles so ends, however busy it looks."""
    monkeypatch.setattr(web_server, "UNKNOWN_S", 0.5)
    with serving(Behind()) as site, ExitStack() as clients:
        slow = [clients.enter_context(connected(site)) for _ in range(110)]
        pending, answers = set(slow), []
        while pending:
            answers.append(site.client(Role.VIEWER).get(f"{PREFIX}/fleet").status_code)
            for each in list(pending):
                try:
                    each.sendall(b"G")
                except ConnectionError:
                    pending.remove(each)

    assert set(answers) == {200}


def test_a_crowd_throws_out_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds most connections without a token loses the oldest; another sender's one stays and is answered."""
    monkeypatch.setattr(web_server, "CONNECTIONS", 5)
    with serving(Behind()) as site, ExitStack() as clients:
        quiet = clients.enter_context(connected(site, "127.0.0.2"))
        crowd = [clients.enter_context(connected(site)) for _ in range(7)]
        thrown_out = [heard(each) for each in crowd[:3]]
        served = [answered(each) for each in (quiet, *crowd[3:])]

    assert thrown_out == [b"", b"", b""]
    assert served == [True] * 5


def test_who_has_a_token_is_not_thrown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all have one, the newcomer is turned away."""
    monkeypatch.setattr(web_server, "CONNECTIONS", 2)
    head = f"GET {PREFIX}/fleet HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SECRETS[Role.VIEWER]}\r\n\r\n".encode()
    with serving(Behind()) as site, ExitStack() as clients:
        desks = [clients.enter_context(connected(site)) for _ in range(2)]
        first = []
        for each in desks:
            each.sendall(head)
            first.append(heard(each)[:12])
        turned_away = heard(clients.enter_context(connected(site)))
        for each in desks:
            each.sendall(head)
        again = [heard(each) != b"" for each in desks]

    assert (first, turned_away, again) == ([b"HTTP/1.1 200"] * 2, b"", [True, True])


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /heal", b"POST /api/v1/walk-tests HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_client_that_gets_nothing_done_is_ended(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it dawdles, its connection ends by itself."""
    monkeypatch.setattr(web_server, "UNKNOWN_S", 0.3)
    with serving(Behind()) as site, connected(site) as client:
        client.sendall(said)
        ended = any(heard(client) == b"" for _ in range(3))

    assert ended


def test_a_client_that_dawdles_after_its_first_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request isn't enough to stay."""
    monkeypatch.setattr(web_server, "UNKNOWN_S", 0.3)
    with serving(Behind()) as site, connected(site) as client:
        first = answered(client)
        client.sendall(b"GET /heal")
        ended = heard(client)

    assert (first, ended) == (True, b"")


def test_a_client_that_gets_answers_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it goes on asking."""
    monkeypatch.setattr(web_server, "UNKNOWN_S", 0.5)
    with serving(Behind()) as site, connected(site) as client:
        end = time.monotonic() + 3 * web_server.UNKNOWN_S
        stayed = True
        while stayed and time.monotonic() < end:
            stayed = answered(client)

    assert stayed


def test_a_head_without_an_end_is_refused() -> None:
    """Remembered for it is bounded."""
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


def test_an_address_that_is_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said why nobody is answered, once, and that it works as soon as the address is free."""
    monkeypatch.setattr(web_server, "RETRY_S", 0.05)
    told: list[str] = []
    works = threading.Event()

    def tell(problem: str) -> None:
        told.append(problem)
        if not problem:
            works.set()

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = server_of(web_app, port, tell)
        server.start()
        at_first = list(told)
    freed = works.wait(TIMEOUT_S)
    server.stop(TIMEOUT_S)

    assert at_first == ["Address already in use"]
    assert freed
    assert told == ["Address already in use", ""]


def test_a_strange_address_is_said() -> None:
    """One that this machine hasn't."""
    told: list[str] = []
    server = Server(web_app, partial(on_network, "203.0.113.7", 0), "api", told.append)

    server.start()
    server.stop(TIMEOUT_S)

    assert told == ["Cannot assign requested address"]
    assert not server.is_alive()


def test_a_server_that_was_never_started_is_stopped() -> None:
    """So that whoever fails between the two can clean up."""
    server = server_of(web_app)

    server.stop(TIMEOUT_S)

    assert not server.is_alive()


def test_a_server_that_dies_is_begun_anew(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it died of: the monitor needn't end for it. Meanwhile it is said, and so is its end."""
    monkeypatch.setattr(web_server, "RETRY_S", 0.05)
    told: Queue[str] = Queue()
    deaths = [SystemExit("somebody asked for something strange")]
    made = web_server.LimitedProtocol.connection_made

    def die_once(protocol: Any, transport: Any) -> None:
        if deaths:
            raise deaths.pop()
        made(protocol, transport)

    monkeypatch.setattr(web_server.LimitedProtocol, "connection_made", die_once)
    server = server_of(create_app(Behind().sources()), told=told.put)
    server.start()
    try:
        told.get(timeout=TIMEOUT_S)
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S):
            said = [told.get(timeout=TIMEOUT_S) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as client:
            is_answered = answered(client)
    finally:
        server.stop(TIMEOUT_S)

    assert said == ["the server died; see the log", ""]
    assert is_answered
    assert "something strange" in caplog.text
    assert not server.is_alive()


def test_a_socket_of_this_machine_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask is."""
    before = os.umask(0)
    try:
        with on_this_machine(tmp_path / "api.socket"):
            mode = (tmp_path / "api.socket").stat().st_mode
    finally:
        os.umask(before)

    assert stat.filemode(mode) == "srw-------"


def test_the_socket_of_a_monitor_that_was_killed_is_replaced(tmp_path: Path) -> None:
    """Nobody has to delete it; that of one that runs stays its own."""
    path = tmp_path / "api.socket"

    on_this_machine(path).close()
    with on_this_machine(path), pytest.raises(OSError, match="another monitor listens there"):
        on_this_machine(path)


def test_a_file_in_place_of_the_socket_is_not_deleted(tmp_path: Path) -> None:
    """It is said that it is in the way."""
    path = tmp_path / "api.socket"
    path.write_text("mine", encoding="utf-8")

    with pytest.raises(OSError, match="in use"):
        on_this_machine(path)

    assert path.read_text(encoding="utf-8") == "mine"


async def web_app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """An application that nobody asks."""


def test_a_socket_may_lie_as_deep_as_any_file(tmp_path: Path) -> None:
    """The kernel takes 107 bytes as the path of a socket, and a state directory may be longer."""
    path = tmp_path / ("a" * 100) / ("b" * 100) / "api.socket"
    path.parent.mkdir(parents=True)

    with on_this_machine(path) as listening, socket.socket(socket.AF_UNIX) as client:
        with socket_path(path) as name:
            client.connect(name)
        accepted, _ = listening.accept()
        accepted.close()
        mode = path.stat().st_mode

    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
