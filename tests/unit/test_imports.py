"""The core's imports: a list of what is allowed, where the contract in pyproject.toml lists what is known as wrong."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import node.core

CORE = Path(node.core.__file__).parent
ALLOWED = {
    "__future__",
    "bisect",
    "collections",
    "collections.abc",
    "enum",
    "functools",
    "itertools",
    "math",
    "msgspec",
    "msgspec.structs",
    "node",
    "typing",
}


def strangers(source: str) -> list[str]:
    """The modules that this source imports and the core may not, sorted; a relative import is one, as ``.name``."""
    imported = {name for statement in ast.walk(ast.parse(source)) for name in _imported(statement)}
    return sorted(name for name in imported if name not in ALLOWED and not name.startswith("node."))


def _imported(statement: ast.AST) -> Iterator[str]:
    match statement:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, level=level):
            yield "." * level + (module or "")


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_a_file_of_the_core_imports_nothing_with_hands_or_a_clock(path: Path) -> None:
    """Whatever the core needs beyond pure tools comes to it as data."""
    source = path.read_text(encoding="utf-8")

    found = strangers(source)

    assert found == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time", ["time"]),
        ("from os import path", ["os"]),
        ("import concurrent.futures as futures", ["concurrent.futures"]),
        ("def late():\n    import gpiozero", ["gpiozero"]),
        ("import math, random", ["random"]),
        ("from . import events", ["."]),
        ("from nodes import core", ["nodes"]),
        ("from collections.abc import Mapping\nfrom node.core.events import Event", []),
    ],
)
def test_a_stranger_is_found_wherever_it_is_imported(source: str, expected: list[str]) -> None:
    """A module that isn't on the list is found at any depth and in any spelling, and one that is on it isn't."""
    found = strangers(source)

    assert found == expected
