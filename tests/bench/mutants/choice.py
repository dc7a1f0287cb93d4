"""Which tests a mutant is tried with: those that reach its lines, the fastest first, and then those of properties.

What was found out about the tests is kept in build/mutants until the core or its tests change.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.mutants.mutations import Mutant

LEAST_S, TIMES = 10.0, 10.0
"""A test may take LEAST_S and TIMES its own time. What takes longer with a mutant never ends, or as good as never."""
PROPERTY_S = 120.0
"""So much for a test of properties, as pytest-timeout gives every test (pyproject.toml)."""


@dataclass(frozen=True)
class Tests:
    """What is known of the tests of one core.

    ``names`` and ``seconds``: each test, and how long it took. ``reached``: for each line (as text) of each file the
    numbers of the tests that reach it. ``properties``: the tests of properties.
    """

    names: list[str]
    seconds: list[float]
    reached: Mapping[str, Mapping[str, list[int]]]
    properties: list[str]

    def of(self, mutant: Mutant) -> dict[str, float]:
        """The tests for this mutant in their order, with the seconds that each may take.

        Where no test reaches a line, the import alone does. Then everything may depend on it.
        """
        lines = self.reached.get(mutant.path, {})
        first, last = mutant.lines
        direct = {test for line in range(first, last + 1) for test in lines.get(str(line), ())}
        near = {test for tests in lines.values() for test in tests}
        chosen = [direct] if direct else [near, set(range(len(self.names))) - near]
        ordered = [test for tests in chosen for test in sorted(tests, key=lambda each: (self.seconds[each], each))]
        allowed = {self.names[test]: LEAST_S + TIMES * self.seconds[test] for test in ordered}
        return allowed | dict.fromkeys(self.properties, PROPERTY_S)


def read(file: Path) -> Tests:
    """What the run with ``plugin.MAP`` wrote."""
    return Tests(**json.loads(file.read_text("utf-8")))


def fingerprint(tree: Path, *folders: str) -> str:
    """It is another one when any file of these folders, or of what both cores are built on, changes."""
    found = hashlib.sha256()
    for file in sorted(
        file for folder in {*folders, "node/core", "node/protocol"} for file in (tree / folder).rglob("*.py")
    ):
        found.update(f"{file.relative_to(tree)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]
