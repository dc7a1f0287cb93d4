"""Asks a monitor's API from another process, with nothing but the standard library.

The token goes to this one address: no redirect is followed, and no proxy of the environment is used.
"""

import json
import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from node.files import FileError, one_line, socket_path

UNIX = "unix:"
"""What an address begins with that is the path of a socket on this machine."""

ANSWER_LIMIT = 16 * 1024 * 1024
PAGE = 500
"""How much of a list is asked for at once: as many of the largest events (16 KiB) keep well within the limit."""


def address(text: str) -> str:
    """The whole address of a monitor that this means; ValueError where it means none."""
    found = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
    usable = found.scheme in {"http", "https"} and found.hostname and not (found.query or found.fragment)
    if not usable or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError(text)
    return found.geturl()


def read_token(file: Path) -> str:
    """The token that this file holds on its one line. Raises FileError."""
    token = one_line(file.absolute(), "token").strip()
    if re.fullmatch(rb"[\x21-\x7e]+", token) is None:
        raise FileError(file, "holds no token: copy the line that alarm-monitor token create printed")
    return token.decode("ascii")


class AskError(Exception):
    """The monitor can't be asked, or doesn't answer as it should.

    ``away``: it isn't there at all; ``denied``: it may be, and this account can't open its socket.
    ``text`` has its ``values`` yet to be filled in; ``next_step`` is "" where the monitor says none.
    """

    def __init__(
        self, text: str, *, next_step: str = "", away: bool = False, denied: bool = False, **values: object
    ) -> None:
        told = text.format(**values)
        super().__init__(f"{told}. Next: {next_step}" if next_step else told)
        self.text, self.next_step, self.values = text, next_step, values
        self.away, self.denied = away, denied


class NothingError(Exception):
    """The monitor knows no such thing."""


class Api:
    """The monitor's API at ``url``: http:, https:, or ``unix:`` and the path of a socket, which needs no ``token``."""

    def __init__(self, url: str, token: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"} if token else {}
        self._timeout_s = timeout_s
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({}), _NoRedirect()]
        self._base = self._url
        if url.startswith(UNIX):
            self._base = "http://localhost"
            handlers.append(_OnThisMachine(url.removeprefix(UNIX)))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, *path: str, **query: str) -> Any:
        """What it answers."""
        return self.call("GET", *path, query=query)

    def call(
        self,
        method: str,
        *path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        """Ask for something to be done; what it answers."""
        quoted = "/".join(urllib.parse.quote(part, safe="") for part in path)
        address = f"{self._base}/api/v1/{quoted}?{urllib.parse.urlencode(query)}".removesuffix("?")
        content = None if body is None else json.dumps(body).encode()
        headers = self._headers if content is None else {**self._headers, "Content-Type": "application/json"}
        try:
            request = urllib.request.Request(  # noqa: S310 - http and https only: see arguments() and commanding.py
                address, content, headers, method=method
            )
            with self._opener.open(request, timeout=self._timeout_s) as response:
                content = response.read(ANSWER_LIMIT)
            return json.loads(content)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    raise NothingError from None
                raise _refusal(error) from None
        except TimeoutError:
            raise
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise reason from None
            if isinstance(reason, PermissionError):
                raise AskError("this account may not ask the monitor at {url}", denied=True, url=self._url) from None
            why = (reason.strerror if isinstance(reason, OSError) else None) or reason
            raise AskError("the monitor can't be reached at {url}: {why}", away=True, url=self._url, why=why) from None
        except ValueError as error:
            raise AskError("no alarm-monitor answers at {url}: {why}", url=self._url, why=error) from None

    def items(self, *path: str, **query: str) -> Iterator[Any]:
        """All items of a list, a page in memory at a time."""
        query["limit"] = str(PAGE)
        page = self.get(*path, **query)
        yield from page["items"]
        while page["next"] is not None:
            page = self.get(*path, **query, cursor=page["next"])
            yield from page["items"]


def _refusal(error: urllib.error.HTTPError) -> AskError:
    try:
        problem = json.loads(error.read(ANSWER_LIMIT))
        detail, next_step = str(problem["detail"]), str(problem["next"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        detail, next_step = error.reason, ""
    return AskError("the monitor says {status}: {detail}", next_step=next_step, status=error.code, detail=detail)


class _OnThisMachine(urllib.request.HTTPHandler):
    """Every address is the socket at this path."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        """As urllib's own."""
        return self.do_open(partial(_UnixConnection, path=self._path), req)


class _UnixConnection(HTTPConnection):
    def __init__(self, host: str, *, path: str, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """To the socket, whatever the host is called."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with socket_path(Path(self._path)) as name:
            self.sock.connect(name)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow none: what answers with one becomes a refusal."""
