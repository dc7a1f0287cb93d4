"""The alerts of the monitor's findings for Prometheus: one for each kind in the catalogue."""

import json

from node.monitor.core.model.catalogue import FINDINGS, FindingKind
from node.monitor.core.model.next_steps import general_step

GROUP = "  - name: alarm-findings\n    rules:\n"
"""Where the generated alerts begin: the last group of the file."""

_PLACE = "{{ with $labels.site }}{{ . }}{{ with $labels.node }}/{{ . }}{{ end }}. {{ end }}"
"""What a finding is about: a node, a site, or the monitor itself, which isn't named."""


def with_alerts(present: str) -> str:
    """These rules with an alert for each finding in their last group; ValueError where it is missing."""
    before, group, _ = present.partition(GROUP)
    if not group:
        raise ValueError(f"no place for the alerts: write as the last lines\n{GROUP}")
    return before + group + "\n".join(_alert(FINDINGS[code]) for code in sorted(FINDINGS))


def _alert(kind: FindingKind) -> str:
    return (
        f"      - alert: {kind.alert}\n"
        f'        expr: alarm_monitor_findings{{code="{kind.code}"}} > 0\n'
        f"        labels:\n"
        f"          severity: {kind.severity}\n"
        f"        annotations:\n"
        f"          summary: {_quoted(kind.text)}\n"
        f"          description: {_quoted(f'{_PLACE}Next: {general_step(kind)}.')}\n"
        f"          page: OPERATIONS.md#{kind.code.lower()}\n"
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
