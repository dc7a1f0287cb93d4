"""Deliberate defects of the building's monitor."""

from collections.abc import Callable
from typing import Any


def _receipt_before_the_store() -> None:
    """A receipt goes out as soon as an event is heard."""
    from node.monitor.core.nodes.events.receipts import Receipts  # noqa: PLC0415

    take = Receipts.take

    def take_and_confirm(self: Any, now: Any, key: Any, event: Any) -> None:
        take(self, now, key, event)
        self.say(key)

    Receipts.take = take_and_confirm  # type: ignore[method-assign]


def _tell_before_the_claim() -> None:
    """What is told is claimed only once it was told: nothing holds another one back, or knows of it after a kill."""
    from sqlalchemy import update  # noqa: PLC0415

    from node.monitor.history.outbox.database_outbox import StoredOutbox  # noqa: PLC0415
    from node.monitor.history.schema.tables import deliveries  # noqa: PLC0415

    claim, settle = StoredOutbox.claim, StoredOutbox.settle
    told: dict[str, list[int]] = {}

    def write(self: Any, ids: list[int], **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(**values))

    def only_look(self: Any, *arguments: Any, **named: Any) -> Any:
        found = claim(self, *arguments, **named)
        if found is not None:
            told[found.id] = [each.id for each in found.deliveries]
            write(self, told[found.id], claim=None, claimed_by=None, claimed_utc=None)
        return found

    def claim_and_settle(self: Any, name: str, *arguments: Any, **named: Any) -> None:
        write(self, told.pop(name, []), claim=name)
        settle(self, name, *arguments, **named)

    StoredOutbox.claim = only_look  # type: ignore[method-assign]
    StoredOutbox.settle = claim_and_settle  # type: ignore[method-assign, assignment]


def _memory_not_loaded() -> None:
    """A start knows nothing of what was open before."""
    from node.monitor.history.history import History, Remembered  # noqa: PLC0415

    History.remember = lambda self, at_utc: Remembered()  # type: ignore[method-assign]


def _told_before_a_target_took_it() -> None:
    """That people were told is said as soon as a message is sent, whatever the other side answers."""
    from node.monitor.notify.worker import Worker  # noqa: PLC0415

    tell = Worker._tell  # noqa: SLF001

    def tell_too_soon(self: Any, claim: Any, lease: Any) -> None:
        self._health.worked(each.notice for each in claim.deliveries)
        tell(self, claim, lease)

    Worker._tell = tell_too_soon  # type: ignore[method-assign]  # noqa: SLF001


DEFECTS: dict[str, Callable[[], None]] = {
    "receipt-before-the-store": _receipt_before_the_store,
    "tell-before-the-claim": _tell_before_the_claim,
    "memory-not-loaded": _memory_not_loaded,
    "told-before-a-target-took-it": _told_before_a_target_took_it,
}
"""What switches each of them on, by its name."""
