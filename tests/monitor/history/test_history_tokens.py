"""Tokens: made, found, revoked; on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from node.monitor.core.model.records import Role
from node.monitor.errors import TokenNameError
from node.monitor.history.database.connection import Database
from node.monitor.history.tokens import StoredTokens, Token
from tests.support.history import at


class Clock:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.now = at()

    def __call__(self) -> datetime:
        """Now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It stands at the START."""
    return Clock()


@pytest.fixture
def tokens(history_url: str, clock: Clock) -> Iterator[StoredTokens]:
    """No tokens yet."""
    database = Database(history_url)
    yield StoredTokens(database, clock)
    database.close()


def test_a_token_is_found_by_its_secret_alone(tokens: StoredTokens) -> None:
    """Each has its own of 256 bits; another opens nothing, nor does a name."""
    secret, other = tokens.create("guard-desk", Role.RESPONDER), tokens.create("facilities", Role.MANAGER)

    assert tokens.lookup(secret) == Token(name="guard-desk", role=Role.RESPONDER, created_utc=at())
    assert len({secret, other}) == 2
    assert len(secret) >= 43
    assert [tokens.lookup(wrong) for wrong in ("", "guard-desk", secret[:-1], secret.swapcase(), "\ud800")] == [
        None
    ] * 5


def test_no_secret_is_kept(tmp_path: Path) -> None:
    """Whoever reads the database can't come in with what stands there."""
    database = Database(f"sqlite:///{tmp_path}/history.sqlite")
    database.upgrade()

    secret = StoredTokens(database).create("guard-desk", Role.VIEWER)

    database.close()
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_revoked_token_opens_nothing(tokens: StoredTokens, clock: Clock) -> None:
    """From that moment on; its name may be given again, and the old secret still opens nothing."""
    secret = tokens.create("guard-desk", Role.VIEWER)
    clock.now = at(60)

    revoked = [tokens.revoke("guard-desk"), tokens.revoke("guard-desk"), tokens.revoke("nobody")]

    again = tokens.create("guard-desk", Role.MANAGER)
    assert revoked == [True, False, False]
    assert tokens.lookup(secret) is None
    assert tokens.lookup(again) == Token(name="guard-desk", role=Role.MANAGER, created_utc=at(60))
    assert [(token.role, token.revoked_utc) for token in tokens.list()] == [
        (Role.VIEWER, at(60)),
        (Role.MANAGER, None),
    ]


def test_a_name_is_given_once(tokens: StoredTokens) -> None:
    """Otherwise nobody would know which of the two to revoke."""
    secret = tokens.create("guard-desk", Role.VIEWER)

    with pytest.raises(TokenNameError, match=r"^E030 there is already a token guard-desk. Next: "):
        tokens.create("guard-desk", Role.MANAGER)

    assert [token.role for token in tokens.list()] == [Role.VIEWER]
    assert tokens.lookup(secret) is not None


def test_when_a_token_was_used_is_known_to_the_hour(tokens: StoredTokens, clock: Clock) -> None:
    """Not each use is a write; and a clock that was ahead isn't believed for ever."""
    secret = tokens.create("guard-desk", Role.VIEWER)
    used = []

    for seconds in (100, 200, 3_800, -7_200):
        clock.now = at(seconds)
        tokens.lookup(secret)
        used.append(tokens.list()[0].used_utc)

    assert used == [at(100), at(100), at(3_800), at(-7_200)]
