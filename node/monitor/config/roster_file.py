"""nodes.toml: every node of the building with its place; and the copy of the last one that was in order."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, field, structs

from node.config import files
from node.config.declarations import Table, be, toml
from node.config.files import FileError, content
from node.config.reader import FileFormat, Section, Sections, refusal, repeated
from node.config.values import ID, LOCATION, Id, Location
from node.core.settings import AlarmClass
from node.errors import ConfigError
from node.monitor.core.model.monitor_settings import Place, Settings
from node.monitor.core.model.records import NodeKey

ROSTER_COPY = "roster.copy"
"""In the state directory: the last roster that was in order."""

log = logging.getLogger(__name__)

_Short = Annotated[str, Meta(max_length=40, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]


class _Node(Struct, frozen=True, kw_only=True):
    id: Annotated[Id, "the node's id, as its node.toml has it", be(ID, "room-214")]
    site: Annotated[Id | None, "needed where the monitor hears several", be(ID, "mitte")] = None
    floor: Annotated[_Short, "for walk tests", be("at most 40 characters on one line", "2")] = ""
    location: Annotated[Location, LOCATION] = field(default="-")
    classes: Annotated[
        tuple[AlarmClass, ...],
        "with which it calls; so check finds what no target takes before the node was heard",
        be('a list of "assist", "threat", "amok"', ["threat"], max_length=3),
    ] = ()


ROSTER_TABLES = (Table("node", _Node, most=20_000),)


_AS_WRITTEN = tuple(structs.replace(table, required=False) for table in ROSTER_TABLES)
"""A building may have no node yet, or none any more."""


def load(path: Path, sites: tuple[str, ...], monitor: str) -> tuple[Place, ...]:
    """The nodes of a monitor of this name and these sites. Raises ConfigError with all problems.

    A list without a node is taken; a file without any text isn't: that is what a power cut leaves of one.
    """
    rules = (partial(_has_site, sites), partial(_is_not, monitor), _are_different)
    sections = FileFormat("alarm-monitor", _AS_WRITTEN, rules).load(path)
    if not sections["node"] and not content(path.absolute()).strip():
        raise refusal(path, "[[node]] is missing: the file is empty", program="alarm-monitor")
    return tuple(_place(section, sites) for section in sections["node"])


def keep_copy(settings: Settings, directory: Path) -> Settings:
    """Keep a copy of a roster that is in order, and take the last one where it isn't."""
    kept = directory / ROSTER_COPY
    if settings.roster_path is None:
        return settings
    if settings.roster_problems:
        try:
            return replace(settings, roster=load(kept, settings.sites, settings.monitor))
        except ConfigError:
            return settings
    try:
        files.replace(kept, content(settings.roster_path), 0o640)
    except (OSError, FileError) as failure:
        log.warning("no copy of the roster can be kept: %s", failure)
    return settings


def _place(section: Section, sites: tuple[str, ...]) -> Place:
    node = _Node(**section.values)
    return Place(NodeKey(node.site or sites[0], node.id), node.floor, node.location, frozenset(node.classes))


def _has_site(sites: tuple[str, ...], sections: Sections) -> Iterator[str]:
    for section in sections["node"]:
        site = section.values.get("site", "")
        if site is None and len(sites) > 1:
            yield f"{section.place} site is missing: this monitor hears {', '.join(sites)}"
        elif site and site not in sites:
            yield f"{section.place} site = {toml(site)}: must be one that monitor.toml hears: {', '.join(sites)}"


def _is_not(monitor: str, sections: Sections) -> Iterator[str]:
    for section in sections["node"]:
        if section.values.get("id") == monitor:
            yield f"{section.place} id = {toml(monitor)}: is this monitor's id, too: give one another"


def _are_different(sections: Sections) -> Iterator[str]:
    named = [(each.place, each.values["id"]) for each in sections["node"] if "id" in each.values]
    for place, name, owner in repeated(named):
        yield f"{place} id = {toml(name)}: is {owner} already: an id is one node's, at whatever site, and its login's"
