<<<<<<< HEAD
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
=======
"""Asks a monitor's API from another process, with nothing but the standard library.

The token goes to this one address: no redirect is followed, and no proxy of the environment is used.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

ANSWER_LIMIT = 16 * 1024 * 1024


class AskError(Exception):
    """The monitor can't be asked, or doesn't answer as it should; ``away`` where it isn't there at all."""

    def __init__(self, text: str, *, away: bool = False) -> None:
        super().__init__(text)
        self.away = away


class NothingError(Exception):
    """The monitor knows no such thing."""


class Api:
    """The monitor's API at this address."""

    def __init__(self, url: str, token: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"} if token else {}
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def get(self, *path: str, **query: str) -> Any:
        """What it answers."""
        quoted = "/".join(urllib.parse.quote(part, safe="") for part in path)
        address = f"{self._url}/api/v1/{quoted}?{urllib.parse.urlencode(query)}".removesuffix("?")
        try:
            request = urllib.request.Request(address, headers=self._headers)  # noqa: S310 - see arguments()
            with self._opener.open(request, timeout=self._timeout_s) as response:
                content = response.read(ANSWER_LIMIT)
            return json.loads(content)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    raise NothingError from None
                raise AskError(_refusal(error)) from None
        except TimeoutError:
            raise
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise reason from None
            raise AskError(f"the monitor can't be reached at {self._url}: {reason}", away=True) from None
        except ValueError as error:
            raise AskError(f"no alarm-monitor answers at {self._url}: {error}") from None

    def items(self, path: str, **query: str) -> Iterator[Any]:
        """All items of a list, page by page."""
        page = self.get(path, limit="1000", **query)
        yield from page["items"]
        while page["next"] is not None:
            page = self.get(path, limit="1000", cursor=page["next"], **query)
            yield from page["items"]


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read(ANSWER_LIMIT))
        return f"the monitor says {error.code}: {problem['detail']}. Next: {problem['next']}"
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return f"the monitor says {error.code} {error.reason}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow none: what answers with one becomes a refusal."""
>>>>>>> cba9994 (monitor: Tell Nagios, Icinga and Checkmk by a plugin)
