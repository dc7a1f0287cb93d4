"""A configuration file that explains itself, made of the declarations of its keys: for people to fill in.

Nothing about a key stands here: declarations.py has its meaning, limits and default. ``Answers`` are values under their
``table.key``; every other key is commented out, with its default or an example.
"""

import os
import stat
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import FieldInfo

from node.config import files
from node.config.declarations import Say, Table, example, meaning, sentence, written

Answers = Mapping[str, Any]

_WIDTH = 118
_HOW_TO_USE = (
    'Lines that begin with "# " explain. Where a key or a [table] follows the "#" at once it is a default, or an '
    'example: take the "#" away to use it.'
)


def text(header: Iterable[str], tables: Iterable[Table], answers: Answers, say: Say = str) -> str:
    """The file: the header's lines as comments, and all tables. ``say`` translates the comments."""
    above = [wrapped(say(line), _WIDTH, "# ") if line else "#" for line in (*header, "", _HOW_TO_USE)]
    return "\n".join(["\n".join(above), "", *(_lines(table, answers, say) for table in tables)])


def _lines(table: Table, answers: Answers, say: Say) -> str:
    names = {f"{table.name}.{key.encode_name}": key for key in table.declared}
    used = not names.keys().isdisjoint(answers) or not any(key.required for key in table.declared)
    keys = [_key_lines(key, answers.get(name), say) for name, key in names.items()]
    above = [wrapped(sentence(say(table.purpose)), _WIDTH, "# ")] if table.purpose else []
    lines = [*above, table.heading if used else f"#{table.heading}", "\n\n".join(keys)]
    if used and table.most > 1:
        needed = [f"#{example(key)}" for key in table.declared if key.required]
        lines += ["", f"# {say(f'One more {table.name}, of {table.most} at most:')}", f"#{table.heading}", *needed]
    return "".join(f"{line}\n" for line in lines)


def _key_lines(key: FieldInfo, answer: Any, say: Say) -> str:
    if answer is not None:
        said, line = "", f"{key.encode_name} = {written(answer)}"
    elif key.required or key.default in (None, ()):
        said, line = f" {say('For example:')}", f"#{example(key)}"
    else:
        said, line = f" {say('The default:')}", f"#{key.encode_name} = {written(key.default)}"
    return "\n".join([wrapped(meaning(key, say) + said, _WIDTH, "# "), line])


def wrapped(said: str, width: int, indent: str = "") -> str:
    """The text on lines of at most this width."""
    # A line of the file that is quoted within a text must not be wrapped.
    glued = said.replace(" = ", "\0=\0")
    filled = textwrap.fill(
        glued, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return filled.replace("\0", " ")


def write(path: Path, content: str, check: Callable[[Path], object]) -> None:
    """Write the file in one step, once ``check`` has accepted it; a file that is there keeps its rights.

    Raises OSError, and whatever ``check`` raises.
    """
    target = Path(os.path.realpath(path))
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    files.replace(target, content.encode("utf-8"), mode, check)
