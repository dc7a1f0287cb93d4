"""The history: what happened in the building, what is open, and what people still have to be told, in one database."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

from node.monitor.core.decisions.batch import Batch, Refused, Remembered, Stored, StoreFailed, StoreRecovered
from node.monitor.core.model.monitor_settings import Retention
from node.monitor.errors import HistoryUrlError
from node.monitor.history.database.connection import Database
from node.monitor.history.outbox.database_outbox import StoredOutbox
from node.monitor.history.queries import StoredReading
from node.monitor.history.retention import MUTE, newest_heard, prune
from node.monitor.history.store.startup import remember
from node.monitor.history.store.store_batch import TargetsOf, store
from node.monitor.history.tokens import StoredTokens

__all__ = ["Batch", "History", "Refused", "Remembered", "StoreFailed", "StoreRecovered", "Stored"]


class History:
    """The history in the database at ``url``. Any thread may use it. Every method raises HistoryError.

    ``targets_of`` returns the names of the targets that are told a notice. ``outbox`` holds the deliveries that people
    still have to be told, ``reading`` is for queries, ``tokens`` says who may call the API. ``clock`` replaces the
    database's clock, ``steady`` this process's (monotonic seconds). ``problem``: why there is no address.
    """

    def __init__(
        self,
        url: str,
        targets_of: TargetsOf = lambda _notice: (),
        clock: Callable[[], datetime] | None = None,
        steady: Callable[[], float] = monotonic,
        *,
        problem: HistoryUrlError | None = None,
    ) -> None:
        self._database = Database(url, problem)
        self._targets_of = targets_of
        self.outbox = StoredOutbox(self._database, clock, steady)
        self.reading = StoredReading(self._database)
        self.tokens = StoredTokens(self._database)

    def upgrade(self) -> None:
        """Upgrade the history to this version; only the monitor itself does that."""
        self._database.upgrade()

    def check(self) -> None:
        """Check the version for a program that only reads. Raises HistoryOlderError and HistoryNewerError."""
        self._database.check()

    def remember(self, at_utc: datetime) -> Remembered:
        """Everything that a start at ``at_utc`` must know."""
        with self._database.reading() as connection:
            return remember(connection, at_utc)

    def store(self, batch: Batch) -> Stored:
        """Store a batch. When this returns, it is on the disk."""
        return self.store_all((batch,))[0]

    def store_all(self, batches: Sequence[Batch]) -> tuple[Stored, ...]:
        """Store batches as if one after the other, and return each result. All are on the disk then, or none."""
        with self._database.writing() as connection:
            return store(connection, batches, self._targets_of)

    def prune(self, at_utc: datetime, retention: Retention) -> dict[str, int]:
        """Delete what is older than ``retention`` allows at ``at_utc``. Returns how many rows of each table went."""
        return prune(self._database, at_utc, retention)

    def may_prune(self, at_utc: datetime) -> bool:
        """Whether ``at_utc`` can be right. If nothing was heard for ``MUTE`` before it, the clock is wrong."""
        with self._database.reading() as connection:
            newest = newest_heard(connection)
        return newest is None or at_utc - newest <= MUTE

    def close(self) -> None:
        """Close the database."""
        self._database.close()
