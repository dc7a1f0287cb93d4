"""What the web needs of the history and of the tokens; who starts it hands both over.

Each may wait for a disk or for another machine, so both are asked on threads of their own. Both raise AlarmNodeError
where the history can't be read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from node.monitor.core.model.records import ButtonTest, Flip, HeardEvent, IncidentRecord, PastFinding, Role


class Which(Struct, frozen=True, kw_only=True):
    """Which records are wanted: those that agree with all that isn't None.

    From ``since_utc`` on and before ``until_utc``, by when an event or a press was heard, an incident or a finding
    raised (or something came of it since), a status changed. ``kind`` is an event's or, of findings, the code,
    ``incident`` a node's own ``<boot>-<seq>``.
    """

    site: str | None = None
    node: str | None = None
    input: str | None = None
    kind: str | None = None
    incident: str | None = None
    since_utc: datetime | None = None
    until_utc: datetime | None = None


class Reading(Protocol):
    """The history, newest first, a page at a time.

    Each returns at most ``limit`` records, and the cursor for those after them, None at the end. A cursor has the
    letters of ``paging.Cursor``; one that this history never gave raises ValueError.
    """

    def events(self, which: Which, limit: int, cursor: str | None) -> tuple[Sequence[HeardEvent], str | None]:
        """Events."""

    def incidents(self, which: Which, limit: int, cursor: str | None) -> tuple[Sequence[IncidentRecord], str | None]:
        """Incidents, the open ones too; by ``site``, ``node``, ``input`` and time."""

    def flips(self, which: Which, limit: int, cursor: str | None) -> tuple[Sequence[Flip], str | None]:
        """Changes of a node's status; by ``site``, ``node`` and time."""

    def tests(self, which: Which, limit: int, cursor: str | None) -> tuple[Sequence[ButtonTest], str | None]:
        """Tests of buttons; by ``site``, ``node``, ``input`` and time."""

    def findings(self, which: Which, limit: int, cursor: str | None) -> tuple[Sequence[PastFinding], str | None]:
        """Findings, the open ones too; by ``site``, ``node``, ``kind`` and time."""


class Token(Protocol):
    """Who asks: ``name`` is a role's or a desk's, an id ("guard-desk"), never a person's."""

    @property
    def name(self) -> str:
        """Said as ``by`` of what is asked with it."""

    @property
    def role(self) -> Role:
        """What it may do."""


class Tokens(Protocol):
    """The tokens that were given out."""

    def lookup(self, secret: str) -> Token | None:
        """Whose secret this is, found by its hash; None where it is nobody's or revoked."""
