"""What the API shows beside the types of view_types.py: summaries, and the records of the history. Pure."""

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from node.errors.severity import Severity
from node.monitor.core.model.catalogue import kind_of
from node.monitor.core.model.records import ButtonTest, Flip, HeardEvent, NodeKey, PastFinding, Status
from node.monitor.core.view.view_types import (
    ButtonView,
    FindingView,
    IncidentView,
    NodeView,
    OwnView,
    View,
)


class SiteView(Struct, frozen=True, kw_only=True):
    """A site in numbers: nodes by status, open incidents (tests don't count), findings by severity."""

    site: str
    nodes: dict[Status, int]
    incidents: int
    findings: dict[Severity, int]


class FleetView(OwnView, frozen=True, kw_only=True):
    """The building in numbers. ``age_s``: how long ago the monitor last looked; beyond seconds, it stands still.

    ``blind``: no broker is reached, so nothing here says how the nodes are now.
    """

    age_s: float
    sites: tuple[SiteView, ...]


class NodeDetail(Struct, frozen=True, kw_only=True):
    """A node, and all that is about it now. ``age_s`` and ``blind`` as in the fleet."""

    age_s: float
    blind: bool
    node: NodeView
    incidents: tuple[IncidentView, ...]
    findings: tuple[FindingView, ...]
    buttons: tuple[ButtonView, ...]


class EventShown(Struct, frozen=True, kw_only=True):
    """An event of the history: ``at`` by the node's clock; ``message`` as it said it, null where that isn't kept."""

    site: str
    node: str
    boot: str
    seq: int
    kind: str
    at: str
    heard: datetime
    input: str | None
    incident: str | None
    message: dict[str, Any] | None


class FlipShown(Struct, frozen=True, kw_only=True):
    """A change of a node's status."""

    site: str
    node: str
    before: Status
    after: Status
    at: datetime
    reason: str


class ButtonTestShown(Struct, frozen=True, kw_only=True):
    """A test of a button: ``reaction_s`` from the press to the receipt at the node, null where it wasn't confirmed."""

    site: str
    node: str
    input: str
    at: datetime
    walk_test: str
    reaction_s: float | None


class PastFindingShown(Struct, frozen=True, kw_only=True):
    """A finding of the history: ``until`` is null while it is open. ``count`` and ``detail`` are those of its begin."""

    code: str
    severity: Severity
    site: str
    node: str
    subject: str
    place: str
    since: datetime
    until: datetime | None
    text: str
    count: int | None
    detail: str


class Done(Struct, frozen=True, kw_only=True):
    """What was asked is done; ``id`` is that of what was made by it, else empty.

    ``note``: what of it isn't as whoever asked would take it, in words for people; mostly empty. ``until``: when it
    ends by itself, null where it doesn't. ``replaced_by``, ``replaced_until``: whose pause or isolation it takes the
    place of, and when that would have ended; empty and null where there was none.
    """

    id: str = ""
    note: str = ""
    until: datetime | None = None
    replaced_by: str = ""
    replaced_until: datetime | None = None


def fleet(view: View, age_s: float) -> FleetView:
    """The summary of this view."""
    of_monitor = {name: getattr(view, name) for name in OwnView.__struct_fields__}
    return FleetView(age_s=age_s, sites=sites(view), **of_monitor)


def sites(view: View) -> tuple[SiteView, ...]:
    """Each site that has a node, an incident or a finding, in the order of their names."""
    nodes = Counter((node.site, node.status) for node in view.nodes)
    incidents = Counter(incident.site for incident in view.incidents if not incident.test)
    findings = Counter((finding.site, finding.severity) for finding in view.findings)
    names = {site for site, _ in (*nodes, *findings)} | set(incidents)
    return tuple(
        SiteView(
            site=name,
            nodes={status: nodes[name, status] for status in Status},
            incidents=incidents[name],
            findings={severity: findings[name, severity] for severity in Severity},
        )
        for name in sorted(names - {""})
    )


def detail(view: View, age_s: float, key: NodeKey) -> NodeDetail | None:
    """This node, or None where the view hasn't it."""
    node = next((node for node in view.nodes if (node.site, node.node) == key), None)
    if node is None:
        return None
    return NodeDetail(
        age_s=age_s,
        blind=view.blind,
        node=node,
        incidents=tuple(each for each in view.incidents if (each.site, each.node) == key),
        findings=tuple(each for each in view.findings if (each.site, each.node) == key),
        buttons=tuple(each for each in view.buttons if (each.site, each.node) == key),
    )


def event(heard: HeardEvent) -> EventShown:
    """An event of the history."""
    return EventShown(
        site=heard.key.site,
        node=heard.key.node,
        boot=heard.key.boot,
        seq=heard.key.seq,
        kind=heard.kind,
        at=heard.at_utc,
        heard=heard.heard_utc,
        input=heard.input,
        incident=heard.incident,
        message=msgspec.json.decode(heard.body, type=dict[str, Any]) if heard.body else None,
    )


def flip(record: Flip) -> FlipShown:
    """A change of status of the history."""
    return FlipShown(
        site=record.node.site,
        node=record.node.node,
        before=record.before,
        after=record.after,
        at=record.at_utc,
        reason=record.reason,
    )


def button_test(record: ButtonTest) -> ButtonTestShown:
    """A test of the history."""
    return ButtonTestShown(
        site=record.event.site,
        node=record.event.node,
        input=record.input,
        at=record.at_utc,
        walk_test=record.walk_test,
        reaction_s=record.reaction_s,
    )


def past_finding(record: PastFinding, place: str) -> PastFindingShown:
    """A finding of the history; ``place`` is where its node is now."""
    key = record.key
    return PastFindingShown(
        code=key.code,
        severity=record.severity,
        site=key.site,
        node=key.node,
        subject=key.subject,
        place=place,
        since=record.since_utc,
        until=record.cleared_utc,
        text=kind_of(key.code).text,
        count=record.count,
        detail=record.detail,
    )
