"""argparse, with usage and errors in people's own language."""

import argparse
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from node.sanitize import plain


class Parser(argparse.ArgumentParser):
    """Shows usage in people's own language by ``say``. Text that people typed can't control the terminal."""

    def __init__(self, *arguments: Any, say: Callable[[str], str] = str, **more: Any) -> None:
        self._say = say
        more["formatter_class"] = partial(argparse.HelpFormatter, width=_columns() - 2)
        super().__init__(*arguments, **more)

    def add_argument(self, *names: Any, **more: Any) -> argparse.Action:
        """As argparse."""
        if isinstance(more.get("help"), str):
            more["help"] = self._say(more["help"])
        return super().add_argument(*names, **more)

    def format_usage(self) -> str:
        """As argparse."""
        return self._headed(super().format_usage())

    def format_help(self) -> str:
        """As argparse."""
        return self._headed(super().format_help())

    def error(self, message: str) -> NoReturn:
        """As argparse."""
        self.print_usage(sys.stderr)
        said = self._say(f"{self.prog}: error: {message}")
        self.exit(2, f"{plain(said)}\n")

    def _headed(self, text: str) -> str:
        for heading in ("usage:", "positional arguments:", "options:"):
            text = re.sub(rf"^{heading}", self._say(heading), text, count=1, flags=re.MULTILINE)
        return text


def _columns() -> int:
    """The terminal's width, as shutil tells it: argparse would import that, and bz2 and lzma with it, in each node."""
    with suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    with suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr] # None: see above
    return 80
