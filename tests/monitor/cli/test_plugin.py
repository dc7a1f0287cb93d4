"""What any plugin says: ranges, one line, and the worst of all that was found."""

import re

import pytest

from node.monitor.cli.nagios.plugin import REASONS, Measure, Report, State, threshold

OK, WARNING, CRITICAL, UNKNOWN = State


@pytest.mark.parametrize(
    ("text", "alerting", "quiet"),
    [
        ("10", [-1, 11], [0, 10]),
        ("10:", [9, -1], [10, 1e9]),
        ("~:10", [11], [-1e9, 10]),
        ("10:20", [9, 21], [10, 20]),
        ("@10:20", [10, 20], [9, 21]),
        ("0", [0.5], [0]),
        ("-5:5", [-6, 6], [-5, 5]),
    ],
)
def test_a_range_means_what_the_guidelines_say(text: str, alerting: list[float], quiet: list[float]) -> None:
    """Their own table of examples."""
    made = threshold(text)

    assert [value for value in alerting if not made.alerts(value)] == []
    assert [value for value in quiet if made.alerts(value)] == []


@pytest.mark.parametrize("text", ["", ":", "@", "20:10", "a", "1:2:3", "1e3", "~", "@~", " 1"])
def test_what_is_no_range_is_refused(text: str) -> None:
    """Rather than never alert."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        threshold(text)


def test_the_one_line_has_no_second_and_no_other_bar() -> None:
    """Whatever a place, a reason or a broker is called."""
    reasons = [(State.WARNING, f"a|b\nc {number}") for number in range(REASONS + 2)]

    lines = list(Report("x|y", reasons, [Measure("n", 1.0)]).lines(0))

    assert len(lines) == 1
    assert lines[0].count("|") == 1
    assert "and 2 more" in lines[0]


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ([], OK),
        ([OK, UNKNOWN], UNKNOWN),
        ([UNKNOWN, WARNING], WARNING),
        ([CRITICAL, UNKNOWN, WARNING, OK], CRITICAL),
    ],
)
def test_the_worst_of_all_counts(states: list[State], worst: State) -> None:
    """What is surely wrong goes before what isn't known, and that before what is well."""
    report = Report("x", [(state, "y") for state in states])

    assert report.state is worst
