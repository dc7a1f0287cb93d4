"""Edges that the kernel dropped: a fault that says how many, and a gap in what is known of the line."""

from node.core.effects import Append, LoggedEvent
from node.core.events import EdgesLost
from node.core.line import ContactState
from node.core.settings import Wiring
from tests.core.house import button
from tests.core.playbook import Playbook, Stage

F002 = ("F002", "button")


def told(play: Playbook) -> list[tuple[str, str | None]]:
    """The kinds and reasons of the events since the last look."""
    events: list[LoggedEvent] = [each.event for each in play.take(Append)]
    return [(event.kind, event.reason) for event in events]


def test_lost_edges_are_a_fault_a_second_later_that_says_how_many(alone: Stage) -> None:
    """All that were lost within this second are one fault."""
    play = alone(button())

    play >> EdgesLost(play.now, "button", 3)
    play.wait(0.5)
    play >> EdgesLost(play.now, "button", 9)
    assert play.faults() == []
    play.wait(0.5)

    assert play.faults() == [F002]
    assert told(play) == [("fault-raised", "12 edges were lost")]


def test_the_fault_ends_a_minute_after_the_last_one_and_says_how_many_in_all(alone: Stage) -> None:
    """A flood is one fault, not one for each look at the counter."""
    play = alone(button())
    for _ in range(100):
        play >> EdgesLost(play.now, "button", 5)
        play.wait(0.5)
    assert told(play) == [("fault-raised", "10 edges were lost")]

    play.wait(59.0)
    assert play.faults() == [F002]
    play.wait(1.0)

    assert play.faults() == []
    assert told(play) == [("fault-cleared", "500 edges were lost")]
    assert play.state.lost_edges == {}


def test_the_next_fault_counts_anew(alone: Stage) -> None:
    """What was told once isn't told again."""
    play = alone(button())
    play >> EdgesLost(play.now, "button", 500)
    play.wait(90.0)
    play.skip()

    play >> EdgesLost(play.now, "button", 1)
    play.wait(1.0)

    assert told(play) == [("fault-raised", "1 edge was lost")]


def test_both_lines_of_an_input_are_one_fault(alone: Stage) -> None:
    """Whoever goes there looks at one button."""
    play = alone(button(wiring=Wiring.CHANGEOVER))

    play >> EdgesLost(play.now, "button", 1) >> EdgesLost(play.now, "button.nc", 2)
    play.wait(1.0)

    assert play.faults() == [F002]
    assert told(play) == [("fault-raised", "3 edges were lost")]


def test_lost_edges_of_an_unknown_line_change_nothing(alone: Stage) -> None:
    """They are recorded."""
    play = alone(button())

    play >> EdgesLost(play.now, "cellar", 5)

    assert play.kinds() == ["unexpected"]
    assert play.state.lost_edges == {}


def test_what_comes_after_a_gap_must_last_for_the_debounce_again(alone: Stage) -> None:
    """The level may have changed twice where edges are missing, so the time before the gap adds nothing."""
    play = alone(button())
    play.edge("button", True)

    play.wait(0.015)
    play >> EdgesLost(play.now, "button", 2)
    play.edge("button", True).wait(0.015).edge("button", False).wait(1.5)

    assert play.kinds() == ["fault-raised"]


def test_a_button_that_is_held_stays_pressed_across_a_gap(alone: Stage) -> None:
    """Only a level that is normal for the debounce ends it."""
    play = alone(button())
    play.edge("button", True).wait(0.1)

    play >> EdgesLost(play.now, "button", 2)
    play.wait(0.5).edge("button", False).wait(0.1)

    assert play.kinds() == ["pressed", "restored"]


def test_a_line_that_cannot_be_read_after_a_gap_becomes_unknown(alone: Stage) -> None:
    """As it does at any other time."""
    play = alone(button())
    play.actuated["button"] = None
    play.sample()

    play >> EdgesLost(play.now, "button", 2)
    play.wait(6.0)

    assert play.state.contact_state("button") is ContactState.UNKNOWN
    play.skip()
