"""Asks a monitor's API from another process, with nothing but the standard library.

The token goes to this one address: no redirect is followed, and no proxy of the environment is used.
"""

import json
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from node.config.files import FileError, one_line, socket_path

DEFAULT_CONFIG = Path("/etc/alarm-monitor/monitor.toml")
UNIX = "unix:"
"""What an address begins with that is the path of a socket on this machine."""

ANSWER_LIMIT = 16 * 1024 * 1024
PAGE = 500
"""How much of a list is asked for at once: as many of the largest events (16 KiB) keep well within the limit."""

TRIED_S = 2.0
"""How long an address is tried by the other scheme."""

ITS_WORDS = "{detail}"
"""What is said where a monitor itself says why."""

_PORTS = {"http": 80, "https": 443}
_OF_PROXIES = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


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
    ``text`` has its ``values`` yet to be filled in; ``next_step`` is "" where the monitor says none. ``status``: with
    which HTTP status it refuses, 0 where it doesn't: that is for programs, people get the text.
    """

    def __init__(
        self,
        text: str,
        *,
        next_step: str = "",
        away: bool = False,
        denied: bool = False,
        status: int = 0,
        **values: object,
    ) -> None:
        told = text.format(**values)
        super().__init__(f"{told}. Next: {next_step}" if next_step else told)
        self.text, self.next_step, self.values = text, next_step, values
        self.away, self.denied, self.status = away, denied, status


class StrangerError(AskError):
    """The address isn't a monitor's."""


class UntrustedError(AskError):
    """The certificate isn't accepted."""


class NothingError(Exception):
    """The monitor knows no such thing."""


class Api:
    """The monitor's API at ``url``: http:, https:, or ``unix:`` and the path of a socket, which needs no ``token``."""

    def __init__(self, url: str, token: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"} if token else {}
        self._timeout_s = timeout_s
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({}), _NoRedirect()]
        self._base = self.url
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
        headers = self.headers if content is None else {**self.headers, "Content-Type": "application/json"}
        try:
            request = urllib.request.Request(  # noqa: S310 - http and https only: see arguments() and calls.py
                address, content, headers, method=method
            )
            with self._opener.open(request, timeout=self._timeout_s) as response:
                content = response.read(ANSWER_LIMIT)
            return json.loads(content)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        except TimeoutError:
            raise
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise reason from None
            raise self._unreached(reason) from None
        except ValueError:
            raise self._stranger("its answer isn't JSON") from None

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        """What it is that a monitor, or whatever else answers there, says instead of an answer."""
        try:
            problem = json.loads(error.read(ANSWER_LIMIT))
            detail, next_step = str(problem["detail"]), str(problem["next"])
        except (OSError, HTTPException, ValueError, KeyError, TypeError):
            other = self._other_scheme() if error.code == HTTPStatus.BAD_REQUEST else None
            if other is not None:
                return other
            if error.code in _OF_PROXIES:
                return AskError("the proxy at {url} doesn't reach the monitor", away=True, url=self.url)
            return self._stranger("it answers with a page of its own")
        if error.code == HTTPStatus.NOT_FOUND:
            return NothingError()
        return AskError(ITS_WORDS, next_step=next_step, status=error.code, detail=detail)

    def _unreached(self, reason: object) -> AskError:
        if isinstance(reason, PermissionError):
            return AskError("this account may not ask the monitor at {url}", denied=True, url=self.url)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return UntrustedError(
                "the certificate of {url} isn't accepted: {why}",
                next_step="use the host name that is in its certificate, "
                "or set the file with the authority that signed it: SSL_CERT_FILE=FILE",
                url=self.url,
                why=reason.verify_message,
            )
        is_met = isinstance(reason, ssl.SSLError | HTTPException | ConnectionResetError | BrokenPipeError)
        other = self._other_scheme() if is_met else None
        if other is not None:
            return other
        why = (reason.strerror if isinstance(reason, OSError) else None) or reason
        return AskError("the monitor can't be reached at {url}: {why}", away=True, url=self.url, why=why)

    def _stranger(self, why: str) -> AskError:
        step = "name the monitor's own address: --url or ALARM_MONITOR_URL"
        return StrangerError("no alarm-monitor answers at {url}: {why}", next_step=step, url=self.url, why=why)

    def _other_scheme(self) -> AskError | None:
        """That this address speaks http where https is asked for, or the other way round; None where it doesn't."""
        found = urllib.parse.urlsplit(self.url)
        other = {"http": "https", "https": "http"}.get(found.scheme)
        port = found.port or _PORTS.get(found.scheme, 0)
        if other is None or not _speaks(other, found.hostname or "", port, min(TRIED_S, self._timeout_s)):
            return None
        return StrangerError(
            "{address} speaks {other}, and is asked by {scheme}",
            next_step="begin the address with http://, or ask the people who run the monitor for one with https://"
            if other == "http"
            else "begin the address with https://",
            address=found.netloc,
            other=other,
            scheme=found.scheme,
        )

    def items(self, *path: str, **query: str) -> Iterator[Any]:
        """All items of a list, a page in memory at a time."""
        query["limit"] = str(PAGE)
        page = self.get(*path, **query)
        yield from page["items"]
        while page["next"] is not None:
            page = self.get(*path, **query, cursor=page["next"])
            yield from page["items"]


def _speaks(scheme: str, host: str, port: int, within_s: float) -> bool:
    """Whether a server there answers by this scheme. It is told no token, so nothing needs to vouch for it."""
    unproven = ssl._create_unverified_context()  # noqa: S323, SLF001 - as above
    tried = HTTPConnection(host, port, timeout=within_s)
    if scheme == "https":
        tried = HTTPSConnection(host, port, timeout=within_s, context=unproven)
    try:
        tried.request("HEAD", "/healthz")
        tried.getresponse()
    except (OSError, HTTPException):
        return False
    finally:
        tried.close()
    return True


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
