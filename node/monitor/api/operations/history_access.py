"""What the web needs of the history and of the tokens; who starts it hands both over.

Each may wait for a disk or for another machine, so both are asked on threads of their own. Both raise AlarmNodeError
where the history can't be read.
"""

from collections.abc import Sequence
from typing import Protocol

from node.monitor.core.model.records import ButtonTest, Flip, HeardEvent, IncidentRecord, PastFinding, Role
from node.monitor.core.model.requests import RecordFilter


class Reading(Protocol):
    """The history, newest first, a page at a time.

    Each returns at most ``limit`` records, and the cursor for those after them, None at the end. A cursor has the
    letters of ``paging.Cursor``; one that this history never gave raises ValueError.
    """

    def events(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[HeardEvent], str | None]:
        """Events."""

    def incidents(
        self, which: RecordFilter, limit: int, cursor: str | None
    ) -> tuple[Sequence[IncidentRecord], str | None]:
        """Incidents, the open ones too; by ``site``, ``node``, ``input`` and time."""

    def flips(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[Flip], str | None]:
        """Changes of a node's status; by ``site``, ``node`` and time."""

    def tests(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[ButtonTest], str | None]:
        """Tests of buttons; by ``site``, ``node``, ``input`` and time."""

    def findings(self, which: RecordFilter, limit: int, cursor: str | None) -> tuple[Sequence[PastFinding], str | None]:
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
