"""A way to a broker in TLS on which many packets come in one record: more than a socket that is polled ever shows."""

import select
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

from tests.support.certificates import Pair

RECORD = 16_384
START_S = 20.0
LOOK_MS = 20


class OneRecord:
    """Relays one connection to ``target_port``. What the broker says while ``held`` waits for ``let_go``, or its end.

    ``waiting`` is what is held back now; it goes on in one record.
    """

    def __init__(self, pair: Pair, target_port: int) -> None:
        self.held = threading.Event()
        self.let_go = threading.Event()
        self.waiting = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._target_port = target_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="one-record", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._door.close()
        self._thread.join(START_S)

    def _serve(self) -> None:
        self._door.settimeout(START_S)
        opened, _ = self._door.accept()
        opened.settimeout(START_S)
        with (
            self._context.wrap_socket(opened, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self._target_port)) as broker,
        ):
            poll = select.poll()
            for each in (client, broker):
                poll.register(each, select.POLLIN)
            while not self._ended.is_set():
                ready = {number for number, _ in poll.poll(LOOK_MS)}
                if client.fileno() in ready or client.pending():
                    said = client.recv(RECORD)
                    if not said:
                        return
                    broker.sendall(said)
                if broker.fileno() in ready:
                    self.waiting += broker.recv(RECORD - len(self.waiting))
                if self.waiting and (self.let_go.is_set() or not self.held.is_set()):
                    client.sendall(self.waiting)
                    self.let_go.clear()
                    self.waiting = b""
