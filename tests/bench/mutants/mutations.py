"""The mutants of a folder: each is its code with one small change.

1. What can't matter to a test isn't changed: annotations, unions of types, the ``*`` before keyword-only arguments.
2. A change that isn't Python, or that means the same, is no mutant.
3. A mutant is known by its function or class and the text of its change: it stays the same when code around it moves.
"""

import ast
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from pathlib import Path

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code

from tests.bench.mutants.operators import Position, operators

Key = tuple[str, str, str]
"""What a mutant is known by: its scope, and the text before and after."""


@dataclass(frozen=True)
class Mutant:
    """A change of the file ``path`` (from the top of the tree).

    ``lines``: the first and last line of the statement that is changed, or of its head where others stand within it.
    ``scope``: the function or class that it is in, or ""; ``was`` and ``now``: the changed text.
    """

    path: str
    lines: tuple[int, int]
    line: int
    scope: str
    was: str
    now: str
    code: str

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.scope, self.was, self.now

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.scope or 'module'}"


@dataclass(frozen=True)
class Place:
    """Where an operator can change something: its ``number``-th place in ``part`` of a file."""

    path: str
    lines: tuple[int, int]
    line: int
    scope: str
    operator: str
    number: int
    before: str
    part: str
    after: str

    def mutant(self) -> Mutant | None:
        """The mutant; None where what comes of it isn't Python or means the same."""
        around = _around(self.part)
        code = around + self.part
        changed = mutate_code(code, operators()[self.operator], self.number)
        if changed is None or _meaning(changed) in {_meaning(code), None}:
            return None
        changed = changed.removeprefix(around)
        was, now = _changed(self.part, changed)
        return Mutant(self.path, self.lines, self.line, self.scope, was, now, self.before + changed + self.after)


def places(tree: Path, folder: str) -> list[Place]:
    """Each place in the files below ``folder``, in their order."""
    files = sorted((tree / folder).rglob("*.py"))
    return [each for file in files for each in places_in(file.relative_to(tree).as_posix(), file.read_text("utf-8"))]


def sample(all_of_them: Iterable[Place], seed: int, size: int) -> list[Mutant]:
    """So many mutants. Which are drawn depends on the seed and on their own code, not on what else there is."""

    def drawn(each: Place) -> tuple[float, str, int]:
        name = f"{seed} {each.scope} {each.operator} {each.number} {each.part}"
        return random.Random(name).random(), each.path, each.line  # noqa: S311 - it is no secret

    found = filter(None, map(Place.mutant, sorted(all_of_them, key=drawn)))
    return sorted(islice(found, size), key=lambda each: (each.path, each.line))


def places_in(path: str, code: str) -> Iterator[Place]:
    """Each place in one file."""
    file, lines = _File(code), code.splitlines(keepends=True)
    for first, last in file.parts:
        before, part, after = ("".join(each) for each in (lines[: first - 1], lines[first - 1 : last], lines[last:]))
        around = _around(part)
        skipped = first - 1 - around.count("\n")
        nodes = list(ast_nodes(parso.parse(around + part)))
        for name, operator in operators().items():
            starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
            for number, (within, column) in enumerate(starts):
                line = skipped + within
                if not file.is_about_types((line, column)):
                    yield Place(path, file.statement(line), line, file.scope(line), name, number, before, part, after)


def _around(part: str) -> str:
    """What goes before a part, so that it can be parsed by itself."""
    return "class _:\n" if part[:1].isspace() else ""


class _File:
    """What the syntax tree of a file tells of its lines."""

    def __init__(self, code: str) -> None:
        self._code = code.splitlines()
        self.tree = ast.parse(code)

    @cached_property
    def parts(self) -> list[tuple[int, int]]:
        """First and last line of each statement of the module, and of each one in a class: what is parsed by itself."""
        return list(self._parts_of(self.tree))

    def _parts_of(self, parent: ast.Module | ast.ClassDef) -> Iterator[tuple[int, int]]:
        for each in parent.body:
            if isinstance(each, ast.ClassDef):
                yield from self._parts_of(each)
            else:
                yield each.lineno, each.end_lineno or 0

    def statement(self, line: int) -> tuple[int, int]:
        """First and last line of the smallest statement there; of a compound one only its head."""
        within = [each for each in self._statements if each[0] <= line <= each[1]]
        return min(within, key=lambda each: each[1] - each[0])

    def scope(self, line: int) -> str:
        """The innermost function or class of this line, with the class that it is in."""
        within = [(last - first, name) for first, last, name in self._scopes if first <= line <= last]
        return min(within, default=(0, ""))[1]

    def is_about_types(self, start: Position) -> bool:
        """Whether it is an annotation, a union of types outside any function, or the mark of keyword-only arguments."""
        text = self._code[start[0] - 1][start[1] :]
        if text.startswith("*,") or (text.startswith("|") and not self._is_in_function(start[0])):
            return True
        at = start[0], len(self._code[start[0] - 1][: start[1]].encode())
        return any(first <= at < last for first, last in self._annotations)

    @cached_property
    def _statements(self) -> list[tuple[int, int]]:
        found = []
        for each in ast.walk(self.tree):
            if isinstance(each, ast.Match):
                found.append((each.lineno, each.cases[0].pattern.lineno - 1))
            elif isinstance(each, ast.match_case):
                found.append((each.pattern.lineno, max(each.pattern.lineno, each.body[0].lineno - 1)))
            elif isinstance(each, ast.stmt | ast.ExceptHandler):
                body: list[ast.stmt] = getattr(each, "body", [])
                last = max(each.lineno, body[0].lineno - 1) if body else each.end_lineno or 0
                found.append((each.lineno, last))
        return found

    def _is_in_function(self, line: int) -> bool:
        return any(first <= line <= last for first, last in self._functions)

    @cached_property
    def _functions(self) -> list[tuple[int, int]]:
        found = [each for each in ast.walk(self.tree) if isinstance(each, ast.FunctionDef)]
        return [(each.lineno, each.end_lineno or 0) for each in found]

    @cached_property
    def _scopes(self) -> list[tuple[int, int, str]]:
        return list(self._scopes_in(self.tree, ""))

    def _scopes_in(self, parent: ast.AST, prefix: str) -> Iterator[tuple[int, int, str]]:
        for each in ast.iter_child_nodes(parent):
            if isinstance(each, ast.FunctionDef | ast.ClassDef):
                yield each.lineno, each.end_lineno or 0, prefix + each.name
                yield from self._scopes_in(each, f"{prefix}{each.name}.")
            else:
                yield from self._scopes_in(each, prefix)

    @cached_property
    def _annotations(self) -> list[tuple[Position, Position]]:
        nodes = list(ast.walk(self.tree))
        found: list[ast.expr | None] = [each.annotation for each in nodes if isinstance(each, ast.arg | ast.AnnAssign)]
        found += [each.returns for each in nodes if isinstance(each, ast.FunctionDef)]
        return [
            ((each.lineno, each.col_offset), (each.end_lineno or 0, each.end_col_offset or 0)) for each in found if each
        ]


@cache
def _meaning(code: str) -> str | None:
    try:
        return ast.dump(ast.parse(code))
    except SyntaxError:
        return None


def _changed(code: str, mutated: str) -> tuple[str, str]:
    """The lines that differ, before and after, without comments and layout."""
    was, now = code.splitlines(), mutated.splitlines()
    while was and now and was[0] == now[0]:
        del was[0], now[0]
    while was and now and was[-1] == now[-1]:
        del was[-1], now[-1]
    return _plain(was), _plain(now)


def _plain(lines: Iterable[str]) -> str:
    text = " ".join(re.sub(r"  # .*", "", line) for line in lines)
    return re.sub(r"(?<=[(\[{]) | (?=[:,)\]}])", "", " ".join(text.split()))
