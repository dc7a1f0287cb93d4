"""The API's description: it is what the API does, as far as a thousand made-up requests can tell."""

import subprocess
import sys
from pathlib import Path

import pytest

from node.monitor.api.operations.operation_table import OPERATIONS, PREFIX
from node.monitor.core.model.records import Role
from node.monitor.core.model.requests import Answer
from tests.support.web import SECRETS, Behind, serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_the_document_has_every_operation_and_no_other() -> None:
    """Each by its path and method; with a schema for each answer; and patterns as JSON Schema knows them."""
    with serving(Behind()) as site:
        document = site.client(Role.VIEWER).get(f"{PREFIX}/openapi.json")

    told = {(method.upper(), path) for path, methods in document.json()["paths"].items() for method in methods}
    assert told == {(each.method, f"{PREFIX}{each.route}") for each in OPERATIONS}
    assert document.json()["openapi"] == "3.1.0"
    assert document.json()["info"]["version"] == "1.0.0"
    assert "\\Z" not in document.text


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Right requests are taken, wrong ones refused, and each answer is as described, with a token and without."""
    behind = Behind(answer=Answer("done", id="w-2"))
    with serving(behind) as site:
        found = subprocess.run(
            [
                str(SCHEMATHESIS),
                "run",
                f"{site.url}{PREFIX}/openapi.json",
                f"--header=Authorization: Bearer {SECRETS[Role.MANAGER]}",
                "--checks=all",
                "--max-examples=20",
                "--seed=1",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    assert found.returncode == 0, found.stdout + found.stderr
    assert behind.asked
