"""Who answers for the building: its monitor, or where that isn't installed, a desk of the demo's own."""

from typing import Protocol

WALK_TEST_S = 600.0


class Guards(Protocol):
    """They hear every node and give receipts, and a person there can act. No act waits.

    What comes of an act is seen at the broker; where it never gets so far, it is seen as NotDone.
    """

    name: str

    @property
    def present(self) -> bool:
        """Whether they are there."""

    def start(self) -> None:
        """Begin, present."""

    def switch(self, present: bool) -> None:
        """Go, or come back."""

    def acknowledge(self, node: str, incident: str) -> None:
        """Somebody is coming."""

    def reset(self, node: str, incident: str) -> None:
        """It is over; it was a drill."""

    def begin_walk_test(self) -> None:
        """Of all nodes, for at most ``WALK_TEST_S``."""

    def end_walk_test(self) -> None:
        """Whichever hold, before their time."""

    def last_words(self, count: int) -> list[str]:
        """The last lines of their log."""

    def close(self) -> None:
        """End."""
