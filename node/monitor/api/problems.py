"""What the API says where it can't do what was asked: problem+json (RFC 9457) with the next step to take."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import msgspec
from msgspec import Struct
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Struct, frozen=True, kw_only=True, rename={"next_step": "next"}):
    """A problem: ``title`` is the status in words, ``detail`` what happened, ``next`` what to do."""

    status: int
    title: str
    detail: str
    next_step: str
    type: str = "about:blank"


class ProblemError(Exception):
    """What was asked ends with this status, and these headers besides."""

    def __init__(
        self, status: HTTPStatus, detail: str, next_step: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.next_step = next_step
        self.headers = headers

    def response(self) -> Response:
        """As it is sent."""
        told = Problem(status=self.status.value, title=self.status.phrase, detail=self.detail, next_step=self.next_step)
        return Response(msgspec.json.encode(told), self.status.value, headers=dict(self.headers), media_type=MEDIA_TYPE)
