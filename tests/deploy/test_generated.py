"""What is generated and committed: it is what the code says today, and it says all of it."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from node.core.alarm import TRANSITIONS, Happening
from node.core.model import Step
from node.monitor.core.model.monitor_settings import Language
from tests.support import codes, generate
from tests.support.codes import NEXT, with_codes
from tests.support.generate import COMMAND, DOCUMENTS, ROOT, diagram, schema_document, with_diagram
from tests.support.tables import table_of_words

BEGIN, END = "<!-- transitions -->", "<!-- /transitions -->"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_committed_document_is_up_to_date(path: Path) -> None:
    """Nobody changed the code without its documents, or a document by hand."""
    committed = path.read_text(encoding="utf-8") if path.exists() else ""

    fresh = DOCUMENTS[path](committed)

    assert committed == fresh, f"{path.relative_to(ROOT)} is out of date. Next: {COMMAND}"


def test_the_command_writes_every_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that the failing test names mends what is out of date, and makes what is missing."""
    readme, schema = tmp_path / "README.md", tmp_path / "schema.json"
    readme.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    monkeypatch.setattr(generate, "DOCUMENTS", {readme: with_diagram, schema: schema_document})

    generate.main()

    assert readme.read_text(encoding="utf-8") == f"{BEGIN}\n```mermaid\n{diagram()}```\n{END}\n"
    assert schema.read_text(encoding="utf-8") == schema_document()


def test_the_diagram_has_every_transition_and_no_other() -> None:
    """Read back, with what any open call does for every open step, the diagram is the table."""
    steps = {step.value: step for step in Step} | {"[*]": Step.NORMAL}
    opened = [step for step in Step if step is not Step.NORMAL]
    drawn: dict[tuple[Step, Happening], Step] = {}

    for source, target, label in re.findall(r"^ +(\S+) --> (\S+): (.+)$", diagram(), re.MULTILINE):
        for happening in map(Happening, label.split(" / ")):
            for step in opened if source == "any" else [steps[source]]:
                drawn[step, happening] = steps[target]

    already = drawn.pop((Step.ACKNOWLEDGED, Happening.ACKNOWLEDGED))
    assert already is Step.ACKNOWLEDGED
    assert drawn == TRANSITIONS


def test_the_diagram_has_one_edge_between_two_steps() -> None:
    """Several happenings that lead from one step to the same other share an edge."""
    edges = re.findall(r"^ +(\S+ --> \S+): ", diagram(), re.MULTILINE)

    assert len(edges) == len(set(edges))


def test_the_diagram_shows_what_any_open_call_does_once() -> None:
    """An edge from any open call is drawn exactly where every other open step has that transition."""
    table = dict(TRANSITIONS)
    del table[Step.STORED, Happening.RESET]

    whole, without = diagram(), diagram(table)

    assert "    any --> [*]: reset\n" in whole
    assert whole.count("[*]: reset") == 1
    assert "    any --> [*]: reset\n" not in without
    assert without.count("[*]: reset") == 6


def test_the_diagram_tells_the_lamp() -> None:
    """Each step is drawn with what the lamp shows of it."""
    assert 'state "accepted (lamp: fast)" as accepted' in diagram()
    assert 'state "nobody (lamp: slow, even)" as nobody' in diagram()


def test_the_diagram_takes_the_place_between_its_markers() -> None:
    """What stood between the markers goes, and all around them stays."""
    readme = f"# Above\n\n{BEGIN}\nan old one\n{END}\n\nBelow\n"

    written = with_diagram(readme)

    assert written == f"# Above\n\n{BEGIN}\n```mermaid\n{diagram()}```\n{END}\n\nBelow\n"
    assert with_diagram(written) == written


@pytest.mark.parametrize("readme", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_readme_without_markers_is_left_alone(readme: str) -> None:
    """Without both markers, in their order, there is no place for what is made, and the answer says what to write."""
    with pytest.raises(ValueError, match=re.escape(f"write {BEGIN} and {END}")):
        with_diagram(readme)


@pytest.mark.parametrize("code", ["F016", "F054", "M041"])
@pytest.mark.parametrize(("language", "name"), [("en", "OPERATIONS.md"), ("de", "OPERATIONS.de.md")])
def test_a_new_code_comes_after_the_code_before_it(
    monkeypatch: pytest.MonkeyPatch, language: Language, name: str, code: str
) -> None:
    """In a section with its text, severity and next step, and in that code's row; what people add to it stays."""
    guide = (ROOT / "deploy" / "guides" / name).read_text(encoding="utf-8")
    monkeypatch.setattr(codes, "KINDS", {each: kind for each, kind in codes.KINDS.items() if each != code})
    cut = re.sub(rf"^### {code}\n.*?(?=^[#<])", "", guide, flags=re.MULTILINE | re.DOTALL)
    without = with_codes(language, cut)
    monkeypatch.undo()

    made = with_codes(language, without)

    lines = re.compile(r"^[#<|].*", re.MULTILINE)
    assert lines.findall(without) != lines.findall(cut) != lines.findall(guide)
    assert lines.findall(made) == lines.findall(guide)
    assert re.search(rf"^### {code}\n\n\*\*.+\*\* \(.+\)\n\n- {NEXT[language]}: .+\n\n[#<]", made, re.MULTILINE)
    added = re.sub(rf"(?<=### {code}\n\n)(.*\n\n)", r"\1- Meaning: more than the text says\n", made)
    assert with_codes(language, added) == added != made


@pytest.mark.parametrize(("language", "name"), [("en", "OPERATIONS.md"), ("de", "OPERATIONS.de.md")])
def test_a_code_that_people_move_stays_in_its_row(language: Language, name: str) -> None:
    """The row of the code before it is only a first guess."""
    guide = (ROOT / "deploy" / "guides" / name).read_text(encoding="utf-8")

    moved = guide.replace("F045, F047", "F047").replace("| F020, F058, F059 |", "| F020, F045, F058, F059 |")

    assert moved.count("F045, F047") == 0
    assert moved.count("| F020, F045, F058, F059 |") == 1
    assert with_codes(language, moved) == moved


def test_what_is_declared_without_a_text_is_named() -> None:
    """It would be missing on the page."""

    class Untold(StrEnum):
        FIRST = "first"
        """it has one"""
        SECOND = "second"

    with pytest.raises(ValueError, match=re.escape("Untold.SECOND has no text: write below it what it means")):
        table_of_words(Untold, "word | means")
