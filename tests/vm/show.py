"""What is shown while the points run, and the table and the file at the end."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.campaigns.campaign import Result


@dataclass(frozen=True, slots=True)
class Proved:
    """What came of a point. ``where``: in which guest, by which pin factory."""

    where: str
    result: Result


class Show:
    """From entering it as a context to leaving it: a line for each step with its time, and a bar for what goes on."""

    def __init__(self) -> None:
        self.console = Console()
        self._begin = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self.console, transient=True)

    def tell(self, text: str) -> None:
        """Show a line."""
        minutes, seconds = divmod(int(time.monotonic() - self._begin), 60)
        self.console.print(f"{minutes:3}:{seconds:02}  {text}", markup=False, highlight=False)

    @contextmanager
    def bar(self, name: str, total: int) -> Iterator[Callable[[Result], None]]:
        """Show how far something is; what is handed out wants its result so far."""
        task = self._progress.add_task(name, total=total)

        def tell(result: Result) -> None:
            broken = f", {len(result.broken)} broken" if result.broken else ""
            self._progress.update(task, completed=result.tried, description=f"{name}{broken}")

        yield tell
        self._progress.remove_task(task)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def results(self, proved: Sequence[Proved], seed: int) -> None:
        """The table, and what was broken."""
        table = Table(title=f"seed {seed}", title_justify="left")
        for heading in ("point", "where", "tries", "verdict", "time", "promise"):
            table.add_column(heading, justify="right" if heading in ("tries", "time") else "left")
        for each in proved:
            result = each.result
            said = f"{result.verdict}: {result.skipped}" if result.skipped else result.verdict
            figures = "".join(f"\n{name}: {value:.3g}" for name, value in sorted(result.worst.items()))
            took = f"{result.seconds:.0f} s"
            table.add_row(result.name, each.where, str(result.tried), said, took, result.invariant + figures)
        self.console.print(table)
        for each in proved:
            for broken in each.result.broken:
                of = f" {broken.kind}" if broken.kind else ""
                self.tell(f"{each.result.name}, try {broken.number}{of} ({each.where}): {broken.reason}")


def write(file: Path, proved: Sequence[Proved], seed: int) -> None:
    """Leave all results in a file, as JSON."""
    points = [{"where": each.where, **asdict(each.result), "verdict": each.result.verdict} for each in proved]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"seed": seed, "points": points}, indent=2) + "\n", encoding="utf-8")
