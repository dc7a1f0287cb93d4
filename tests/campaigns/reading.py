"""What a reader knows who confirms what it hears and takes each event once, by boot and seq."""

from collections.abc import Iterable, Mapping, Sequence

from tests.support.desk import Desk, Message

Identity = tuple[str, int]


def known(desks: Iterable[Desk]) -> dict[Identity, Message]:
    """The first copy of each event, in the order in which they came; every other copy says the same but its age."""
    first: dict[Identity, Message] = {}
    for event in (event for desk in desks for event in desk.events):
        copy = first.setdefault((event["boot"], event["seq"]), event)
        assert _ageless(copy) == _ageless(event), f"two events by one identity:\n{copy}\n{event}"
    return first


def of_kind(events: Mapping[Identity, Message], *kinds: str) -> list[Message]:
    """These of them."""
    return [event for event in events.values() if event["kind"] in kinds]


def missing(events: Iterable[Identity], boot: str, last: int) -> list[int]:
    """The numbers up to ``last`` of this boot that the reader doesn't have."""
    return sorted(set(range(1, last + 1)) - {seq for of, seq in events if of == boot})


def told_last(desk: Desk, boot: str) -> int:
    """The newest event's number of this boot, by whatever the node has said."""
    said = (each for topic in ("state", "alarm", "event", "heartbeat", "reply") for each in desk.heard(topic))
    return max((each["seq"] for each in said if each.get("boot") == boot), default=0)


def in_order(events: Sequence[Message]) -> bool:
    """Whether those of a boot came in the order in which they happened."""
    last: dict[str, int] = {}
    for event in events:
        if event["seq"] < last.get(event["boot"], 0):
            return False
        last[event["boot"]] = event["seq"]
    return True


def _ageless(event: Message) -> Message:
    return {name: value for name, value in event.items() if name != "age_ms"}
