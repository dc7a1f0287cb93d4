"""``python -m tests.campaigns``: run them, show how far they are, and tell what came of it.

Exit code 0 when every invariant held, 1 when one was broken; what was skipped is told with what this machine lacks.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.campaigns.all import CAMPAIGNS
from tests.campaigns.campaign import Campaign, Result, run

SEED = 20261125


def main() -> int:
    """Run what the command line asks for; the exit code."""
    parsed = _parsed()
    console = Console()
    chosen = [CAMPAIGNS[name] for name in parsed.only or CAMPAIGNS]
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[broken]}"),
        console=console,
    )
    with progress, ThreadPoolExecutor(parsed.together) as pool:
        results = list(pool.map(lambda each: _with_progress(each, parsed, progress), chosen))
    console.print(_table(results, parsed.seed))
    for result in results:
        for each in result.broken:
            again = f"python -m tests.campaigns --seed {parsed.seed} --try {result.name}:{each.number}"
            console.print(f"\n{result.name} {each.number} {each.kind}: again with: {again}", markup=False)
            console.print(each.reason, markup=False, highlight=False)
    if parsed.json is not None:
        told = {"seed": parsed.seed, "campaigns": [{**asdict(each), "verdict": each.verdict} for each in results]}
        parsed.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 1 if any(result.broken for result in results) else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED, help="whose tries (default: %(default)s)")
    parser.add_argument("--short", action="store_true", help="the few tries of `make test`")
    parser.add_argument("--only", action="append", choices=[*CAMPAIGNS], metavar="NAME", help="this one; repeatable")
    parser.add_argument("--tries", type=int, metavar="N", help="so many of each, in place of its own number")
    parser.add_argument("--try", dest="single", metavar="NAME:NUMBER", help="one try of one campaign")
    parser.add_argument("--defect", default="", metavar="NAME", help="switch a defect on, which has to be found")
    parser.add_argument("--together", type=int, default=3, metavar="N", help="so many campaigns at once (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="leave the results there too")
    parsed = parser.parse_args()
    if parsed.single is not None:
        name, _, number = parsed.single.partition(":")
        if name not in CAMPAIGNS or not number.isdigit():
            parser.error(f"--try wants NAME:NUMBER; the names are {', '.join(CAMPAIGNS)}")
        parsed.only, parsed.single = [name], int(number)
    return parsed


def _with_progress(campaign: Campaign, parsed: argparse.Namespace, progress: Progress) -> Result:
    count = parsed.tries or (campaign.short if parsed.short else campaign.full)
    numbers = [parsed.single] if parsed.single is not None else list(range(count))
    task = progress.add_task(campaign.name, total=len(numbers), broken="")

    def tell(result: Result) -> None:
        broken = f"[red]{len(result.broken)} broken" if result.broken else ""
        progress.update(task, completed=result.tried, broken=broken)

    result = run(campaign, parsed.seed, numbers=numbers, defect=parsed.defect, short=parsed.short, on_try=tell)
    if result.skipped:
        progress.update(task, broken="skipped")
    if not progress.console.is_terminal:
        progress.console.print(f"{result.name}: {result.verdict}, {result.tried} tries, {result.seconds:.0f} s")
    return result


def _table(results: list[Result], seed: int) -> Table:
    table = Table(title=f"seed {seed}", title_justify="left")
    for heading in ("campaign", "tries", "verdict", "time", "invariant"):
        table.add_column(heading, justify="right" if heading in ("tries", "time") else "left")
    for each in results:
        said = f"{each.verdict}: {each.skipped}" if each.skipped else each.verdict
        worst = "".join(f"\n{name}: at most {value:.3g}" for name, value in sorted(each.worst.items()))
        table.add_row(each.name, str(each.tried), said, f"{each.seconds:.0f} s", each.invariant + worst)
    return table


if __name__ == "__main__":
    sys.exit(main())
