"""Of the tool itself: what it changes, how it tries that, and what it makes of the outcome."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from cosmic_ray.mutating import mutate_code
from rich.console import Console

from tests.bench.mutants import choice
from tests.bench.mutants.mutations import Key, Mutant, places_in, sample
from tests.bench.mutants.operators import operators
from tests.bench.mutants.report import Report, accepted
from tests.bench.mutants.trial import BadRunError, Outcome, Tree

HERE = Path(__file__).parent
TOP = next(each for each in HERE.parents if each.name == "tests").parent
CODE = """\
def over(value: int | None) -> bool:
    while value is None:
        value = 5
    return value > 3


def both(*, one: bool) -> bool:
    return one
"""
TESTS = """\
from node.core.limit import over


def test_of_more() -> None:
    assert over(4)


def test_of_less() -> None:
    assert not over(2)


def test_of_nothing() -> None:
    assert over(None)
"""
CONFTEST = "from tests.support.examples import register_profiles\n\nregister_profiles()\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A copy of a tree of one module with its tests, and this tool."""
    source = tmp_path / "source"
    for file, text in {
        "node/__init__.py": "",
        "node/core/__init__.py": "",
        "node/core/limit.py": CODE,
        "tests/__init__.py": "",
        "tests/conftest.py": CONFTEST,
        "tests/core/test_limit.py": TESTS,
    }.items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text, "utf-8")
    shutil.copytree(HERE, source / HERE.relative_to(TOP), ignore=shutil.ignore_patterns("test_*"))
    shutil.copytree(TOP / "tests/support", source / "tests/support", ignore=lambda *_: {"__pycache__"})
    made = Tree(tmp_path / "copy")
    made.copy_from(source)
    return made


def test_a_mutant_that_a_test_notices_is_killed_and_another_survives(tree: Tree) -> None:
    """2 and 4 are tried, so that 3 itself may count or not. What never ends is told apart."""
    tree.map(["tests/core"], tree.path / "map.json")
    tests = choice.read(tree.path / "map.json")

    outcomes = {each.now: tree.attempt(each, tests.of(each)) for each in _mutants(CODE) if "return value" in each.now}
    hung = next(each for each in _mutants(CODE) if "is not None" in each.now)

    assert outcomes == {
        "return value >= 3": Outcome.SURVIVED,
        "return value <= 3": Outcome.KILLED,
        "return value > 4": Outcome.KILLED,
        "return value > 2": Outcome.SURVIVED,
    }
    assert tree.attempt(hung, {"tests/core/test_limit.py::test_of_more": 0.5}) is Outcome.TIMED_OUT
    assert (tree.path / "node/core/limit.py").read_text("utf-8") == CODE


def test_tests_that_fail_by_themselves_say_nothing_about_mutants(tree: Tree) -> None:
    """Every mutant would look killed."""
    with (tree.path / "tests/core/test_limit.py").open("a", encoding="utf-8") as file:
        file.write("\n\ndef test_wrong() -> None:\n    assert over(0)\n")

    with pytest.raises(BadRunError, match="1 failed"):
        tree.map(["tests/core"], tree.path / "map.json")


@pytest.mark.parametrize("operator", operators())
def test_each_operator_does_what_its_examples_say(operator: str) -> None:
    """Those of Cosmic Ray as well: another version may have others."""
    made = operators()[operator]

    examples = made.examples()

    for each in examples:
        assert mutate_code(each.pre_mutation_code, made, each.occurrence) == each.post_mutation_code


def test_types_are_left_alone() -> None:
    """No test can tell them apart; neither can it a mutant that isn't Python."""
    assert [(each.scope, each.was, each.now) for each in _mutants("type_ = int | str\n" + CODE)] == [
        (each.scope, each.was, each.now) for each in _mutants(CODE)
    ]
    assert {each.scope for each in _mutants(CODE)} == {"over"}


def test_a_call_that_is_never_reached_is_left_alone() -> None:
    """``assert_never`` is there for the type checker."""
    code = "def begin(value: Never) -> None:\n    log(value)\n    assert_never(value)\n"

    assert [(each.was, each.now) for each in _mutants(code)] == [("log(value)", "pass")]


def test_a_sample_stays_the_same_when_other_code_moves() -> None:
    """Only its seed and its own function decide about a mutant."""
    before = sample(places_in("node/core/limit.py", CODE), 7, 3)
    after = sample(places_in("node/core/elsewhere.py", "LIMIT = None\n\n\n" + CODE), 7, 3)

    assert [each.key for each in before] == [each.key for each in after]
    assert [each.line + 3 for each in before] == [each.line for each in after]


def test_a_survivor_fails_the_run_unless_it_is_accepted() -> None:
    """And so do too few that are killed, whether accepted or not."""
    survivor, *killed = _mutants(CODE)
    results = {"node/core": [(survivor, Outcome.SURVIVED), *((each, Outcome.KILLED) for each in killed * 5)]}

    assert _report(results, {}).failures == ["node/core/limit.py:2 over: it survives and isn't accepted"]
    assert _report(results, {survivor.key: "it is the same"}).failures == []
    few = {"node/core": results["node/core"][:2]}
    assert _report(few, {survivor.key: "it is the same"}).failures == ["node/core: 50.0% killed, and 95% is wanted"]


def test_the_table_is_whole_on_a_narrow_terminal() -> None:
    """80 columns are what a terminal and a pipe have at least."""
    results = {"node/monitor/core": [(each, Outcome.KILLED) for each in _mutants(CODE)]}
    console = Console(width=80, soft_wrap=True, file=StringIO(), record=True)

    _report(results, {}).show(console)

    shown = console.export_text()
    count = str(len(results["node/monitor/core"]))
    assert [line.split() for line in shown.splitlines() if "node" in line or "folder" in line] == [
        ["folder", "mutants", "killed", "timed", "out", "survived", "accepted", "rate"],
        ["node/monitor/core", count, count, "0", "0", "0", "100.0%"],
    ]


def test_an_entry_that_is_outdated_fails_the_run() -> None:
    """One whose mutant is killed by now, and one whose code is gone."""
    killed = _mutants(CODE)[0]
    gone = ("over", "return value > 9", "return value >= 9")

    told = _report({"node/core": [(killed, Outcome.KILLED)]}, {killed.key: "no use", gone: "no use"})

    assert told.failures == [
        "accepted.toml: over: return value > 9 -> return value >= 9 fits no mutant",
        f"accepted.toml: over: {killed.was} -> {killed.now} is killed",
    ]


def test_what_is_accepted_has_a_reason_and_fits_the_code(tmp_path: Path) -> None:
    """The file of this tree is read as well; an entry without its reason is refused."""
    scopes = {scope for scope, _, _ in accepted(HERE / "accepted.toml")}
    wrong = tmp_path / "accepted.toml"
    wrong.write_text('[[accepted]]\nscope = "f"\nwas = "a"\nnow = "b"\nreason = ""\n', "utf-8")

    assert [scope for scope in scopes if not _is_there(scope)] == []
    assert not _is_there("nobody")
    with pytest.raises(ValueError, match="an entry has a reason"):
        accepted(wrong)


def _is_there(scope: str) -> bool:
    """Whether one of the cores has a place of this scope; only files that define its name are searched for places."""
    texts = [
        file.read_text("utf-8") for core in ("node/core", "node/monitor/core") for file in (TOP / core).rglob("*.py")
    ]
    name = scope.rpartition(".")[2]
    defining = [text for text in texts if f"def {name}(" in text or f"class {name}" in text]
    return any(place.scope == scope for text in defining for place in places_in("", text))


def _mutants(code: str) -> list[Mutant]:
    return [made for each in places_in("node/core/limit.py", code) if (made := each.mutant()) is not None]


def _report(results: dict[str, list[tuple[Mutant, Outcome]]], reasons: dict[Key, str]) -> Report:
    return Report(results, reasons, lambda _: False)
