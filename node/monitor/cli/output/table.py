"""A table where the terminal has room for it; on a narrower one its rows stand below one another, as lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_ANY_WIDTH = 10_000


@dataclass
class Listed:
    """Rows below headings.

    ``widest``: columns that are folded at so many characters, by their number. ``least``: what the last column needs,
    which has all the room that is left; 0 where it is as wide as its words. ``ends``: the rows below which is a line.
    """

    headings: Sequence[str]
    title: str = ""
    expand: bool = False
    widest: dict[int, int] = field(default_factory=dict)
    least: int = 0
    rows: list[Sequence[Text]] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As a table where no word of it has to be broken, but for those that are folded anyhow."""
        measured = self._table()
        if self.least:
            measured.columns[-1].min_width = measured.columns[-1].max_width = self.least
        needed = Measurement.get(console, options.update(max_width=_ANY_WIDTH), measured).minimum
        if needed <= options.max_width:
            yield self._table()
            return
        if self.title:
            yield Text(self.title, style="italic")
        for row in self.rows:
            yield Text("\n").join(
                Text(f"{heading}: ", style="bold").append_text(cell)
                for heading, cell in zip(self.headings, row, strict=True)
                if cell
            )
            yield Text()

    def _table(self) -> Table:
        made = Table(title=self.title or None, title_justify="left", expand=self.expand)
        for number, heading in enumerate(self.headings):
            ratio = 1 if self.least and number == len(self.headings) - 1 else None
            made.add_column(heading, overflow="fold", ratio=ratio, max_width=self.widest.get(number))
        for number, row in enumerate(self.rows):
            made.add_row(*row, end_section=number in self.ends)
        return made
