"""The alert rules: promtool accepts and tries them, and they say what the monitor says."""

import re
import subprocess
from pathlib import Path

import pytest

from node.monitor.api.metrics import Metrics
from node.monitor.core.model.catalogue import FINDINGS, general_step
from tests.support.web import Behind

HERE = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = (HERE / "alarm-node.rules.yml").read_text(encoding="utf-8")
TRIALS = (HERE / "alarm-node.rules.test.yml").read_text(encoding="utf-8")


def field(block: str, name: str) -> str:
    """What a rule says there; empty where it says nothing."""
    found = re.search(rf'^ +{name}: "?(.*?)"?$', block, re.MULTILINE)
    return found[1] if found else ""


BLOCKS = {field(f"  alert: {block}", "alert"): block for block in RULES.split("- alert: ")[1:]}
OF_FINDINGS = {found[1]: name for name, block in BLOCKS.items() if (found := re.search(r'code="(M\d+)"', block))}


@pytest.mark.parametrize("command", [("check", "alarm-node.rules.yml"), ("test", "alarm-node.rules.test.yml")])
def test_promtool_accepts_and_tries_the_rules(command: tuple[str, str]) -> None:
    """As Prometheus would."""
    action, name = command

    tried = subprocess.run(
        ["promtool", action, "rules", name], cwd=HERE, capture_output=True, text=True, timeout=60, check=False
    )

    assert tried.returncode == 0, tried.stdout + tried.stderr


@pytest.mark.parametrize("name", BLOCKS)
def test_an_alert_is_whole_and_tried(name: str) -> None:
    """It says how much it matters, what is wrong, what to do and where to read on; it was seen to fire, and not to."""
    block = BLOCKS[name]
    trials = re.findall(rf"alertname: {name}\n +exp_alerts:(.*)", TRIALS)

    assert field(block, "severity") in {"critical", "warning", "notice"}
    assert field(block, "summary")
    assert "Next: " in field(block, "description")
    assert field(block, "page").startswith("OPERATIONS.md#")
    assert set(trials) == {"", " []"}


@pytest.mark.parametrize("code", FINDINGS)
def test_a_finding_is_told_in_the_same_words_everywhere(code: str) -> None:
    """By the alert, on the page and at a terminal: with the same severity, text and next step."""
    kind, block = FINDINGS[code], BLOCKS[OF_FINDINGS[code]]

    assert field(block, "severity") == kind.severity
    assert field(block, "summary") == kind.text
    assert field(block, "description").endswith(f"Next: {general_step(kind)}.")
    assert field(block, "page") == f"OPERATIONS.md#{code.lower()}"


def test_every_metric_of_the_rules_is_one_that_the_monitor_has() -> None:
    """A rule on a metric that was renamed would be silent for ever."""
    content, _ = Metrics(Behind().sources(), lambda: 0).text("")
    told = set(re.findall(r"^(\w+)", content.decode(), re.MULTILINE))

    used = {name for block in BLOCKS.values() for name in re.findall(r"\balarm_\w+", field(block, "expr"))}

    assert used <= told
    assert used >= {"alarm_monitor_info", "alarm_monitor_findings"}
