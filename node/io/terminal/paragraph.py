"""Breaks a text into lines for a terminal, but no command in it: copied in two parts it would be two commands."""

import re
import textwrap

_COMMAND = re.compile(
    r"\b(?:sudo|alarm-monitor|alarm-node|systemctl|journalctl|timedatectl|getent|ip|ps) [^,;:()]*[^,;:() ]"
)
"""A command in a next step ends before the next of these marks."""

_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """The lines, each of ``width`` characters at most; ``indent`` begins each after the first.

    A command that is longer than a line stands whole on one that is too long.
    """
    kept = _COMMAND.sub(lambda found: found[0].replace(" ", _NO_BREAK_SPACE), text)
    lines = textwrap.wrap(kept, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_NO_BREAK_SPACE, " ") for line in lines]
