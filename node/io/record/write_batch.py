"""The items that wait for the writer."""

from msgspec import Struct, field

from node.core.model import Key
from node.io.record.record_file import Row


class Batch(Struct):
    """The items that wait, oldest first. Of snapshots and requests (``known``) only the newest counts.

    ``taken``: what only a broker took waits for a monitor again. ``steps``: when the call of an event reached which
    step. They aren't counted, and are written with the next item.
    """

    rows: dict[Key, Row] = field(default_factory=dict)
    receipts: dict[Key, tuple[str, float]] = field(default_factory=dict)
    steps: dict[tuple[Key, str], float] = field(default_factory=dict)
    snapshot: bytes | None = None
    known: frozenset[Key] | None = None
    taken: bool = False

    def __len__(self) -> int:
        return len(self.rows) + len(self.receipts) or int(self.snapshot is not None)

    def then(self, later: "Batch") -> "Batch":
        """Both batches, as if they had been queued together."""
        return Batch(
            rows=self.rows | later.rows,
            receipts=later.receipts | self.receipts,
            steps=later.steps | self.steps,
            snapshot=self.snapshot if later.snapshot is None else later.snapshot,
            known=self.known if later.known is None else later.known,
            taken=self.taken or later.taken,
        )
