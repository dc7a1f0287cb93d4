"""The routes: /healthz, /metrics and the API, all checked in one place before any of them does anything."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.config.brokers import is_loopback
from node.monitor.api.auth import SLOW_S, Authentication, TokenAuthentication
from node.monitor.api.metrics import Metrics
from node.monitor.api.openapi import document
from node.monitor.api.operations.operation import STALLED_S, Call, Nothing, Operation, Reader, Sources
from node.monitor.api.operations.operation_table import OPERATIONS, PREFIX
from node.monitor.api.problems import ProblemError
from node.monitor.core.model.records import Role

BODY_LIMIT = 16 * 1024
QUERY_LIMIT = 4 * 1024
READING_S = 10.0
"""How long the history may take: what needs no disk isn't held up meanwhile."""

_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)
_API = "read what there is in /api/v1/openapi.json"
_INT = frozenset({"limit"})


def create_app(
    sources: Sources,
    *,
    authentication: Authentication | None = None,
    open_metrics: bool = False,
    slow_s: float = SLOW_S,
) -> Starlette:
    """The application. ``authentication`` None: a TokenAuthentication for the tokens of ``sources``.

    ``open_metrics``: who asks on this machine needs no token for /metrics; for a server that listens on loopback only.
    """
    read = Reader(threads=4, within_s=READING_S)
    # One at a time: ten thousand nodes are a second's work, which nobody else's reading should wait for.
    collect = Reader(threads=1, within_s=READING_S)
    tokens = TokenAuthentication(sources.tokens, slow_s)
    authentication = authentication or tokens
    metrics = Metrics(sources, lambda: tokens.refused)

    async def healthz(_request: Request) -> Response:
        word = health(sources)
        return PlainTextResponse(f"{word}\n", HTTPStatus.OK if word == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)

    async def show_metrics(request: Request) -> Response:
        if not (open_metrics and _asks_for_this_machine(request)):
            await authentication.admit(request, Role.VIEWER)
        content, media_type = await collect(metrics.text, request.headers.get("accept", ""))
        return Response(content, media_type=media_type)

    async def show_document(request: Request) -> Response:
        await authentication.admit(request, Role.VIEWER)
        return Response(document(sources.view().version), media_type="application/json")

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/metrics", show_metrics),
            Route(f"{PREFIX}/openapi.json", show_document),
            *_routes(sources, authentication, read),
        ],
        middleware=[Middleware(_Headers)],
        exception_handlers={ProblemError: _problem, HTTPException: _refused, Exception: _mistake},
        max_body_size=BODY_LIMIT,
    )
    app.router.redirect_slashes = False
    return app


def health(sources: Sources) -> str:
    """``ok``, or one word for what is wrong with the monitor itself, the worst first."""
    if sources.age_s() > STALLED_S:
        return "stalled"
    view = sources.view()
    if view.blind:
        return "blind"
    return "ok" if view.history_ok else "history"


def _asks_for_this_machine(request: Request) -> bool:
    """Whether it was sent to a loopback name: a browser that a stranger's name led here (DNS rebinding) says that."""
    try:
        return is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname or "")
    except ValueError:
        return False


def _routes(sources: Sources, authentication: Authentication, read: Reader) -> list[Route]:
    by_route: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_route.setdefault(operation.route, {})[operation.method] = operation
    return [
        Route(f"{PREFIX}{route}", _endpoint(sources, authentication, read, operations), methods=list(operations))
        for route, operations in by_route.items()
    ]


def _endpoint(
    sources: Sources, authentication: Authentication, read: Reader, operations: Mapping[str, Operation]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        operation = operations["GET" if request.method == "HEAD" else request.method]
        token = await authentication.admit(request, operation.role)
        call = Call(
            path=_path(request.path_params, operation.path),
            query=_query(request, operation.query),
            body=await _body(request, operation.body),
            by=token.name,
            read=read,
        )
        answer = await operation.handle(sources, call)
        return Response(msgspec.json.encode(answer), operation.status, media_type="application/json")

    return endpoint


def _path(told: Mapping[str, Any], kind: type[Struct]) -> Struct:
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"the request is invalid: {error}", _API) from None


def _query(request: Request, kind: type[Struct]) -> Struct:
    if len(request.url.query) > QUERY_LIMIT:
        raise ProblemError(HTTPStatus.REQUEST_URI_TOO_LONG, f"the query is longer than {QUERY_LIMIT} bytes", _API)
    pairs = request.query_params.multi_items()
    told: dict[str, Any] = dict(pairs)
    if len(told) < len(pairs):
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "the query names something twice", _API)
    for name in _INT & told.keys():
        # Not by int(): that takes spaces, signs, other scripts' digits.
        told[name] = int(told[name]) if told[name].isascii() and told[name].isdigit() else told[name]
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the query: {error}", _API) from None


async def _body(request: Request, kind: type[Struct]) -> Struct:
    content = await request.body()
    if not content and kind is Nothing:
        return Nothing()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body isn't JSON", "send Content-Type: application/json"
        )
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"the body: {error}", _API) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body isn't JSON: {error}", _API) from None


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - it is registered for these alone
    return error.response()


async def _refused(_request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: an unknown path, a wrong method, a body that is too long."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    status = HTTPStatus(error.status_code)
    return ProblemError(status, status.description or status.phrase, _API, error.headers or {}).response()


async def _mistake(_request: Request, _error: Exception) -> Response:
    return ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "a mistake in the monitor's program",
        "look into its log, and report it: journalctl -u alarm-monitor",
    ).response()


class _Headers:
    """Gives each response the headers that keep a browser from storing, guessing and framing it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with if scope["type"] == "http" else send)
