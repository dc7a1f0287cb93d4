"""No text claims that the system meets a standard: nobody has tested it against one (HAZARDS.md H54)."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STANDARD = r"\b(?:(?:DIN |VDE )?EN|IEC|ISO|VdS|DGUV)\b"
CLAIM = re.compile(
    r"\b(?:conform\w*|compl(?:y|ies|iant)|certified|approved|fulfil\w*|meets?|entspr\w+|erfüllt?|zertifiziert|konform)"
    rf"\W+(?:[\w-]+\W+){{0,4}}?{STANDARD}",
    re.IGNORECASE,
)
NAMED, DESIGNED = "en 50136", "designed for the published idea of en 50136"
READ = (
    "README.md",
    "CHANGELOG.md",
    "deploy/node.example.toml",
    "node/config/__init__.py",
    "node/monitor/locale/de/LC_MESSAGES/monitor.po",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "deploy" / "guides").glob("*.md"))),
)
"""What people read, and where the help of a command is written."""


def claims(text: str) -> list[str]:
    """Where a text says that a standard is met, or names EN 50136 without saying that it is only designed for it."""
    flat = " ".join(re.sub(r"\n[#>*\s\"]*", " ", text).split())
    named, designed = flat.lower().count(NAMED), flat.lower().count(DESIGNED)
    return [match.group() for match in CLAIM.finditer(flat)] + [NAMED] * (named - designed)


@pytest.mark.parametrize("path", READ)
def test_no_text_claims_a_standard(path: str) -> None:
    """A text may say for which published idea the system is designed."""
    assert claims((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "It conforms to EN 50136-1.",
        "complies with the\nsupervision of DIN EN 50726-1",
        "zertifiziert nach VdS 2465",
        "Erfüllt die DGUV Regel 108-010.",
        "A lost path is known within 20 s (EN 50136-1 SP6).",
    ],
)
def test_a_claim_is_found(text: str) -> None:
    """In either language, over the end of a line, and where the number stands alone."""
    assert claims(text) != []
