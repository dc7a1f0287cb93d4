"""The monitor's API, asked through the socket for commands on this machine."""

import socket
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from node.config.files import socket_path

ANSWER_S = 40.0
"""Longer than the monitor itself waits for a node's answer."""

T = TypeVar("T")


class Items(msgspec.Struct, Generic[T]):
    """A list, as the API answers it."""

    items: list[T]


class _Problem(msgspec.Struct):
    detail: str = "no reason given"


class RequestError(Exception):
    """The monitor didn't do it or didn't answer; the text says why. ``by_node``: it asked the node, which refused."""

    def __init__(self, reason: str, *, by_node: bool = False) -> None:
        super().__init__(reason)
        self.by_node = by_node


class MonitorApi:
    """Each request has a connection of its own, so any thread may ask. ``path``: the monitor's socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        """The answer, as ``kind``. Raises RequestError."""
        connection = HTTPConnection("localhost", timeout=ANSWER_S)
        content = None if body is None else msgspec.json.encode(body)
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(ANSWER_S)
            with socket_path(self._path) as name:
                connection.sock.connect(name)
            connection.request(method, f"/api/v1/{path}", content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status >= HTTPStatus.BAD_REQUEST:
                reason = msgspec.json.decode(answer, type=_Problem).detail
                raise RequestError(reason, by_node=response.status == HTTPStatus.CONFLICT)
            return msgspec.json.decode(answer, type=kind)
        except (OSError, HTTPException, msgspec.MsgspecError) as problem:
            raise RequestError(f"the monitor doesn't answer ({problem})") from problem
        finally:
            connection.close()
