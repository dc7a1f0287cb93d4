"""The house: what each room is for, how many rooms a floor has, and how long a file may be."""

import ast
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "node").rglob("*.py"))
FLOORS = sorted({path.parent for path in MODULES})
TESTS = sorted((ROOT / "tests").rglob("*.py"))

ROOMS = 9
WIDE = {"node", "node/core"}
"""``node/core`` is flat: one file for each subject. ``node`` has nine folders and three files."""

PATCHES = ("setattr", "delattr", "patch")

LONGEST, USUAL, LONGEST_TEST = 350, 120, 500
"""Lines: of any module, of half of them, of any file of tests."""


def name(path: Path) -> str:
    """The path as it is written in the pages."""
    return str(path.relative_to(ROOT))


def lines(path: Path) -> int:
    """How many lines this file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def rooms(floor: Path) -> list[str]:
    """What one sees on entering: files and folders of code, without what only opens the door."""
    doors = ("__init__.py", "__main__.py", "__pycache__")
    folders = [path.name for path in floor.iterdir() if path.is_dir() and path.name not in doors]
    return [*folders, *(path.name for path in floor.glob("*.py") if path.name not in doors)]


@pytest.mark.parametrize("floor", FLOORS, ids=map(name, FLOORS))
def test_a_room_says_in_one_line_what_it_is_for(floor: Path) -> None:
    """A newcomer reads the first line of each ``__init__`` and knows where to go."""
    if "versions" in floor.parts:
        return  # migrations are found by their numbers, and imported by nobody
    purpose = ast.get_docstring(ast.parse((floor / "__init__.py").read_text(encoding="utf-8")))

    assert purpose
    assert "\n" not in purpose.split("\n\n")[0]


def test_no_floor_has_more_rooms_than_one_can_see() -> None:
    """At most nine."""
    wide = {name(floor): len(rooms(floor)) for floor in FLOORS if len(rooms(floor)) > ROOMS}

    assert wide.keys() == WIDE, wide


def test_no_file_is_too_long_to_read_in_one_go() -> None:
    """Modules, and files of tests."""
    long = {name(path): lines(path) for path in MODULES if lines(path) > LONGEST}
    long_tests = {name(path): lines(path) for path in TESTS if lines(path) > LONGEST_TEST}

    assert long == {}
    assert long_tests == {}
    assert median(map(lines, MODULES)) <= USUAL


def test_no_test_patches_what_it_names_in_a_string() -> None:
    """A module may move: the type checker then finds every import of it, and no string."""
    by_name = [
        f"{name(path)}:{call.lineno}"
        for path in TESTS
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in PATCHES
        if call.args and isinstance(call.args[0], ast.Constant | ast.JoinedStr)
    ]

    assert by_name == []


def test_every_thread_tells_the_kernel_its_name() -> None:
    """By ``new_thread``: `ps -T` and `top -H` would call the others by the program's name."""
    nameless = [
        f"{name(path)}:{call.lineno}"
        for path in MODULES
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in ("Thread", "Timer")
    ]

    assert [each.partition(":")[0] for each in nameless] == ["node/threads.py"]
