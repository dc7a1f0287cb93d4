"""The record of tests as a page: what wants somebody is seen at a glance."""

from typing import Any

import pytest

from node.monitor.cli.export import test_report
from node.monitor.cli.export.columns import zone
from node.monitor.cli.export.csv_cells import PLAIN
from node.monitor.cli.output.replies import words_of
from node.monitor.core.model.monitor_settings import Language


def button(node: str, *, overdue: bool) -> dict[str, Any]:
    """One that was tested at some time."""
    tested, due = "2026-10-01T08:00:00+00:00", "2026-11-01T08:00:00+00:00"
    names = {"site": "mitte", "node": node, "input": "button", "place": "Room 2, by the door"}
    return {**names, "last_test": tested, "due": due, "overdue": overdue}


def a_test(node: str, reaction_s: float | None) -> dict[str, Any]:
    """A test of its button."""
    names = {"site": "mitte", "node": node, "input": "button", "walk_test": "walk-0000abcd-1"}
    return {**names, "at": "2026-10-01T08:00:00+00:00", "reaction_s": reaction_s}


def rows(page: str, *, wanting: bool) -> list[str]:
    """The rows that want somebody, or the others."""
    starts = "<tr class=failed>" if wanting else "<tr><td"
    return [line for line in page.splitlines() if line.startswith(starts)]


def test_what_is_overdue_or_failed_stands_out() -> None:
    """Its whole row, and no other."""
    buttons = [button("room-1", overdue=False), button("room-2", overdue=True)]

    page = test_report.tests_html([a_test("room-3", 0.4), a_test("room-4", None)], buttons, "en", "mitte")

    assert [each for row in rows(page, wanting=True) for each in ("room-2", "room-4") if each in row] == [
        "room-2",
        "room-4",
    ]
    assert len(rows(page, wanting=True)) == len(rows(page, wanting=False)) == 2


def test_what_was_never_tested_is_counted() -> None:
    """It isn't overdue before its date, but nobody knows yet whether it works."""
    buttons = [button("room-1", overdue=False), {**button("room-2", overdue=False), "last_test": None}]

    page = test_report.tests_html([], buttons, "en", None)

    assert "2 in all, 0 overdue, 1 never tested<" in page


@pytest.mark.parametrize(
    ("language", "counts"),
    [
        ("en", ["3 in all, 2 overdue", "1 in all, 0 not passed"]),
        ("de", ["3 insgesamt, 2 überfällig", "1 insgesamt, 0 nicht bestanden"]),
    ],
)
def test_each_table_begins_with_its_counts(language: Language, counts: list[str]) -> None:
    """So that nobody has to count rows."""
    buttons = [button(f"room-{number}", overdue=number > 1) for number in (1, 2, 3)]

    page = test_report.tests_html([a_test("room-1", 0.4)], buttons, language, None)

    assert [each in page for each in counts] == [True, True]


def a_node(name: str, **changes: Any) -> dict[str, Any]:
    """One of the roster that was never heard."""
    names = {"site": "mitte", "node": name, "place": f"Room {name}"}
    return {**names, "known": True, "heard_s": None, "boot": "", **changes}


def test_every_button_of_the_roster_is_listed_and_what_was_never_heard_stands_first() -> None:
    """Buttons fail by being forgotten: a node that nobody ever installed is in no history."""
    buttons = [
        button("room-1", overdue=False),
        button("room-2", overdue=True),
        {**button("room-3", overdue=False), "last_test": None},
    ]
    nodes = [
        a_node("room-1", heard_s=3.0, boot="0badcafe"),
        a_node("room-9"),
        a_node("room-8", boot="0badcafe"),
        a_node("stranger", known=False),
    ]

    listed = test_report.in_order(buttons, nodes)

    assert [each["node"] for each in listed] == ["room-9", "room-3", "room-2", "room-1"]
    rows = test_report.tests_csv([], listed, PLAIN, words_of("de")).splitlines()
    assert rows[1] == "button,,mitte,room-9,,never heard,,,,yes"
    assert len(rows) == 5


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["2 in all, 1 overdue, 1 never heard", "the node was never heard", ">now<"]),
        ("de", ["2 insgesamt, 1 überfällig, 1 nie gehört", "das Gerät wurde nie gehört", ">jetzt<"]),
    ],
)
def test_a_node_that_was_never_heard_wants_somebody(language: Language, told: list[str]) -> None:
    """Now."""
    listed = test_report.in_order([button("room-1", overdue=False)], [a_node("room-9")])

    page = test_report.tests_html([], listed, language, "mitte")

    assert [each for each in told if each not in page] == []
    assert ["room-9" in row for row in rows(page, wanting=True)] == [True]


def test_the_page_says_whose_times_these_are() -> None:
    """The zone of this machine, once for all."""
    page = test_report.tests_html([], [], "de", None)

    assert f"; die Zeiten sind die von {zone()}</p>" in page


def test_a_name_is_text_and_never_markup() -> None:
    """Whatever a node calls its input."""
    page = test_report.tests_html([{**a_test("room-1", 0.4), "input": "<b>x</b>"}], [], "en", None)

    assert "<b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
