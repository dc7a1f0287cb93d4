"""The guides for people say what the code says: every fault, error, event and field, and nothing that is gone."""

import re
import tomllib
from pathlib import Path

import pytest

from node.core.model import EventKind
from node.errors import AlarmNodeError
from node.errors.faults import FAULTS
from node.monitor.cli import main  # noqa: F401 - so that all its errors are known, too
from node.monitor.cli.api_client import name_lookup  # noqa: F401 - so that all its errors are known, too
from node.monitor.config.init_files import ExampleError  # noqa: F401 - as above
from node.monitor.core.model.catalogue import FINDINGS, kind_of
from node.monitor.service import assembly  # noqa: F401 - so that all its errors are known, too
from node.service import status_text
from node.service.loop import Service  # noqa: F401 - so that every error that the service may end with is known
from tests.campaigns.all import CAMPAIGNS

DEPLOY = Path(__file__).parents[2] / "deploy"
GUIDES = {path.name: path.read_text(encoding="utf-8") for path in sorted((DEPLOY / "guides").glob("*.md"))}
OPERATIONS, INSTALL, RELIABILITY = GUIDES["OPERATIONS.md"], GUIDES["INSTALL.md"], GUIDES["RELIABILITY.md"]
SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^#|\Z)", OPERATIONS, re.MULTILINE | re.DOTALL))


def spelt(heading: str) -> str:
    """How GitHub spells this heading in a link."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def places(guide: str) -> set[str]:
    """What a link into this guide may name: its headings, and the anchors that it sets itself."""
    anchors = re.findall(r'^<a id="([a-z0-9-]+)"></a>$', guide, re.MULTILINE)
    return {*anchors, *map(spelt, re.findall(r"^#+ (.*)$", guide, re.MULTILINE))}


def first_column(heading: str) -> list[str]:
    """What the table below this heading is about."""
    part = OPERATIONS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| ([\w-]+) \|", part, re.MULTILINE)[2:]


def all_errors(kind: type[AlarmNodeError] = AlarmNodeError) -> list[type[AlarmNodeError]]:
    """All errors of the program that a command ends with."""
    ours = [each for each in kind.__subclasses__() if each.__module__.startswith("node.")]
    return [found for each in ours for found in (each, *all_errors(each))]


@pytest.mark.parametrize(("guide", "language"), [("MONITOR.md", "English only"), ("MONITOR.de.md", "nur Englisch")])
def test_the_guide_says_in_which_language_the_plugin_answers(guide: str, language: str) -> None:
    """All else has two: who reads German is told before."""
    (line,) = (each for each in GUIDES[guide].splitlines() if "check_alarm_node" in each)

    assert language in line


def test_every_fault_is_there_and_no_other() -> None:
    """Who looks a code up finds it, in the order of the codes."""
    told = [code for code in SECTIONS if code.startswith("F")]

    assert told == sorted(FAULTS)


@pytest.mark.parametrize("code", sorted({**FAULTS, **FINDINGS}))
def test_a_code_has_meaning_risk_and_next_step(code: str) -> None:
    """The section begins with the program's own words, and says what that means, what may happen, and what to do.

    Where people have added nothing to these words, they are what it means and, after the colon, what may happen.
    """
    kind, section = kind_of(code), SECTIONS[code]
    points = re.findall(r"^- (\w+): \S.{15,}", section, re.MULTILINE)

    assert section.startswith(f"\n**{kind.text}** ({kind.severity})\n\n")
    assert points == ["Meaning", "Risk", "Next"] or (points == ["Next"] and ":" in kind.text)


def test_every_finding_is_there_and_no_other() -> None:
    """Whoever an alert of Prometheus sends here finds the page that it names."""
    told = [code for code in SECTIONS if code.startswith("M")]

    assert told == sorted(FINDINGS)


def test_every_page_of_an_alert_is_there() -> None:
    """The alerts' links lead to a heading."""
    rules = (DEPLOY / "prometheus" / "alarm-node.rules.yml").read_text(encoding="utf-8")

    pages = set(re.findall(r"page: OPERATIONS\.md#([a-z0-9-]+)$", rules, re.MULTILINE))

    assert pages
    assert pages <= places(OPERATIONS)


def test_every_error_is_there_and_no_other() -> None:
    """Why a node or the monitor doesn't start is found by its code."""
    told = [code for code in SECTIONS if re.fullmatch(r"E\d+", code)]

    assert told == sorted(each.code for each in all_errors())


def test_no_code_has_two_meanings() -> None:
    """People look them up years later."""
    codes = [each.code for each in all_errors()]

    assert len(codes) == len(set(codes))


def test_every_event_is_there_and_no_other() -> None:
    """The list of events is the protocol's."""
    assert first_column("Events") == list(EventKind)


def test_every_field_is_there_and_no_other() -> None:
    """What the journal can be searched by is what the node writes."""
    written = {*status_text.FIELDS, "ALARM_KEY", "ALARM_TEST", "ALARM_STEP"}

    assert set(first_column("Fields in the journal")) == written


def test_every_campaign_is_told_and_shows_something() -> None:
    """What each does to a node, and which promise it shows; and no promise is shown by a campaign that isn't there."""
    told = re.findall(r"^\| `(\w+)` \|", RELIABILITY, re.MULTILINE)
    shown = re.findall(r"^\|.*\| ((?:`\w+`(?:, )?)+) \|$", RELIABILITY, re.MULTILINE)

    assert sorted(told) == sorted(CAMPAIGNS)
    assert {each for cell in shown for each in re.findall(r"\w+", cell)} == set(CAMPAIGNS)


@pytest.mark.parametrize("guide", GUIDES)
def test_every_link_leads_somewhere(guide: str) -> None:
    """Each file and each place that a guide points to exists."""
    for target in re.findall(r"\]\(([^)]+)\)", GUIDES[guide]):
        name, _, place = target.partition("#")
        assert (DEPLOY / "guides" / name).exists(), target
        assert not place or place in places(GUIDES[name or guide]), target


def test_the_wiring_is_that_of_the_example() -> None:
    """The pins in the guide and in its picture are those that node.example.toml has."""
    example = tomllib.loads((DEPLOY / "node.example.toml").read_text(encoding="utf-8"))
    picture = (DEPLOY / "guides" / "wiring.svg").read_text(encoding="utf-8")
    pins = {example["button"][0]["pin"], example["buzzer"]["pin"], example["lamp"]["pin"]}

    assert {int(pin) for pin in re.findall(r"\| GPIO(\d+), pin", INSTALL)} == pins
    assert {int(pin) for pin in re.findall(r">GPIO(\d+)<", picture)} == pins
