"""What a reader knows who takes each event once, by boot and seq."""

import threading
from collections.abc import Iterable, Mapping

from tests.support.desk import BRANCH, Desk, Message, decoded
from tests.support.mqtt import TIMEOUT_S, Received

Identity = tuple[str, int]


class Reader(Desk):
    """A desk that keeps the first copy of each event as it comes; ``receipts``: and confirms every copy.

    It can hang, as a process does that is swapped out: then it takes and confirms nothing until it goes on.
    """

    def __init__(self, port: int, *, name: str = "guard-desk", receipts: bool = True) -> None:
        super().__init__(port, name=name, receipts=True)
        self.first: dict[Identity, Message] = {}
        self.conflicts: list[tuple[Message, Message]] = []
        self._gives = receipts
        self._runs = threading.Event()
        self._runs.set()

    def hang(self) -> None:
        """Take nothing any more."""
        self._runs.clear()

    def go_on(self) -> None:
        """Take what has come meanwhile, and the rest."""
        self._runs.set()

    def _confirm(self, received: Received) -> None:
        self._runs.wait(TIMEOUT_S)
        if received.topic == f"{BRANCH}/event":
            event = decoded(received)
            first = self.first.setdefault((event["boot"], event["seq"]), event)
            if _ageless(first) != _ageless(event):
                self.conflicts.append((first, event))
            if self._gives:
                super()._confirm(received)


def known(readers: Iterable[Reader]) -> dict[Identity, Message]:
    """The first copy of each event, reader after reader; every other copy must say the same but its age."""
    merged: dict[Identity, Message] = {}
    for reader in readers:
        assert not reader.conflicts, f"two events by one identity: {reader.conflicts[0]}"
        for identity, event in list(reader.first.items()):
            first = merged.setdefault(identity, event)
            assert _ageless(first) == _ageless(event), f"two events by one identity: {first} and {event}"
    return merged


def of_kind(events: Mapping[Identity, Message], *kinds: str) -> list[Message]:
    """These of them."""
    return [event for event in events.values() if event["kind"] in kinds]


def is_alarm(event: Message) -> bool:
    """Whether it has to overtake whatever isn't."""
    return "incident" in event


def missing(events: Iterable[Identity], boot: str, last: int) -> list[int]:
    """The numbers up to ``last`` of this boot that a reader of these events doesn't have."""
    return sorted(set(range(1, last + 1)) - {seq for of, seq in events if of == boot})


def told_last(desk: Desk, boot: str) -> int:
    """The newest event's number of this boot, by all that the node has said beside events."""
    said = [each for topic in ("state", "alarm", "heartbeat", "reply") for each in desk.heard(topic)]
    return max((each["seq"] for each in said if each.get("boot") == boot), default=0)


def _ageless(event: Message) -> Message:
    return {name: value for name, value in event.items() if name != "age_ms"}
