"""What somebody else may have written: markup of every kind, escape sequences, marks of direction, half an emoji."""

import unicodedata

from hypothesis import strategies as st

_MARKUP = (
    "[links]",
    "[/x]",
    "[bold red]",
    "[/]",
    "\\[",
    ":warning:",
    "<b>",
    "&amp;",
    "</td>",
    "*all*",
    "`x`",
    "_",
    "#",
)
_CONTROLS = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\r\n",
    "\t",
    "\x00",
    "\x7f",
    "\u2028",
    "\u202e",
    "\u2066",
    "\u200f",
)
_LETTERS = ("\ufeff", "u\u0308", "\u00fc", "\U0001f469\u200d\U0001f692", "\u00ad", "\u00a0", " ", "  ")
_PLACES = ("=1+1", "@SUM(A1)", "|", "'", '"', ";", ",", "{by}", "{0}", "}", "%s", "%(asctime)s", "\\n", "M001")
ODD = (*_MARKUP, *_CONTROLS, *_LETTERS, *_PLACES)

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_HARMLESS = {"\u00ad", "\u200c", "\u200d"}

foreign = st.lists(st.sampled_from(ODD) | st.text(max_size=4), max_size=8).map("".join)
"""As the network may bring it: all of Unicode but half characters, which no JSON holds."""


def steering(shown: str) -> list[str]:
    """The characters in what is shown that steer a display; the ends of its own lines don't count."""
    return [each for each in shown if each != "\n" and _steers(each)]


def written(text: str) -> str:
    """What of this text has to be seen: all but spaces, which a layout may move, and what steers."""
    return "".join(each for each in text if not (_steers(each) or each.isspace() or each == "\ufffd"))


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _STEERING and character not in _HARMLESS
