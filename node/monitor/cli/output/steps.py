"""What to do next, below a table: in the whole width of the terminal, so that commands can be copied."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from node.io.terminal.paragraph import wrapped

_INDENT = "  "


@dataclass(frozen=True)
class Steps:
    """Lines below a heading. ``whole``: a command is one line, also where the terminal is narrower."""

    heading: str
    lines: tuple[str, ...]
    whole: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As many lines as each needs."""
        yield Text(self.heading, style="italic")
        for each in self.lines:
            broken = "\n".join(wrapped(each, options.max_width, _INDENT))
            yield Text(broken, no_wrap=self.whole, overflow="ignore" if self.whole else "fold")
