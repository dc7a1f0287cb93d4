"""Who may come in: bearer tokens, compared by their hash alone, and the slowness that meets wrong ones.

1. A right token is never held up or refused for somebody else's wrong ones: a stranger must not lock a desk out.
2. A token that was right lately is let in while the history can't be read: guards look most when something is broken.
   One that was revoked is refused as soon as the history says so.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers

from node.monitor.model import Role
from node.monitor.web.call import Reader
from node.monitor.web.problems import ProblemError
from node.monitor.web.reading import Token, Tokens

SLOW_S = 1.0
"""How long a wrong token waits for its refusal."""

SLOWED = 16
"""How many wait at once; whoever is wrong beyond that is told to come later, and holds no memory meanwhile."""

LATELY_S = 24 * 3600.0
LOOKUP_S = 2.0

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]{16,256}=*)", re.IGNORECASE)
_HOW = "send Authorization: Bearer SECRET; a manager of the monitor makes one: alarm-monitor token create"

log = logging.getLogger(__name__)


class Door:
    """Lets in who has a token. ``refused`` counts wrong ones since the start."""

    def __init__(self, tokens: Tokens, slow_s: float = SLOW_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.refused = 0
        self._tokens = tokens
        self._read = Reader(threads=4, within_s=LOOKUP_S)
        self._slow_s = slow_s
        self._clock = clock
        self._slowed = 0
        self._right: dict[bytes, tuple[float, Token]] = {}

    async def admit(self, headers: Headers, needed: Role) -> Token:
        """The token that these headers bring; ProblemError where there is none, a wrong one, or one that may not."""
        sent = headers.getlist("authorization")
        if not sent:
            raise _unauthorised("this needs a token")
        told = _BEARER.fullmatch(sent[0]) if len(sent) == 1 else None
        token = await self._lookup(told[1]) if told is not None else None
        if token is None:
            await self._slow()
            raise _unauthorised("this token isn't known, or was revoked")
        if not token.role.may(needed):
            raise ProblemError(
                HTTPStatus.FORBIDDEN, f"the token {token.name} may not: it is a {token.role}", f"use one of a {needed}"
            )
        return token

    async def _lookup(self, secret: str) -> Token | None:
        key = hashlib.sha256(secret.encode()).digest()
        try:
            token = await self._read(self._tokens.lookup, secret)
        except ProblemError:
            right = self._right.get(key)
            if right is None or self._clock() - right[0] > LATELY_S:
                raise
            return right[1]
        self._right.pop(key, None)
        if token is not None:
            self._right[key] = self._clock(), token
        return token

    async def _slow(self) -> None:
        self.refused += 1
        if self._slowed >= SLOWED:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many wrong tokens at once",
                "wait, then try again",
                {"Retry-After": "5"},
            )
        if self._slowed == 0:
            log.warning("a wrong or revoked token was refused; %d since the start", self.refused)
        self._slowed += 1
        try:
            await asyncio.sleep(self._slow_s)
        finally:
            self._slowed -= 1


def _unauthorised(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, _HOW, {"WWW-Authenticate": "Bearer"})
