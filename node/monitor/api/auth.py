"""Authenticates requests: bearer tokens, compared by their hash, and a delay for wrong ones.

1. The answer to a wrong token is delayed. While many of one sender are delayed, no other unknown token of that sender
   is checked. Other senders aren't delayed, and neither is a token of that sender that was valid lately, because many
   desks may share a proxy's address.
2. A token that was valid lately is accepted while the history can't be read: guards need the view most during an
   outage. A revoked token is refused as soon as the history shows that.
"""

import asyncio
import hashlib
import ipaddress
import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from starlette.requests import Request

from node.monitor.api.operations.history_access import Token, Tokens
from node.monitor.api.operations.operation import Reader
from node.monitor.api.problems import ProblemError
from node.monitor.core.model.records import Role

SLOW_S = 1.0
"""How long a wrong token waits for its refusal."""

SLOWED = 16
"""How many of one sender wait at once; beyond that it is told to come later, and holds no memory meanwhile."""

ADMITTED = "admitted"
"""What a connection has in its state: to be called once somebody on it has been let in."""

LATELY_S = 24 * 3600.0
LOOKUP_S = 2.0

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]{16,256}=*)", re.IGNORECASE)
_HOW = "send Authorization: Bearer SECRET; a manager of the monitor makes one: sudo alarm-monitor token create NAME"

log = logging.getLogger(__name__)


class Authentication(Protocol):
    """Lets in who may."""

    async def admit(self, request: Request, needed: Role) -> Token:
        """Who asks; ProblemError where nobody does who may."""


@dataclass(frozen=True, slots=True)
class LocalAuthentication:
    """Lets everybody in, as the manager of this name: for a socket that only root and the monitor's account reach."""

    name: str
    role: Role = Role.MANAGER

    async def admit(self, request: Request, needed: Role) -> Token:
        """As Authentication."""
        _let_in(request)
        return self


class TokenAuthentication:
    """Lets in who has a token. ``refused`` counts wrong ones since the start."""

    def __init__(self, tokens: Tokens, slow_s: float = SLOW_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.refused = 0
        self._tokens = tokens
        # Those that were right lately don't wait behind others, of which there may be very many.
        self._read_known = Reader(threads=2, within_s=LOOKUP_S)
        self._read_other = Reader(threads=2, within_s=LOOKUP_S)
        self._slow_s = slow_s
        self._clock = clock
        self._slowed: Counter[str] = Counter()
        self._right: dict[bytes, tuple[float, Token]] = {}

    async def admit(self, request: Request, needed: Role) -> Token:
        """The token that a request brings; ProblemError where there is none, a wrong one, or one that may not."""
        sent = request.headers.getlist("authorization")
        if not sent:
            raise _unauthorised("this needs a token")
        told = _BEARER.fullmatch(sent[0]) if len(sent) == 1 else None
        sender = sender_of(request.client)
        token = await self._lookup(told[1], sender) if told is not None else None
        if token is None:
            await self._slow(sender)
            raise _unauthorised("this token isn't known, or was revoked")
        if not token.role.may(needed):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"this needs the role {needed}, but the token {token.name} has the role {token.role}",
                "ask the people who run the monitor for a token with that role, and name it with --token-file: "
                f"sudo alarm-monitor token create NAME --role {needed}",
            )
        _let_in(request)
        return token

    async def _lookup(self, secret: str, sender: str) -> Token | None:
        key = hashlib.sha256(secret.encode()).digest()
        right = self._right.get(key)
        if right is None and self._slowed[sender] >= SLOWED:
            return None
        read = self._read_other if right is None else self._read_known
        try:
            token = await read(self._tokens.lookup, secret)
        except ProblemError:
            if right is None or self._clock() - right[0] > LATELY_S:
                raise
            return right[1]
        self._right.pop(key, None)
        if token is not None:
            self._right[key] = self._clock(), token
        return token

    async def _slow(self, sender: str) -> None:
        self.refused += 1
        if self._slowed[sender] >= SLOWED:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many wrong tokens at once",
                "wait, then try again",
                {"Retry-After": "5"},
            )
        if not self._slowed.total():
            log.warning("a wrong or revoked token was refused; %d since the start", self.refused)
        self._slowed[sender] += 1
        try:
            await asyncio.sleep(self._slow_s)
        finally:
            self._slowed[sender] -= 1
            if not self._slowed[sender]:
                del self._slowed[sender]


def sender_of(client: tuple[str, int] | None) -> str:
    """Whose request it is: the address, or of IPv6 the network, in which one machine may have any number of them.

    Over a socket of this machine there is none: "".
    """
    if client is None:
        return ""
    host = client[0].partition("%")[0]
    return str(ipaddress.ip_network(f"{host}/64", strict=False)) if ":" in host else host


def _let_in(request: Request) -> None:
    admitted: Callable[[], None] = request.scope["state"][ADMITTED]
    admitted()


def _unauthorised(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, _HOW, {"WWW-Authenticate": "Bearer"})
