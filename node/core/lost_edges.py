"""Edges of an input that the kernel dropped before the node could read them: it numbers them, so their count is exact.

Rules:

1. A second after the first lost edge it is F002, whose event says how many were lost by then. The fault stands until no
   edge was lost for a minute, and the event that ends it says how many there were in all.
2. They leave a gap in what is known of the line (line.py, rule 7). Their count is for people who look for the cause.

line.py finds an edge that is missing by the samples, whoever lost it. That is the same fault, without a count.
"""

from collections.abc import Iterator
from math import inf

from node.core import contact
from node.core.events import EdgesLost
from node.core.line import EDGE_GRACE_S
from node.core.state import LostEdges, State
from node.core.supervision import FaultId
from node.core.turn import Turn
from node.errors.faults import EDGES_LOST, FaultKind

SHOWN_S = 60.0


def edges_lost(turn: Turn, event: EdgesLost) -> None:
    """The kernel dropped edges of a line: count them for its input."""
    try:
        settings, number = turn.state.settings.line(event.line)
    except KeyError:
        turn.refuse("lost edges of an unknown line")
        return
    known = turn.state.lost_edges.get(settings.name, LostEdges(0, since=turn.now, until=inf))
    counted = LostEdges(known.count + event.count, known.since, until=turn.now + SHOWN_S)
    after = contact.gap(turn.state.contacts[settings.name], number, turn.state.settings.debounce_s)
    turn.change(
        lost_edges={**turn.state.lost_edges, settings.name: counted},
        contacts={**turn.state.contacts, settings.name: after},
    )


def conditions(state: State) -> Iterator[tuple[FaultKind, str, float]]:
    """What is wrong: (kind, subject, the instant from which it is a fault)."""
    for name, lost in state.lost_edges.items():
        if state.now < lost.until:
            yield EDGES_LOST, name, lost.since + EDGE_GRACE_S


def how_many(state: State, fault: FaultId) -> str | None:
    """How many edges a fault is about, in words; None if it isn't about lost edges, or nobody counted them."""
    lost = state.lost_edges.get(fault.subject) if fault.code == EDGES_LOST.code else None
    if lost is None:
        return None
    return "1 edge was lost" if lost.count == 1 else f"{lost.count} edges were lost"


def forget(turn: Turn) -> None:
    """Forget what is over, once the fault's end was reported."""
    over = [name for name, lost in turn.state.lost_edges.items() if turn.now >= lost.until]
    if over:
        turn.change(lost_edges={name: lost for name, lost in turn.state.lost_edges.items() if name not in over})


def next_instant(state: State) -> float:
    """When the next count is over; inf if there is none."""
    return min((lost.until for lost in state.lost_edges.values()), default=inf)
