"""What a campaign is, and how it is run: so many tries, each with a seed of its own, each with one invariant.

A try that breaks the invariant raises AssertionError; it is told with its number and kind, and can be repeated alone:

    python -m tests.campaigns --seed 7 --try kill:17

Rules:

1. All that is random in a try comes from its own seed, which is made of the campaign's name, the run's seed and its
   number. What the machine does meanwhile isn't random, and not the same: a try that breaks may hold when repeated.
2. A try owns a directory of its own, and whatever it starts; it reaps that however it ends.
3. What this machine lacks is told as skipped, never as passed.
4. A campaign of the node's parts in the process of its tries (no process of the node's own) is made ``apart``: in
   processes of its own, with the defect switched on in them from their beginning to their end.
5. Where the first broken try ends the run, one try is made at a time: whatever ran beside it would be in vain.
"""

import logging
import random
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.campaigns.defects import switch_on

Figures = Mapping[str, float]
"""What a try has measured, by name; of each the worst (largest) is told."""


@dataclass(frozen=True, slots=True)
class Try:
    """One try: its number, its kind (one of the campaign's), all of its chance, and an empty directory.

    ``defect`` is the deliberate defect that is switched on in the node, "" for none. ``short``: within `make test`.
    """

    number: int
    kind: str
    random: random.Random
    directory: Path
    defect: str = ""
    short: bool = False


@dataclass(frozen=True, slots=True)
class Campaign:
    """``attempt`` is called ``full`` times, or ``short`` times within `make test`, ``parallel`` of them at once.

    ``kinds`` are gone around. ``missing`` says what this machine lacks for it, "" where it can be run. ``apart``: its
    tries are made in processes of their own, to which ``attempt`` travels by its name.
    """

    name: str
    invariant: str
    full: int
    short: int
    attempt: Callable[[Try], Figures | None]
    kinds: tuple[str, ...] = ("",)
    parallel: int = 1
    missing: Callable[[], str] = lambda: ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """A try that broke the invariant, or couldn't be made."""

    number: int
    kind: str
    reason: str


@dataclass(slots=True)
class Result:
    """What came of a campaign. ``worst`` is the largest of each figure that was measured."""

    name: str
    invariant: str
    tried: int = 0
    broken: list[Break] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0
    worst: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """One word: held, BROKEN or skipped."""
        return "skipped" if self.skipped else "BROKEN" if self.broken else "held"


def run(
    campaign: Campaign,
    seed: int,
    *,
    numbers: Iterable[int],
    defect: str = "",
    short: bool = False,
    on_try: Callable[[Result], None] = lambda result: None,
    stop_at: int = 5,
) -> Result:
    """Make these tries; ``on_try`` is told after each. After ``stop_at`` broken ones no other is begun."""
    result = Result(campaign.name, campaign.invariant)
    result.skipped = campaign.missing()
    if result.skipped:
        return result
    begin = time.monotonic()
    waiting = iter(numbers)
    running: set[Future[tuple[Break | None, Figures]]] = set()
    parallel = 1 if stop_at == 1 else campaign.parallel
    with _pool(campaign, parallel, defect) as pool:
        while True:
            while len(running) < parallel and len(result.broken) < stop_at:
                number = next(waiting, None)
                if number is None:
                    break
                running.add(pool.submit(_try, *_begun(campaign, seed, number, defect, short)))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                broken, figures = future.result()
                result.tried += 1
                result.broken += [broken] if broken is not None else []
                for name, value in figures.items():
                    result.worst[name] = max(value, result.worst.get(name, value))
                result.seconds = time.monotonic() - begin
                on_try(result)
    return result


def _pool(campaign: Campaign, parallel: int, defect: str) -> Executor:
    if campaign.apart:
        return apart(parallel, defect)
    return ThreadPoolExecutor(parallel, thread_name_prefix=campaign.name)


def apart(parallel: int, defect: str = "") -> Executor:
    """Processes of their own, forked from one without threads that has imported all campaigns."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.campaigns.all"])
    return ProcessPoolExecutor(parallel, context, _set_apart, (defect,))


def _set_apart(defect: str) -> None:
    logging.disable(logging.WARNING)  # what its nodes say of the faults that they are given is no news
    switch_on(defect)


def _begun(
    campaign: Campaign, seed: int, number: int, defect: str, short: bool
) -> tuple[Callable[[Try], Figures | None], Try]:
    kind = campaign.kinds[number % len(campaign.kinds)]
    chance = random.Random(f"{campaign.name}/{seed}/{number}")  # noqa: S311 - the same tries for the same seed
    directory = Path(tempfile.mkdtemp(prefix=f"{campaign.name}-{number}-"))
    return campaign.attempt, Try(number, kind, chance, directory, defect, short)


def _try(attempt: Callable[[Try], Figures | None], begun: Try) -> tuple[Break | None, Figures]:
    try:
        figures = attempt(begun)
    except Exception as failure:  # noqa: BLE001 - a try that can't be made hasn't held, whatever it raised
        return Break(begun.number, begun.kind, _reason(failure)), {}
    finally:
        shutil.rmtree(begun.directory, ignore_errors=True)
    return None, figures or {}


def _reason(failure: Exception) -> str:
    """What it says; of what says nothing, or wasn't meant to be raised, also where."""
    if isinstance(failure, AssertionError) and str(failure):
        return str(failure)
    last = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{type(failure).__name__}: {failure} ({Path(last.filename).name}, line {last.lineno}: {last.line})"
