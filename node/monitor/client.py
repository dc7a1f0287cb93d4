"""Asks a running monitor over its API, as any tool of facilities does; for the commands."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from node.errors import AlarmNodeError

ANSWER_S = 40.0
"""Beyond the longest time that the monitor itself waits for a node's answer."""

ANSWER_LIMIT = 64 * 1024 * 1024
PAGE = 1000


class ApiError(AlarmNodeError):
    """The monitor can't be asked, or refuses."""

    code = "E031"


class Client:
    """The monitor at ``host:port``, asked with the token that ``token_file`` holds."""

    def __init__(self, host: str, port: int, token_file: Path) -> None:
        self._host = host
        self._port = port
        self._token_file = token_file

    def get(self, path: str, **query: str | int | None) -> Any:
        """What a GET of this path below /api/v1 says. Raises ApiError."""
        wanted = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(wanted)}" if wanted else path)

    def items(self, path: str, **query: str | int | None) -> Iterator[Any]:
        """All items of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask for something to be done."""
        return self._call("POST", path, body or {})

    def delete(self, path: str) -> Any:
        """End something."""
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}
        content = None
        if body:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)
        try:
            connection.request(method, f"/api/v1{path}", content, headers)
            response = connection.getresponse()
            answer = json.loads(response.read(ANSWER_LIMIT))
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise ApiError(
                f"no monitor answers at {self._host}:{self._port} ({problem})",
                "start it (systemctl start alarm-monitor), or name its configuration with --config",
            ) from problem
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(str(answer.get("detail") or answer.get("title")), _next_step(answer))
        return answer

    def _token(self) -> str:
        try:
            return self._token_file.read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise ApiError(
                f"the token in {self._token_file} can't be read ({problem.strerror})",
                "run this as root or as the monitor's account, or name a token's file with --token-file",
            ) from problem


def path_of(*parts: str) -> str:
    """A path of these parts, whatever letters they have."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _next_step(answer: dict[str, Any]) -> str:
    told = answer.get("next") or answer.get("next_step") or "see the monitor's log"
    return str(told).rstrip(".")
