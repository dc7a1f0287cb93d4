"""What a guide has people type and write, in its order.

A block of code without a kind holds commands, one of a kind (```toml) is part of a file. Outside of blocks `sudo …` is
a command, too. A section is called by its place for links, which is the same in both languages.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GUIDES = Path(__file__).parents[2] / "deploy" / "guides"

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FOUND = re.compile(
    r'^<a id="(?P<anchor>[a-z0-9-]+)"></a>$|^## (?P<heading>.*)$|`(?P<inline>sudo [^`\n]+)`', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Command:
    """A line for a shell, and the place of its section ("the-broker")."""

    text: str
    section: str


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a file, and their kind ("toml")."""

    text: str
    kind: str


def recipe(guide: str) -> list[Command | Part]:
    """All commands and parts of files in this guide ("INSTALL.md")."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    found: list[Command | Part] = []
    section, end = "", 0
    for block in _BLOCK.finditer(text):
        section, commands = _between(text[end : block.start()], section)
        found += [*commands, *_in_block(block, section)]
        end = block.end()
    return [*found, *_between(text[end:], section)[1]]


def answers(guide: str, first: str) -> list[tuple[str, str]]:
    """Question and answer of each row of the table in this guide whose first question this is; both are code."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    rows = re.findall(r"^ *\| `([^`]+)` \| `([^`]+)` \|$", text, re.MULTILINE)
    start = [question for question, _ in rows].index(first)
    return rows[start:]


def _between(text: str, section: str) -> tuple[str, list[Command]]:
    """The section that the text ends in, and the commands within its sentences."""
    commands = []
    for each in _FOUND.finditer(text):
        if each["inline"]:
            commands.append(Command(each["inline"], section))
        elif each["anchor"]:
            section = each["anchor"]
        elif not text[: each.start()].endswith("</a>\n"):
            section = re.sub(r"[^a-z0-9 -]", "", each["heading"].lower()).replace(" ", "-")
    return section, commands


def _in_block(block: re.Match[str], section: str) -> Iterator[Command | Part]:
    indent, kind, body = block[1], block[2], block[3]
    text = "".join(line.removeprefix(indent) for line in body.splitlines(keepends=True))
    if kind:
        yield Part(text, kind)
        return
    for command in re.sub(r"\\\n *", "", text).splitlines():
        yield Command(re.sub(r" +# .*", "", command), section)
