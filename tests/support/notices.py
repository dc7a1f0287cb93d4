"""Notices as the hub makes them."""

from datetime import UTC, datetime

from node.core.settings import AlarmClass
from node.monitor.core.model.catalogue import DOWN, kind_of
from node.monitor.core.model.records import FindingKey, Notice, NoticeKind

AT = datetime(2026, 11, 25, 13, 3, 12, tzinfo=UTC)


def alarm(
    node: str = "room-214",
    *,
    kind: NoticeKind = NoticeKind.ALARM,
    alarm_class: AlarmClass = AlarmClass.THREAT,
    level: int = 0,
    presses: int = 1,
    test: bool = False,
    by: str = "",
    reason: str = "",
    incident: str = "0a1b2c3d-7",
    yields: bool = False,
) -> Notice:
    """About an incident at a node of the site mitte."""
    return Notice(
        key=f"{kind}:mitte/{node}/{incident}:{level}",
        kind=kind,
        site="mitte",
        node=node,
        at_utc=AT,
        level=level,
        input="button",
        alarm_class=alarm_class,
        incident=incident,
        presses=presses,
        by=by,
        reason=reason,
        test=test,
        yields=yields,
    )


def finding(
    node: str = "room-214",
    code: str = DOWN.code,
    *,
    site: str = "mitte",
    subject: str = "",
    over: bool = False,
    count: int | None = None,
    detail: str = "",
) -> Notice:
    """A finding, or that it is over."""
    kind = NoticeKind.CLEARED if over else NoticeKind.FINDING
    return Notice(
        key=f"{kind}:{code}:{site}/{node}:{subject}",
        kind=kind,
        site=site,
        node=node,
        at_utc=AT,
        finding=FindingKey(code, site, node, subject),
        severity=kind_of(code).severity,
        count=count,
        detail=detail,
        gather=True,
    )
