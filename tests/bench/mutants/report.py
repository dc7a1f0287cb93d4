"""What a run came to: a table, every survivor, and what is wrong with accepted.toml."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.bench.mutants.mutations import Key, Mutant
from tests.bench.mutants.trial import Outcome

WANTED = 0.95
"""This part of the mutants of each core is killed, or the run fails. A mutant that never ends counts as killed."""

Results = Sequence[tuple[Mutant, Outcome]]


def accepted(file: Path) -> dict[Key, str]:
    """The reason of each mutant that may survive; ValueError where an entry has none or stands there twice."""
    found: dict[Key, str] = {}
    for entry in tomllib.loads(file.read_text("utf-8")).get("accepted", []):
        if entry.keys() != {"scope", "was", "now", "reason"} or not all(
            isinstance(each, str) for each in entry.values()
        ):
            raise ValueError(f"{file}: an entry has scope, was, now and reason, each a text: {entry}")
        key = entry["scope"], entry["was"], entry["now"]
        if not entry["reason"] or key in found:
            raise ValueError(f"{file}: an entry has a reason, and stands there once: {entry}")
        found[key] = entry["reason"]
    return found


@dataclass(frozen=True)
class Report:
    """The results of the mutants of each core, beside what may survive; ``fits``: whether there is such a mutant."""

    results: Mapping[str, Results]
    reasons: Mapping[Key, str]
    fits: Callable[[Key], bool]

    @property
    def failures(self) -> list[str]:
        """Why this run fails; empty when it passes."""
        few = [
            f"{core}: {rate:.1%} killed, and {WANTED:.0%} is wanted" for core, rate in self._rates() if rate < WANTED
        ]
        strange = [f"{each}: it survives and isn't accepted" for each in self.survivors if each.key not in self.reasons]
        return few + strange + self.stale

    @property
    def survivors(self) -> list[Mutant]:
        """Every mutant that survived."""
        return [each for results in self.results.values() for each, what in results if what is Outcome.SURVIVED]

    @property
    def stale(self) -> list[str]:
        """What accepted.toml says that isn't so."""
        tried = {each.key for results in self.results.values() for each, _ in results}
        survivors = {each.key for each in self.survivors}
        lost = [key for key in self.reasons if key not in tried and not self.fits(key)]
        killed = [key for key in self.reasons if key in tried and key not in survivors]
        return [f"accepted.toml: {_text(key)} fits no mutant" for key in lost] + [
            f"accepted.toml: {_text(key)} is killed" for key in killed
        ]

    def show(self, console: Console) -> None:
        """Print all of it."""
        for each in self.survivors:
            console.print(f"\n{each} survived", style="bold", highlight=False, markup=False)
            reason = self.reasons.get(each.key)
            console.print(f"  - {each.was}\n  + {each.now}", highlight=False, markup=False)
            console.print(f"  accepted: {reason}" if reason else _entry(each), highlight=False, markup=False)
        console.print()
        console.print(self._table())
        for line in self.failures:
            console.print(line, style="red", highlight=False, markup=False)

    def _rates(self) -> list[tuple[str, float]]:
        return [
            (core, sum(what is not Outcome.SURVIVED for _, what in results) / len(results))
            for core, results in self.results.items()
            if results
        ]

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)  # with a frame it needs more than 80 columns
        for heading in ("folder", "mutants", "killed", "timed out", "survived", "accepted", "rate"):
            table.add_column(heading, justify="left" if heading == "folder" else "right", no_wrap=True)
        for core, rate in self._rates():
            outcomes = [what for _, what in self.results[core]]
            fine = [each for each, what in self.results[core] if what is Outcome.SURVIVED and each.key in self.reasons]
            counts = [str(outcomes.count(each)) for each in (Outcome.KILLED, Outcome.TIMED_OUT, Outcome.SURVIVED)]
            table.add_row(core, str(len(outcomes)), *counts, str(len(fine)), f"{rate:.1%}")
        return table


def _text(key: Key) -> str:
    scope, was, now = key
    return f"{scope or 'module'}: {was} -> {now}"


def _entry(mutant: Mutant) -> str:
    """What to write into accepted.toml, where a test is of no use."""
    fields = zip(("scope", "was", "now", "reason"), (*mutant.key, "…"), strict=True)
    return "\n".join(["  [[accepted]]", *(f"  {name} = {_quoted(value)}" for name, value in fields)])


def _quoted(text: str) -> str:
    return (
        f"'{text}'" if '"' in text and "'" not in text else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
