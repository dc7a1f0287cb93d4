"""argparse, with usage and errors in people's own language."""

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from node.sanitize import plain


class Parser(argparse.ArgumentParser):
    """Shows usage in people's own language by ``say``. Text that people typed can't control the terminal."""

    def __init__(self, *arguments: Any, say: Callable[[str], str] = str, **more: Any) -> None:
        self._say = say
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
