"""Chooses the targets that are told a notice. Pure. The history calls it when it stores a notice."""

from collections.abc import Iterable

from node.errors.severity import Severity
from node.monitor.core.model.catalogue import ISOLATED, SUPERVISION, TARGET_FAILS, own_parts
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import Notice, NoticeKind


def targets_of(notice: Notice, targets: Iterable[Target]) -> tuple[str, ...]:
    """The names of the targets that are told this notice, in the order of monitor.toml."""
    about_finding = notice.kind in (NoticeKind.FINDING, NoticeKind.CLEARED)
    wants = _wants_finding if about_finding else _wants_incident
    return tuple(target.name for target in targets if _is_of_site(notice, target) and wants(notice, target))


def _is_of_site(notice: Notice, target: Target) -> bool:
    """Whether the notice is about the target's sites. One without a site is about the monitor, and goes to all."""
    return not target.sites or not notice.site or notice.site in target.sites


def _wants_incident(notice: Notice, target: Target) -> bool:
    if notice.test and not target.tests:
        return False
    if target.classes and notice.alarm_class is not None and notice.alarm_class not in target.classes:
        return False
    if notice.kind is NoticeKind.ALARM:
        return target.level == notice.level
    return target.level <= notice.level  # everybody who was called is told how it goes on


def _wants_finding(notice: Notice, target: Target) -> bool:
    key = notice.finding
    if key is not None and key.code in (TARGET_FAILS.code, ISOLATED.code) and own_parts(key)[1] == target.name:
        return False
    if key is not None and key.code in SUPERVISION and target.level == 0:
        return True
    return target.findings == "all" or (target.findings == "critical" and notice.severity is Severity.CRITICAL)
