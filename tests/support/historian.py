"""A process that uses a history as a monitor does, to be killed, or to compete with another one.

``write URL``: store batch after batch, and say each number once it is stored. ``compete URL MONITOR COUNT``: claim
everything that another process claims as well, and say what was won; before each stage it says "ready" and waits for a
line, so that nothing is cleared that the other one hasn't raised.
"""

import itertools
import json
import sys

from node.monitor.core.model.records import NodeKey, Notice, Status, Tally
from node.monitor.history.history import Batch, History
from tests.support.history import BOOT, ROOM, alarm, at, event, finding, flip, incident, told

TARGET = "mail"


def targets(_notice: Notice) -> tuple[str, ...]:
    """Everything is told to one target."""
    return (TARGET,)


def room(number: int) -> NodeKey:
    """One of the nodes that are competed for."""
    return NodeKey("mitte", f"room-{number}")


def batch(number: int) -> Batch:
    """An event, and all that hangs on it."""
    return Batch(
        events=[event(number, urgent=True, incident=f"{BOOT}-{number}")],
        tallies=[Tally(node=ROOM, boot=BOOT, ranges=((1, number),))],
        incidents=[incident(number)],
        notices=[alarm(f"alarm:{number}")],
    )


def write(history: History) -> None:
    """Until the end of the process."""
    for number in itertools.count(1):
        history.store(batch(number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def wait() -> None:
    """For a line."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def compete(history: History, monitor: str, count: int) -> None:
    """For flips, findings, notices and deliveries."""
    wait()
    won: dict[str, list[str]] = {"flips": [], "raised": [], "cleared": [], "notices": [], "deliveries": []}
    for number in range(count):
        found = finding(node=room(number))
        stored = history.store(
            Batch(
                flips=[flip(Status.UP, Status.DOWN, room(number))],
                raised=[found],
                notices=[told(found, key=f"{monitor}:{number}"), alarm(f"alarm:{number}")],
            )
        )
        won["flips"] += [str(each.node) for each in stored.flips]
        won["raised"] += [str(each.of) for each in stored.raised]
        won["notices"] += [key.removeprefix(f"{monitor}:") for key in stored.notices]
    wait()
    for number in range(count):
        stored = history.store(Batch(cleared=[(finding(node=room(number)).key, at(9))]))
        won["cleared"] += [str(each.of) for each in stored.cleared]
    for gather in (True, False):
        while claim := history.outbox.claim(TARGET, monitor, gather=gather, limit=1):
            won["deliveries"] += [str(delivery.id) for delivery in claim.deliveries]
    sys.stdout.write(json.dumps(won) + "\n")


if __name__ == "__main__":
    opened = History(sys.argv[2], targets, at)  # no claim is void, however long this takes
    if sys.argv[1] == "write":
        write(opened)
    else:
        compete(opened, sys.argv[3], int(sys.argv[4]))
