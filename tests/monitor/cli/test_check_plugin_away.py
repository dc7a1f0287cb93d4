"""check_alarm_node where no monitor answers: nobody, somebody who dawdles, somebody else, and a thief."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from node.monitor.cli.nagios.plugin import State
from tests.support.plugin import LINE, run

CRITICAL, UNKNOWN = State.CRITICAL, State.UNKNOWN


@pytest.mark.parametrize(("mode", "expected"), [("monitor", CRITICAL), ("site", UNKNOWN)])
def test_a_monitor_that_is_away_is_critical_once(mode: str, expected: State) -> None:
    """For its own check; what it would know of a site is unknown."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    code, told = run("-H", f"127.0.0.1:{port}", mode, *(["mitte"] if mode == "site" else []))

    assert code == expected
    assert "can't be reached" in told


@contextmanager
def answering(response: bytes, *, every_s: float = 0.0) -> Iterator[str]:
    """The URL of a server that answers everything with these bytes, one by one with a pause after each."""
    done = threading.Event()

    def answer(listening: socket.socket) -> None:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client:
            client.recv(4096)
            pieces = [response] if not every_s else [bytes([byte]) for byte in response]
            for piece in pieces:
                try:
                    client.sendall(piece)
                except OSError:
                    return
                if every_s and done.wait(every_s):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            done.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(20)


@pytest.mark.parametrize(("mode", "expected"), [("monitor", CRITICAL), ("site", UNKNOWN)])
def test_a_monitor_that_dawdles_is_given_up_in_time(mode: str, expected: State) -> None:
    """Though something comes again and again, the whole check ends by its timeout."""
    with answering(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000, every_s=0.1) as url:
        begun = time.monotonic()
        code, told = run("-t", "1", "-H", url, mode, *(["mitte"] if mode == "site" else []))
        took = time.monotonic() - begun

    assert code == expected
    assert "within 1 s" in told
    assert took < 10


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b"null", b"not json", b'{"sites": 5}', b'{"items": [], "next": null}', b"\xff"]
)
def test_an_answer_of_something_else_is_unknown(content: bytes) -> None:
    """Another program on that port is no monitor."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with answering(head + content) as url:
        code, told = run("-H", url, "site", "mitte")

    assert code == UNKNOWN
    assert LINE.fullmatch(told)


def test_the_token_follows_no_redirect_and_no_proxy(tmp_path: Path) -> None:
    """Whoever answers in the monitor's place, or sets the environment, gets no further with it."""
    heard: list[str] = []
    token = tmp_path / "token"
    token.write_text("x" * 32, encoding="ascii")

    class Thief(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization", ""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Thief) as thief:
        thread = threading.Thread(target=thief.serve_forever, args=(0.01,))
        thread.start()
        elsewhere = f"http://127.0.0.1:{thief.server_port}"
        with answering(f"HTTP/1.1 302 Found\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n".encode()) as url:
            code, _ = run("-H", url, "--token-file", token, "monitor", environ={"http_proxy": elsewhere})
        thief.shutdown()
        thread.join(20)

    assert code == UNKNOWN
    assert heard == []
