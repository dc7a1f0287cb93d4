"""The alert rules: promtool accepts and tries them, and they say what the monitor says."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from node.monitor.api.metrics import Metrics
from node.monitor.core.model.catalogue import FINDINGS, FindingKind
from node.monitor.core.model.next_steps import general_step
from tests.support.alerts import GROUP, with_alerts
from tests.support.web import Behind

HERE = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = (HERE / "alarm-node.rules.yml").read_text(encoding="utf-8")
TRIALS = (HERE / "alarm-node.rules.test.yml").read_text(encoding="utf-8")

PLACES = {"": {}, "mitte. ": {"site": "mitte"}, "mitte/desk-3. ": {"site": "mitte", "node": "desk-3"}}
"""What a finding is about, as an alert says it, and the labels that its metric has then."""


def field(block: str, name: str) -> str:
    """What a rule says there; empty where it says nothing."""
    found = re.search(rf'^ +{name}: "?(.*?)"?$', block, re.MULTILINE)
    return found[1] if found else ""


BLOCKS = {field(f"  alert: {block}", "alert"): block for block in RULES.split("- alert: ")[1:]}
OF_FINDINGS = {kind.alert for kind in FINDINGS.values()}


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """What Prometheus' own tool says of rules."""
    return subprocess.run(["promtool", *arguments], cwd=HERE, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", [("check", "alarm-node.rules.yml"), ("test", "alarm-node.rules.test.yml")])
def test_promtool_accepts_and_tries_the_rules(command: tuple[str, str]) -> None:
    """As Prometheus would."""
    action, name = command

    tried = promtool(action, "rules", name)

    assert tried.returncode == 0, tried.stdout + tried.stderr


def trial(kinds: Sequence[FindingKind]) -> dict[str, Any]:
    """A building in which each is found of the monitor, of a site and of a node, and is over after a minute."""
    series = [_series(kind, labels) for kind in kinds for labels in PLACES.values()]
    return {
        "interval": "15s",
        "input_series": [{"series": each, "values": "1x4 _x4"} for each in series],
        "alert_rule_test": [
            {"eval_time": at, "alertname": kind.alert, "exp_alerts": alerts}
            for kind in kinds
            for at, alerts in (("15s", [_alert(kind, *each) for each in PLACES.items()]), ("7m", []))
        ],
    }


def _series(kind: FindingKind, place: dict[str, str]) -> str:
    labels = {"code": kind.code, "severity": kind.severity, **place}
    told = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"alarm_monitor_findings{{{told}}}"


def _alert(kind: FindingKind, place: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "exp_labels": {"code": kind.code, "severity": kind.severity, **labels},
        "exp_annotations": {
            "summary": kind.text,
            "description": f"{place}Next: {general_step(kind)}.",
            "page": f"OPERATIONS.md#{kind.code.lower()}",
        },
    }


def test_each_finding_has_an_alert_of_its_own_in_the_monitor_s_words(tmp_path: Path) -> None:
    """It fires at once, for each place that the finding is about, and only while the finding stands."""
    tests = tmp_path / "findings.test.yml"
    rules = {"rule_files": [str(HERE / "alarm-node.rules.yml")], "evaluation_interval": "15s"}
    tests.write_text(json.dumps({**rules, "tests": [trial(list(FINDINGS.values()))]}), encoding="utf-8")

    tried = promtool("test", "rules", str(tests))

    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_the_alerts_of_findings_take_the_place_of_the_last_group() -> None:
    """What others wrote above stays; without the group there is no place for them."""
    written = with_alerts(f"above\n{GROUP}an old one\n")

    assert written.startswith(f"above\n{GROUP}      - alert: ")
    assert "an old one" not in written
    assert with_alerts(written) == written
    with pytest.raises(ValueError, match="write as the last lines"):
        with_alerts("above\n")


@pytest.mark.parametrize("name", BLOCKS)
def test_an_alert_is_whole(name: str) -> None:
    """It says how much it matters, what is wrong, what to do and where to read on."""
    block = BLOCKS[name]

    assert field(block, "severity") in {"critical", "warning", "notice"}
    assert field(block, "summary")
    assert "Next: " in field(block, "description")
    assert field(block, "page").startswith("OPERATIONS.md#")


@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in OF_FINDINGS])
def test_an_alert_that_is_no_finding_s_is_tried(name: str) -> None:
    """It was seen to fire, and not to."""
    trials = re.findall(rf"alertname: {name}\n +exp_alerts:(.*)", TRIALS)

    assert set(trials) == {"", " []"}


def test_every_metric_of_the_rules_is_one_that_the_monitor_has() -> None:
    """A rule on a metric that was renamed would be silent for ever."""
    content, _ = Metrics(Behind().sources(), lambda: 0).text("")
    told = set(re.findall(r"^(\w+)", content.decode(), re.MULTILINE))

    used = {name for block in BLOCKS.values() for name in re.findall(r"\balarm_\w+", field(block, "expr"))}

    assert used <= told
    assert used >= {"alarm_monitor_info", "alarm_monitor_findings"}
