"""Makes text from outside safe to show: characters that steer a display are replaced, the rest stays as written.

A name that ends in an escape sequence could colour an alarm away, one with a right-to-left override turn a room's
number around, one with a line break write a line of its own into a log.
"""

import json
import unicodedata
from typing import Any

INSTEAD = "\N{REPLACEMENT CHARACTER}"
"""Stands where something was that can't be shown."""

_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories: controls, marks of format (those of direction are among them), half characters, line ends."""

_WRITTEN = frozenset("\N{SOFT HYPHEN}\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
"""Marks of format that belong to how words and emoji are written, and steer nothing."""


def plain(text: str) -> str:
    """The same on one line, without anything that steers what shows it; a line break or tab becomes a space."""
    return text if text.isprintable() else "".join(map(_shown, text))


def same(one: str, other: str) -> bool:
    """Whether both read alike: an umlaut may come as one character, or as a letter with a mark (NFC, NFD)."""
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON that keeps every character, what steers a display as its number."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return text if text.isprintable() else "".join(map(_numbered, text))


def _numbered(character: str) -> str:
    if character == "\n" or not _steers(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _shown(character: str) -> str:
    if not _steers(character):
        return character
    return " " if character.isspace() else INSTEAD


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _STEERING and character not in _WRITTEN
