"""The pages for engineers (deploy/design): whatever cites them names what is there, and they say what the code says.

A citation is a page and, where it means a part of it, one number: "PROTOCOL.md 7.2", "HAZARDS.md H7". The number is
that of a heading.
"""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import msgspec
import pytest

from node.core import commands
from node.core.model import EventKind
from node.protocol import messages, monitor_messages, schema

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "deploy" / "design"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DESIGN.glob("*.md"))}
PROTOCOL, HAZARDS = PAGES["PROTOCOL.md"], PAGES["HAZARDS.md"]
DESIGN_NAMES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "HAZARDS.md", "PROTOCOL.md")
PAGE = re.compile(rf"\b({'|'.join(map(re.escape, DESIGN_NAMES))})\b(?:\)?[ ](H\d+|\d+(?:\.\d+)*)\b)?")
EXAMPLES = re.findall(r"^```json (\w+)\n(.*?)^```$", PROTOCOL, re.MULTILINE | re.DOTALL)
WRITTEN = {".acl", ".conf", ".md", ".py", ".service", ".toml"}
CODE = re.compile(r"`((?:node|tests|deploy)/[\w./-]+|pyproject\.toml)(?:::(\w+))?`")
CONSTANT = re.compile(r"^\| [^|]+ \| ([\d,.]+)[^|]* \| `(node[\w.]+)\.([A-Z_]+)` \|$", re.MULTILINE)


def headings(page: str) -> list[str]:
    """The numbers of a page's headings: "7", "7.2", "H7"."""
    return re.findall(r"^#+ (H\d+|\d+(?:\.\d+)*)\.? ", page, re.MULTILINE)


def citations(text: str) -> list[tuple[str, str]]:
    """Which pages a text cites, each with the number of a heading or without one. A line may end before the number."""
    return PAGE.findall(re.sub(r"\n[ #]*", " ", text))


def first_column(page: str, number: str) -> list[str]:
    """What the table is about that stands below the heading with this number."""
    return re.findall(r"^\| ([\w-]+) \|", section(page, number), re.MULTILINE)[2:]


def section(page: str, number: str) -> str:
    """What stands below the heading with this number, to the next heading."""
    below = re.split(rf"^#+ {re.escape(number)} .*$", page, maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0]


@cache
def members() -> dict[str, frozenset[str]]:
    """Of every class by its name: what it defines, and what its methods use of ``self``."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "node").rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for each in ast.walk(module):
            if isinstance(each, ast.ClassDef):
                given = (inner.attr for inner in ast.walk(each) if isinstance(inner, ast.Attribute))
                found.setdefault(each.name, set()).update(filter(None, map(_defined, each.body)), given)
    return {name: frozenset(each) for name, each in found.items()}


def _defined(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return statement.name
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) else None


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The names of the functions in this file, tests among them."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(each.name for each in nodes if isinstance(each, ast.FunctionDef))


def texts() -> dict[str, str]:
    """Every file that may cite, by its path, but for this one: its samples cite what there needn't be."""
    paths = [ROOT / "README.md", *(path for name in ("deploy", "node", "tests") for path in (ROOT / name).rglob("*"))]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted(paths)
        if path.is_file() and path.suffix in WRITTEN and path != Path(__file__)
    }


TEXTS = texts()
CITING = [path for path, text in TEXTS.items() if citations(text) or "deploy/design/" in text]


@pytest.mark.parametrize("path", CITING)
def test_a_citation_leads_to_a_page_and_a_heading(path: str) -> None:
    """Who follows a comment finds what it means."""
    missing = {
        (name, number)
        for name, number in citations(TEXTS[path])
        if name not in PAGES or (number and number not in headings(PAGES[name]))
    }

    assert missing == set()


@pytest.mark.parametrize("path", CITING)
def test_a_page_that_is_named_with_its_place_is_there(path: str) -> None:
    """A page of any other name may stand in deploy/design, too."""
    named = re.findall(r"\bdeploy/design/([\w.-]+\.md)\b", TEXTS[path])

    assert set(named) <= PAGES.keys()


def test_nothing_cites_a_page_by_its_former_name() -> None:
    """The pages once lay elsewhere, in small letters, and without numbers."""
    former = [path for path, text in TEXTS.items() if re.search(r"\b(protocol|hazards)\.md\b", text)]

    assert former == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("PROTOCOL.md", [("PROTOCOL.md", "")]),
        ("(PROTOCOL.md 7.2)", [("PROTOCOL.md", "7.2")]),
        ("[HAZARDS.md](HAZARDS.md) H7, H8", [("HAZARDS.md", ""), ("HAZARDS.md", "H7")]),
        ("as HAZARDS.md\n    H14. says", [("HAZARDS.md", "H14")]),
        ("# HAZARDS.md\n# H14", [("HAZARDS.md", "H14")]),
        ("deploy/design/PROTOCOL.md 4.", [("PROTOCOL.md", "4")]),
        ("PROTOCOL.md's limit, protocol.md", [("PROTOCOL.md", "")]),
        ("MONITOR.md 4", []),
    ],
)
def test_a_citation_is_known_when_it_is_seen(text: str, found: list[tuple[str, str]]) -> None:
    """What isn't recognised would never be missed."""
    assert citations(text) == found


@pytest.mark.parametrize("name", PAGES)
def test_a_number_is_given_once(name: str) -> None:
    """Two headings of one number would make a citation mean both."""
    numbers = headings(PAGES[name])

    assert len(numbers) == len(set(numbers))


def test_the_hazards_are_numbered_from_the_first_to_the_last() -> None:
    """No number is left out, so that none is given again by mistake."""
    numbers = [int(each[1:]) for each in headings(HAZARDS)]

    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("number", headings(HAZARDS))
def test_a_hazard_says_what_happens_what_is_done_and_what_shows_it(number: str) -> None:
    """Where no test shows it, that is said."""
    below = re.split(rf"^### {number} .*$", HAZARDS, maxsplit=1, flags=re.MULTILINE)[1]
    part = re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0]

    said = re.findall(r"^- (\w+): ", part, re.MULTILINE)

    assert said == ["Happens", "Answer", "Test"]
    assert "::test_" in part.partition("- Test: ")[2] or "- Test: none" in part


@pytest.mark.parametrize("name", PAGES)
def test_every_file_and_test_that_a_page_names_is_there(name: str) -> None:
    """A file that was moved, or a test that was renamed, is moved or renamed on the page as well."""
    named = CODE.findall(PAGES[name])

    missing = [
        (place, test)
        for place, test in named
        if not (ROOT / place).exists() or (test and test not in functions_of(ROOT / place))
    ]

    assert missing == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_method_that_a_page_names_is_there(name: str) -> None:
    """`Class.method`: a page that follows a press must not lead to what was renamed."""
    named = set(re.findall(r"`([A-Z]\w*)\.(\w+)(?:\([^`]*\))?`", PAGES[name]))

    assert [
        (owner, member)
        for owner, member in sorted(named)
        if owner in members() and member not in {"py", *members()[owner]}
    ] == []


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_an_example_of_the_protocol_is_valid(name: str, text: str) -> None:
    """It is of the type behind its fence, and has no field beside."""
    kind = getattr(messages, name, None) or getattr(monitor_messages, name)

    msgspec.json.decode(text, type=kind)
    beside = set(msgspec.json.decode(text)) - {field.encode_name for field in msgspec.structs.fields(kind)}

    assert beside == set()


def test_every_message_has_an_example() -> None:
    """Those of the schema, and no other. ``MonitorMessage`` is but the part of ``MonitorState`` that a node reads."""
    published = {each.__name__ for each in schema.MESSAGES} - {"MonitorMessage"}

    assert {name for name, _ in EXAMPLES} == published


def test_every_kind_of_event_is_in_the_protocol() -> None:
    """None is missing, and none is there that no node says."""
    assert sorted(first_column(PROTOCOL, "6.3")) == sorted(EventKind)


def test_every_action_is_in_the_protocol() -> None:
    """None is missing, and none is there that no node does."""
    assert sorted(first_column(PROTOCOL, "9.3")) == sorted(commands.ACTIONS)


def test_every_limit_of_the_protocol_is_the_codes() -> None:
    """A number that is changed in the code is changed on the page as well."""
    limits = CONSTANT.findall(PROTOCOL)

    told = {f"{module}.{name}": float(number.replace(",", "")) for number, module, name in limits}

    assert told == {f"{module}.{name}": getattr(importlib.import_module(module), name) for _, module, name in limits}
    assert len(told) == PROTOCOL.count("| `node.")


def test_every_section_that_the_protocol_names_is_there() -> None:
    """The page cites itself by "section 7.2", or by the number alone in brackets."""
    named = re.findall(r"\bsection (\d+(?:\.\d+)?)|\((\d+(?:\.\d+)?)(?:, (\d+(?:\.\d+)?))?\)", PROTOCOL)

    assert {each for groups in named for each in groups if each} <= set(headings(PROTOCOL))
