"""What can be looked at: how the building is now, from the view, and what was, from the history."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct, field

from node.core.model import EventKind
from node.errors.severity import Severity
from node.monitor.api.operations import representations
from node.monitor.api.operations.operation import Call, Nothing, Sources, operation
from node.monitor.api.operations.paging import Cursor, Limit, Page, page_of
from node.monitor.api.problems import ProblemError
from node.monitor.core.model.records import NodeKey, Role, Status
from node.monitor.core.model.requests import RecordFilter
from node.monitor.core.view.view_types import (
    ButtonView,
    FindingView,
    IncidentView,
    NodeView,
    WalkTestView,
    incident_view,
)
from node.protocol.messages import Id, IncidentId
from node.sanitize import same

NODE = "/nodes/{site}/{node}"

T = TypeVar("T")
S = TypeVar("S")

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its zone")]
Floor = Annotated[str, Meta(min_length=1, max_length=63)]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,63}\Z")]


class NodePath(Struct, frozen=True):
    """A node."""

    site: Id
    node: Id


class PageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page, of one site or of all."""

    limit: Limit = 100
    cursor: Cursor | None = None
    site: Id | None = None


class NodesQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the nodes: on one floor, of one status."""

    floor: Floor | None = None
    status: Status | None = None


class NodeQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one node, where it is named."""

    node: Id | None = None


class FindingsQuery(NodeQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the findings: those that matter so much."""

    severity: Severity | None = None


class PastQuery(NodeQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the history: from ``since`` on, before ``until``."""

    since: Moment | None = None
    until: Moment | None = None


class PastFindingsQuery(PastQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the findings of the history: those of one code."""

    kind: Code | None = field(default=None, name="code")


class InputsQuery(PastQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the history of one input."""

    input: Id | None = None


class EventsQuery(InputsQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the events: of one kind, of one incident."""

    kind: EventKind | None = None
    incident: IncidentId | None = None


@operation("GET", "/fleet", Role.VIEWER)
async def fleet(sources: Sources, _call: Call[Nothing, Nothing, Nothing]) -> representations.FleetView:
    """The building in numbers."""
    return representations.fleet(sources.view(), sources.age_s())


@operation("GET", "/nodes", Role.VIEWER)
async def nodes(sources: Sources, call: Call[Nothing, NodesQuery, Nothing]) -> Page[NodeView]:
    """The nodes, by site."""
    wanted = call.query
    found = (
        node
        for node in sources.view().nodes
        if wanted.site in {None, node.site}
        and (wanted.floor is None or same(wanted.floor, node.floor))
        and wanted.status in {None, node.status}
    )
    return _page(found, lambda node: (node.site, node.node), wanted)


@operation("GET", NODE, Role.VIEWER)
async def node(sources: Sources, call: Call[NodePath, Nothing, Nothing]) -> representations.NodeDetail:
    """One node, with its incidents, findings and buttons."""
    key = NodeKey(call.path.site, call.path.node)
    found = representations.detail(sources.view(), sources.age_s(), key)
    if found is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, f"there is no node {key}", "look for it in /api/v1/nodes, and in nodes.toml"
        )
    return found


@operation("GET", "/findings", Role.VIEWER)
async def findings(sources: Sources, call: Call[Nothing, FindingsQuery, Nothing]) -> Page[FindingView]:
    """What needs somebody, the worst first."""
    wanted = call.query
    found = (
        each
        for each in sources.view().findings
        if _is_at(wanted, each.site, each.node) and wanted.severity in {None, each.severity}
    )
    return _page(found, lambda each: (str(each.severity.rank), each.code, each.site, each.node, each.subject), wanted)


@operation("GET", "/incidents", Role.VIEWER)
async def incidents(sources: Sources, call: Call[Nothing, NodeQuery, Nothing]) -> Page[IncidentView]:
    """The open incidents, by site."""
    wanted = call.query
    found = (each for each in sources.view().incidents if _is_at(wanted, each.site, each.node))
    return _page(found, lambda each: (each.site, each.node, each.incident), wanted)


@operation("GET", "/buttons", Role.VIEWER)
async def buttons(sources: Sources, call: Call[Nothing, NodeQuery, Nothing]) -> Page[ButtonView]:
    """The buttons: when each was tested, and when it is due."""
    wanted = call.query
    found = (each for each in sources.view().buttons if _is_at(wanted, each.site, each.node))
    return _page(found, lambda each: (each.site, each.node, each.input), wanted)


@operation("GET", "/walk-tests", Role.VIEWER)
async def walk_tests(sources: Sources, call: Call[Nothing, PageQuery, Nothing]) -> Page[WalkTestView]:
    """The walk tests that hold."""
    wanted = call.query
    found = (each for each in sources.view().walk_tests if wanted.site in {None, each.site})
    return _page(found, lambda each: (each.site, each.id), wanted)


@operation("GET", "/events", Role.VIEWER)
async def events(sources: Sources, call: Call[Nothing, EventsQuery, Nothing]) -> Page[representations.EventShown]:
    """The events that the history keeps, the newest first."""
    return await _past(call, sources.history.events, representations.event)


@operation("GET", "/incidents/past", Role.VIEWER)
async def past_incidents(sources: Sources, call: Call[Nothing, InputsQuery, Nothing]) -> Page[IncidentView]:
    """All incidents that the history keeps, the newest first."""
    places = _places(sources)
    return await _past(call, sources.history.incidents, lambda each: incident_view(each, places.get(each.key.of, "")))


@operation("GET", "/findings/past", Role.VIEWER)
async def past_findings(
    sources: Sources, call: Call[Nothing, PastFindingsQuery, Nothing]
) -> Page[representations.PastFindingShown]:
    """All findings that the history keeps, the newest first."""
    places = _places(sources)
    return await _past(
        call, sources.history.findings, lambda each: representations.past_finding(each, places.get(each.key.of, ""))
    )


@operation("GET", "/flips", Role.VIEWER)
async def flips(sources: Sources, call: Call[Nothing, PastQuery, Nothing]) -> Page[representations.FlipShown]:
    """When nodes changed their status, the newest first."""
    return await _past(call, sources.history.flips, representations.flip)


@operation("GET", "/tests", Role.VIEWER)
async def tests(sources: Sources, call: Call[Nothing, InputsQuery, Nothing]) -> Page[representations.ButtonTestShown]:
    """The tests of buttons, the newest first."""
    return await _past(call, sources.history.tests, representations.button_test)


async def _past(
    call: Call[Nothing, Any, Nothing],
    read: Callable[[RecordFilter, int, str | None], tuple[Sequence[T], str | None]],
    show: Callable[[T], S],
) -> Page[S]:
    wanted = {name: getattr(call.query, name) for name in call.query.__struct_fields__}
    limit, cursor = wanted.pop("limit"), wanted.pop("cursor")
    since, until = wanted.pop("since"), wanted.pop("until")
    which = RecordFilter(since_utc=since, until_utc=until, **wanted)
    try:
        records, following = await call.read(read, which, limit, cursor)
    except ValueError:
        raise _unknown_cursor() from None
    return Page(items=tuple(map(show, records)), next=following)


def _places(sources: Sources) -> dict[tuple[str, str], str]:
    return {(each.site, each.node): each.place for each in sources.view().nodes}


def _page(found: Iterable[T], key: Callable[[T], tuple[str, ...]], wanted: PageQuery) -> Page[T]:
    try:
        return page_of(found, key, wanted.limit, wanted.cursor)
    except ValueError:
        raise _unknown_cursor() from None


def _unknown_cursor() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "this cursor was never given out", "begin anew, without a cursor")


def _is_at(wanted: NodeQuery, site: str, node: str) -> bool:
    return wanted.site in {None, site} and wanted.node in {None, node}
