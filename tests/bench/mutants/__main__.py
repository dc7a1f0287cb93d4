"""``python -m tests.bench.mutants``: change the pure cores in one place at a time, and tell what no test notices.

Exit code 0 when enough were noticed and accepted.toml lists the others, 1 when not, 2 when the tests fail anyway, and
130 when it was interrupted: then it tells what it knows so far.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from rich.console import Console

from tests.bench.mutants import choice, report
from tests.bench.mutants.mutations import Key, Mutant, Place, places, sample
from tests.bench.mutants.trial import BadRunError, Outcome, Tree

ROOT = Path(__file__).parents[3]
CORES = {"node/core": "tests/core", "node/monitor/core": "tests/monitor/core"}
"""The folders whose mutants are tried, and where the tests of each are."""

SEED, SIZE = 1, 40
ALL = sys.maxsize
INTERRUPTED = 130

Results = dict[str, list[tuple[Mutant, Outcome]]]


def main() -> int:
    """Try what the command line asks for; the exit code."""
    parsed = _parsed()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    console = Console(soft_wrap=True)
    reasons = report.accepted(Path(__file__).with_name("accepted.toml"))
    there = {core: places(ROOT, core) for core in CORES}
    drawn = {
        core: sample([each for each in found if each.path.startswith(parsed.only)], parsed.seed, parsed.sample)
        for core, found in there.items()
    }
    results: Results = {core: [] for core in CORES}
    with TemporaryDirectory(prefix="mutants-") as folder:
        trees = [Tree(Path(folder) / str(number)) for number in range(parsed.together)]
        try:
            interrupted = _try_all(console, trees, drawn, results)
        except BadRunError as error:
            console.print(str(error), markup=False, highlight=False)
            console.print("The tests fail without any mutant, or pytest did. Next: make test", style="red")
            return 2
    told = report.Report(results, reasons, lambda key: _fits(key, [each for found in there.values() for each in found]))
    told.show(console)
    return INTERRUPTED if interrupted else 1 if told.failures else 0


def _fits(key: Key, there: Sequence[Place]) -> bool:
    found = (each.mutant() for each in there if each.scope == key[0])
    return any(each is not None and each.key == key for each in found)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED, help="which sample (default: %(default)s)")
    parser.add_argument("--sample", type=_size, default=SIZE, metavar="N", help="so many of each core, or all")
    parser.add_argument("--only", default="", metavar="PATH", help="those in files whose path begins so")
    parser.add_argument("--together", type=int, default=2, metavar="N", help="so many at once (%(default)s)")
    return parser.parse_args()


def _size(text: str) -> int:
    return ALL if text == "all" else int(text)


def _try_all(console: Console, trees: Sequence[Tree], drawn: dict[str, list[Mutant]], results: Results) -> bool:
    """Try them, and add what becomes of each to ``results``; whether it was interrupted."""
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def attempt(mutant: Mutant, tests: choice.Tests) -> Outcome:
        tree = free.get()
        try:
            return tree.attempt(mutant, tests.of(mutant))
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as together:
        try:
            console.print("Finding out which tests reach which lines", highlight=False)
            for tree in trees:
                tree.copy_from(ROOT)
            known = dict(zip(CORES, together.map(_tests, CORES, [*trees, *trees]), strict=False))
            trials = {
                together.submit(attempt, mutant, known[core]): (core, mutant)
                for core, found in drawn.items()
                for mutant in found
            }
            for number, trial in enumerate(as_completed(trials), 1):
                core, mutant = trials[trial]
                outcome = trial.result()
                results[core].append((mutant, outcome))
                console.print(f"{number:>5}/{len(trials)} {outcome:<9} {mutant}", markup=False, highlight=False)
        except KeyboardInterrupt:
            return True
        finally:
            together.shutdown(wait=False, cancel_futures=True)
            for tree in trees:
                tree.stop()
    return False


def _tests(core: str, tree: Tree) -> choice.Tests:
    kept = ROOT / "build" / "mutants" / f"{core.replace('/', '-')}-{choice.fingerprint(ROOT, core, CORES[core])}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        for outdated in kept.parent.glob(f"{core.replace('/', '-')}-*.json"):
            outdated.unlink()
        fresh = tree.path / "map.json"
        tree.map([CORES[core]], fresh)
        fresh.replace(kept)
    return choice.read(kept)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
