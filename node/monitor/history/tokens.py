"""Tokens: who may ask what by the API. A secret is shown once, when it is made. Only its SHA-256 is kept.

256 random bits can't be guessed or tried out, so a plain hash is enough. The time that a lookup by the hash takes
reveals nothing.
"""

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from node.monitor.core.model.records import Role
from node.monitor.errors import HistoryError, TokenNameError
from node.monitor.history.database.connection import Database
from node.monitor.history.schema.rows import made
from node.monitor.history.schema.tables import tokens

_USED_EVERY = timedelta(hours=1)


class Token(Struct, frozen=True, kw_only=True):
    """A token without its secret. ``used_utc`` is right to the hour. A revoked token gives no access."""

    name: str
    role: Role
    created_utc: datetime
    used_utc: datetime | None = None
    revoked_utc: datetime | None = None


class StoredTokens:
    """The tokens in ``database``. ``now`` is the wall clock. Every method raises HistoryError."""

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database, self._now = database, now

    def create(self, name: str, role: Role) -> str:
        """Make a token, and return its secret. Raises TokenNameError if a valid token has this name."""
        secret = secrets.token_urlsafe(32)
        row = {"name": name, "role": role.value, "sha256": _hashed(secret), "created_utc": self._now()}
        with self._database.writing() as connection:
            try:
                connection.execute(tokens.insert(), row)
            except IntegrityError:
                raise TokenNameError(
                    f"there is already a token {name}", f"take another name, or: alarm-monitor token revoke {name}"
                ) from None
        return secret

    def lookup(self, secret: str) -> Token | None:
        """The token with this secret; None if there is none, or if it is revoked."""
        is_valid = (tokens.c.sha256 == _hashed(secret)) & tokens.c.revoked_utc.is_(None)
        with self._database.reading() as connection:
            row = connection.execute(select(tokens).where(is_valid)).mappings().first()
        if row is None:
            return None
        found, now = made(Token, row), self._now()
        if found.used_utc is None or abs(now - found.used_utc) >= _USED_EVERY:
            with suppress(HistoryError), self._database.writing() as connection:  # the answer doesn't depend on it
                connection.execute(update(tokens).where(is_valid).values(used_utc=now))
        return found

    def revoke(self, name: str) -> bool:
        """Revoke the token of this name. False if there is no valid one."""
        is_valid = (tokens.c.name == name) & tokens.c.revoked_utc.is_(None)
        with self._database.writing() as connection:
            return connection.execute(update(tokens).where(is_valid).values(revoked_utc=self._now())).rowcount == 1

    def list(self) -> tuple[Token, ...]:
        """All tokens in the order in which they were made, also revoked ones."""
        with self._database.reading() as connection:
            return tuple(
                made(Token, row) for row in connection.execute(select(tokens).order_by(tokens.c.id)).mappings()
            )


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
