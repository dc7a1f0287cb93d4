"""Lines of styled text, and how they are cut and wrapped."""

import textwrap
from enum import StrEnum


class Style(StrEnum):
    """How a piece of text stands out: the parameters of ANSI's SGR sequence. Only LIT has a colour."""

    PLAIN = "0"
    BOLD = "1"
    DIM = "2"
    LIT = "1;30;43"
    LOUD = "1;7"


Line = list[tuple[str, Style]]
"""Pieces of one line, from left to right."""


def plain_text(line: Line) -> str:
    """A line without its styles."""
    return "".join(piece for piece, _ in line)


def cut(line: Line, width: int) -> Line:
    """The first ``width`` characters."""
    kept: Line = []
    for piece, style in line:
        if width > 0:
            kept.append((piece[:width], style))
        width -= len(piece)
    return kept


def beside(left: Line, right: Line, left_width: int) -> Line:
    """Both on one line; the right one begins after ``left_width`` characters."""
    return [*cut(left, left_width), (" " * (left_width - len(plain_text(left))), Style.PLAIN), *right]


def labelled(label: str, text: str, width: int, rows: int, style: Style = Style.PLAIN) -> list[Line]:
    """The text behind its label, wrapped to ``width``, on at most so many rows."""
    wrapped = textwrap.wrap(text, max(20, width - 17), break_on_hyphens=False)[:rows]
    return [[(f" {label if number == 0 else '':<15}", Style.PLAIN), (row, style)] for number, row in enumerate(wrapped)]
