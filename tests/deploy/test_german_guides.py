"""The German guides say what the English ones say, as far as a program can compare two languages.

Section by section: the same places to link to, code, links, numbers and shape. Only these may differ: words, the page's
title, comments in code blocks, and what a person writes in words of their own (OWN_WORDS).
"""

import re
from collections import Counter
from collections.abc import Callable

import pytest

from node.errors.faults import FAULTS
from node.monitor.core.model.catalogue import FINDINGS
from node.monitor.locale.translation import catalog
from tests.deploy.test_guides import GUIDES, spelt

GERMAN = {name: name.replace(".de.md", ".md") for name in sorted(GUIDES) if name.endswith(".de.md")}
"""Each German guide, and the English one."""

OWN_WORDS = {"neues Kabel": "new cable"}
TEXTS = {code: fault.text for code, fault in FAULTS.items()} | {code: kind.text for code, kind in FINDINGS.items()}

Facts = Counter[str]
Where = tuple[str, str]

TITLE: Where = ("#", "")
"""Of a page; nobody links to it."""


def sections(guide: str) -> list[tuple[Where, str]]:
    """Each heading's level and the place that a link names, with what stands below it."""
    parts = re.split(r'^(?:<a id="([a-z0-9-]+)"></a>\n)?(#+) (.*)\n', guide, flags=re.MULTILINE)[1:]
    headings = zip(*(parts[each::4] for each in range(4)), strict=True)
    return [
        ((level, anchor or spelt(title)) if level != "#" else TITLE, body) for anchor, level, title, body in headings
    ]


def code_blocks(body: str) -> Facts:
    """Blocks of code, without comments; those of a step are indented. One that is part of a file says its kind."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", body, re.MULTILINE | re.DOTALL)
    return Counter(f"{kind}\n" + re.sub(r" +# .*", "", block) for _, kind, block in blocks)


def inline_code(body: str) -> Facts:
    """The spans of code in the text."""
    for german, english in OWN_WORDS.items():
        body = body.replace(german, english)
    return Counter(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", body))


def links(body: str) -> Facts:
    """Where links lead; the same guide in the other language is the same target."""
    return Counter(re.sub(r"\.de\.md\b", ".md", target) for target in re.findall(r"\]\(([^)]+)\)", body))


def numbers(body: str) -> Facts:
    """Numbers and codes, wherever they stand."""
    return Counter(re.findall(r"[EFM]?\d+", body))


def shape(body: str) -> Facts:
    """How many rows of tables, points of lists and bold words there are."""
    kinds = {"row": r"^\|", "point": r"^- ", "step": r"^\d+\. ", "bold": r"\*\*\S[^*]*\*\*"}
    return Counter({kind: len(re.findall(pattern, body, re.MULTILINE)) for kind, pattern in kinds.items()})


def test_the_guides_for_the_house_are_there_in_german() -> None:
    """Whoever installs and whoever works with it reads these; RELIABILITY is for whoever judges."""
    assert set(GERMAN) == {"CARD.de.md", "INSTALL.de.md", "MONITOR.de.md", "OPERATIONS.de.md"}


@pytest.mark.parametrize("german", GERMAN)
def test_the_headings_are_the_same_places_in_the_same_order(german: str) -> None:
    """A link to a code or to the page of an alert works in both: only the file's name differs."""
    ours, theirs = ([where for where, _ in sections(GUIDES[guide])] for guide in (german, GERMAN[german]))

    assert ours == theirs


@pytest.mark.parametrize("facts", [code_blocks, inline_code, links, numbers, shape])
def test_each_section_has_the_same(facts: Callable[[str], Facts]) -> None:
    """A command that one language has and the other hasn't, or another number, leads somebody astray."""
    ours = [(where, facts(body)) for german in GERMAN for where, body in sections(GUIDES[german])]
    theirs = [(where, facts(body)) for english in GERMAN.values() for where, body in sections(GUIDES[english])]

    assert any(found for _, found in theirs)
    assert ours == theirs


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_a_code_begins_with_what_the_monitor_tells(code: str) -> None:
    """Who got a message finds its words again, then what they mean, what may happen and what to do."""
    german = catalog("de")
    assert german is not None
    message = german.get(TEXTS[code])
    assert message is not None

    body = dict(sections(GUIDES["OPERATIONS.de.md"]))["###", code.lower()]

    assert " ".join(body.split()).startswith(f"**{message.string}** (")
    points = re.findall(r"^- ([\w ]+): \S.{15,}", body, re.MULTILINE)
    assert points in (["Bedeutung", "Risiko", "Zu tun"], ["Zu tun"])


@pytest.mark.parametrize("heading", ["events", "fields-in-the-journal"])
def test_what_the_node_writes_is_listed_in_the_same_words(heading: str) -> None:
    """Events and fields are searched for as they are written; only the table's heading is translated."""
    ours, theirs = (
        re.findall(r"^\| ([\w-]+) \|", dict(sections(GUIDES[guide]))["##", heading], re.MULTILINE)[1:]
        for guide in ("OPERATIONS.de.md", "OPERATIONS.md")
    )

    assert len(theirs) > 10
    assert ours == theirs


@pytest.mark.parametrize("german", GERMAN)
def test_each_page_leads_to_the_other_language_first_and_then_stays_in_its_own(german: str) -> None:
    """Whoever reads German isn't led to a page in English that there is in German."""
    _, to_english, ours = GUIDES[german].split("\n\n", 2)
    _, to_german, theirs = GUIDES[GERMAN[german]].split("\n\n", 2)

    assert f"]({GERMAN[german]})" in to_english
    assert f"]({german})" in to_german
    assert {each for each in GERMAN.values() if f"]({each}" in ours} == set()
    assert {each for each in GERMAN if f"]({each}" in theirs} == set()
