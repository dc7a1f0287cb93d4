"""monitor.toml and nodes.toml -> frozen, validated settings; every problem of a file reported in one go.

As node/config: each key is one field of a class below, unknown tables and keys are refused, a problem is one line. What
is secret (a target's URL, the database's) may stand in a file of its own, and is never shown. Such a file that can't be
used, or a roster, is kept as the problem of its target, of the history, of the roster: the monitor runs with the rest.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from node.config import brokers
from node.config.brokers import BrokerKeys
from node.config.files import FileError, content
from node.config.inputs import ID, Id
from node.config.reader import Section, Sections, Table, be, parse, read_table, refusal, repeated, toml, unknown_tables
from node.core.settings import AlarmClass
from node.errors import ConfigError
from node.monitor.config.secret_urls import read_url
from node.monitor.core.model import NodeKey
from node.monitor.core.monitor_settings import Place, Retention, Settings, Target

PROGRAM = "alarm-monitor"
DEFAULT_STATE_DIRECTORY = Path("/var/lib/alarm-monitor")
DATABASE = "history.db"
ROSTER_COPY = "roster.copy"
"""In the state directory: the last roster that was in order."""

log = logging.getLogger(__name__)

_Path = Annotated[str, Meta(pattern=r"\A/[^\x00]*\Z")]
_Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
_Short = Annotated[str, Meta(max_length=40, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
_Root = Annotated[str, Meta(max_length=100, pattern=r"\A[^/+#$\x00-\x1f\x7f]+(/[^/+#$\x00-\x1f\x7f]+)*\Z")]
_Url = Annotated[str, Meta(min_length=3, max_length=2000, pattern=r"\A[a-zA-Z][a-zA-Z0-9+.-]*://?[^\x00-\x20\x7f]*\Z")]
_Host = Annotated[str, Meta(pattern=r"\A[^\s/@]{1,255}\Z")]


class _Monitor(Struct, frozen=True, kw_only=True):
    id: Annotated[Id, "the monitor's name on the broker; each of a building has another", be(ID, "guard-desk")]
    sites: Annotated[
        tuple[Id, ...],
        "whose nodes it hears",
        be(f"a list of 1 to 100 ids, each {ID}", ["mitte"], min_length=1, max_length=100),
    ]
    topic_root: Annotated[
        _Root,
        "what every topic begins with; the nodes have the same",
        be('1 to 100 characters without "+", "#", "$" and empty levels', "alarm/v1"),
    ] = "alarm/v1"
    language: Annotated[
        Literal["de", "en"], "what people read whose target doesn't say otherwise", be('"de" or "en"', "de")
    ] = "de"
    state_directory: Annotated[
        _Path | None,
        "where the history lies; a service takes systemd's instead",
        be("an absolute path", "/var/lib/alarm-monitor"),
    ] = None
    roster: Annotated[
        _Path | None, "the file that lists all nodes", be("an absolute path", "/etc/alarm-monitor/nodes.toml")
    ] = None


class _History(Struct, frozen=True, kw_only=True):
    url_file: Annotated[
        _Path | None,
        "holds the URL of a PostgreSQL; without it the history is a file (SQLite)",
        be("an absolute path", "/etc/alarm-monitor/history.url", secret=True),
    ] = None
    keep_incidents_days: Annotated[
        int, be("from 31 to 36500 (days that alarms with their events are kept)", 1096, ge=31, le=36500)
    ] = 1096
    keep_tests_days: Annotated[int, be("from 31 to 36500 (days that tests are kept)", 1827, ge=31, le=36500)] = 1827
    keep_others_days: Annotated[int, be("from 1 to 36500 (days that everything else is kept)", 93, ge=1, le=36500)] = 93


class _Supervision(Struct, frozen=True, kw_only=True):
    grace_s: Annotated[
        float,
        "how much later than its period a node may be; with 9 a node that has 10 is known to be down within 20 s",
        be("from 2 to 60 (seconds)", 9, ge=2, le=60),
    ] = 9.0
    missing_s: Annotated[
        float, be("from 10 to 3600 (seconds until events that don't come are a finding)", 60, ge=10, le=3600)
    ] = 60.0


class _Incidents(Struct, frozen=True, kw_only=True):
    escalate_s: Annotated[
        float, be("from 10 to 3600 (seconds without acknowledgement until the next level is told)", 60, ge=10, le=3600)
    ] = 60.0


class _Tests(Struct, frozen=True, kw_only=True):
    every_days: Annotated[int, be("from 1 to 366 (days after which a button has to be tested)", 31, ge=1, le=366)] = 31


class _Api(Struct, frozen=True, kw_only=True):
    host: Annotated[
        _Host,
        "where tools reach the monitor; loopback unless a proxy with TLS can't be on this machine",
        be("a name or address alone", "127.0.0.1"),
    ] = "127.0.0.1"
    port: Annotated[int, be("a whole number from 1 to 65535", 8780, ge=1, le=65535)] = 8780


class _Target(Struct, frozen=True, kw_only=True):
    name: Annotated[Id, "its name in findings and logs", be(ID, "guards-mail")]
    url: Annotated[
        _Url | None,
        "where people are told: an Apprise URL",
        be("an Apprise URL", "mailto://user:password@example.org", secret=True),
    ] = None
    url_file: Annotated[
        _Path | None,
        "holds that URL on its one line",
        be("an absolute path", "/etc/alarm-monitor/guards.url", secret=True),
    ] = None
    language: Annotated[Literal["de", "en"] | None, be('"de" or "en"', "de")] = None
    level: Annotated[
        int,
        "0 is told at once, 1 after escalate_s without acknowledgement, and so on",
        be("from 0 to 9", 1, formerly="step", ge=0, le=9),
    ] = 0
    classes: Annotated[
        tuple[AlarmClass, ...],
        "of which alarms; all of them where this is missing",
        be('a list of "assist", "threat", "amok"', ["threat", "amok"], max_length=3),
    ] = ()
    sites: Annotated[
        tuple[Id, ...],
        "of which sites; all of them where this is missing",
        be("a list of ids", ["mitte"], max_length=100),
    ] = ()
    findings: Annotated[
        Literal["all", "critical", "none"],
        "what else it is told",
        be('"all", "critical" (a button may be dead) or "none"', "critical"),
    ] = "all"
    tests: Annotated[bool, "whether it is told of tests", be("true or false", False)] = False


class _Node(Struct, frozen=True, kw_only=True):
    id: Annotated[Id, be(ID, "room-214")]
    site: Annotated[Id | None, "needed where the monitor hears several", be(ID, "mitte")] = None
    floor: Annotated[_Short, "for walk tests", be("at most 40 characters on one line", "2")] = ""
    location: Annotated[
        _Line, "where to go", be("1 to 200 characters on one line that say where to go", "2. OG, Zimmer 214")
    ] = field(default="-")
    classes: Annotated[
        tuple[AlarmClass, ...],
        "with which it calls; until it was heard nobody else knows",
        be('a list of "assist", "threat", "amok"', ["threat"], max_length=3),
    ] = ()


TABLES = {
    table.name: table
    for table in (
        Table("monitor", _Monitor),
        Table("broker", BrokerKeys, most=4),
        Table("history", _History, required=False),
        Table("supervision", _Supervision, required=False),
        Table("incidents", _Incidents, required=False),
        Table("tests", _Tests, required=False),
        Table("api", _Api, required=False),
        Table("target", _Target, required=False, most=100),
    )
}
_ROSTER = Table("node", _Node, most=20_000)


def load(path: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Read monitor.toml and the files that it names; ConfigError with all problems where itself can't be used."""
    return _build(path, _read(path), environ)


def outdated(path: Path) -> tuple[tuple[str, str], ...]:
    """Each key of a valid monitor.toml that has its older name there: (what it is called now, what to do)."""
    return tuple(
        (f"{section.place} {older} is called {name} now", f"write {name} instead of {older}")
        for sections in _read(path).values()
        for section in sections
        for older, name in section.outdated
    )


def _read(path: Path) -> Sections:
    document = parse(path, PROGRAM)
    problems = unknown_tables(document, TABLES.values())
    sections = {table.name: read_table(table, document, problems) for table in TABLES.values()}
    problems += [problem for rule in _RULES for problem in rule(sections)]
    if problems:
        raise refusal(path, *problems, program=PROGRAM)
    return sections


def state_directory(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Where the history lives: the first of $STATE_DIRECTORY, else what monitor.toml says, else the default."""
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given) if given else settings.state_directory or DEFAULT_STATE_DIRECTORY


def keep_roster(settings: Settings, directory: Path) -> Settings:
    """Keep a copy of a roster that is in order, and take the last one where it isn't."""
    kept = directory / ROSTER_COPY
    if settings.roster_path is None:
        return settings
    if settings.roster_problems:
        try:
            return replace(settings, roster=_load_roster(kept, settings.sites, settings.monitor))
        except ConfigError:
            return settings
    fresh = kept.with_suffix(".fresh")
    try:
        fresh.write_bytes(content(settings.roster_path))
        fresh.replace(kept)
    except (OSError, FileError) as failure:
        log.warning("no copy of the roster can be kept: %s", failure)
    return settings


def _load_roster(path: Path, sites: tuple[str, ...], monitor: str) -> tuple[Place, ...]:
    document = parse(path, PROGRAM)
    problems = unknown_tables(document, [_ROSTER])
    sections = read_table(_ROSTER, document, problems)
    places: list[Place] = []
    named: list[tuple[str, str]] = []
    for section in sections:
        site = section.values.get("site") or (sites[0] if len(sites) == 1 else None)
        if "id" not in section.values or "site" not in section.values:
            continue
        if site is None:
            problems.append(f"{section.place} site is missing: this monitor hears {', '.join(sites)}")
        elif site not in sites:
            problems.append(
                f"{section.place} site = {toml(site)}: must be one that monitor.toml hears: {', '.join(sites)}"
            )
        else:
            key = NodeKey(site, section.values["id"])
            named.append((section.place, key.node))
            if key.node == monitor:
                problems.append(f"{section.place} id = {toml(monitor)}: is this monitor's id, too: give one another")
            classes = frozenset(section.values.get("classes", ()))
            places.append(Place(key, section.values.get("floor", ""), section.values.get("location", "-"), classes))
    for place, name, owner in repeated(named):
        problems.append(
            f"{place} id = {toml(name)}: is {owner} already: an id is one node's, at whatever site, and its login's"
        )
    if problems:
        raise refusal(path, *problems, program=PROGRAM)
    return tuple(places)


def _targets_have_one_url(sections: Sections) -> Iterator[str]:
    for section in sections["target"]:
        match section.values:
            case {"url": None, "url_file": None}:
                yield f"{section.place} url is missing: write url or url_file, an Apprise URL"
            case {"url": str(), "url_file": str()}:
                yield f"{section.place} url and url_file: leave one of them out"


def _targets_are_different(sections: Sections) -> Iterator[str]:
    named = [(each.place, each.values["name"]) for each in sections["target"] if "name" in each.values]
    for place, name, owner in repeated(named):
        yield f"{place} name = {toml(name)}: is {owner} already: give one of them another"


def _levels_have_no_gap(sections: Sections) -> Iterator[str]:
    levels = {each.values.get("level", 0) for each in sections["target"]}
    for level in sorted(levels):
        if level > 0 and level - 1 not in levels:
            yield f"[[target]] level = {level}: nobody is told at level {level - 1}: levels follow one another from 0"


def _targets_are_of_heard_sites(sections: Sections) -> Iterator[str]:
    heard = [site for each in sections["monitor"] for site in each.values.get("sites", ())]
    for section in sections["target"]:
        for site in section.values.get("sites", ()):
            if heard and site not in heard:
                yield f"{section.place} sites: {toml(site)} must be one that this monitor hears: {', '.join(heard)}"


_RULES: tuple[Callable[[Sections], Iterator[str]], ...] = (
    _targets_have_one_url,
    _targets_are_different,
    _targets_are_of_heard_sites,
    _levels_have_no_gap,
    *brokers.RULES,
)


def _try_roster(monitor: _Monitor) -> tuple[tuple[Place, ...] | None, tuple[str, ...]]:
    """The nodes that are listed; and what is wrong with their list, which counts as none then."""
    if monitor.roster is None:
        return None, ()
    try:
        return _load_roster(Path(monitor.roster), monitor.sites, monitor.id), ()
    except ConfigError as refused:
        return None, refused.problems


def _try_url(file: Path | None) -> tuple[str, str]:
    """The URL in this file, and why there is none."""
    try:
        return ("" if file is None else read_url(file)), ""
    except FileError as unusable:
        return "", str(unusable)


def _build(path: Path, sections: Sections, environ: Mapping[str, str]) -> Settings:
    """Sections without a problem, in the shapes that the program works with."""
    monitor = _Monitor(**sections["monitor"][0].values)
    history = _one(_History, sections["history"])
    supervision = _one(_Supervision, sections["supervision"])
    api = _one(_Api, sections["api"])
    roster, roster_problems = _try_roster(monitor)
    history_file = None if history.url_file is None else Path(history.url_file)
    history_url, history_problem = _try_url(history_file)
    state = Path(monitor.state_directory) if monitor.state_directory else None
    return Settings(
        path=path,
        monitor=monitor.id,
        sites=monitor.sites,
        root=monitor.topic_root,
        language=monitor.language,
        state_directory=state,
        history_url=history_url,
        history_file=history_file,
        history_problem=history_problem,
        brokers=tuple(brokers.build(section, environ) for section in sections["broker"]),
        roster=roster,
        roster_problems=roster_problems,
        roster_path=None if monitor.roster is None else Path(monitor.roster),
        targets=tuple(_target(section, monitor.language) for section in sections["target"]),
        retention=Retention(
            incidents=history.keep_incidents_days, tests=history.keep_tests_days, others=history.keep_others_days
        ),
        grace_s=supervision.grace_s,
        missing_s=supervision.missing_s,
        escalate_s=_one(_Incidents, sections["incidents"]).escalate_s,
        test_days=_one(_Tests, sections["tests"]).every_days,
        api_host=api.host,
        api_port=api.port,
    )


def _one(keys: type[Any], sections: list[Section]) -> Any:
    return keys(**sections[0].values) if sections else keys()


def _target(section: Section, language: Literal["de", "en"]) -> Target:
    keys = _Target(**section.values)
    file = None if keys.url_file is None else Path(keys.url_file)
    url, problem = _try_url(file)
    return Target(
        name=keys.name,
        url=keys.url or url,
        language=keys.language or language,
        level=keys.level,
        classes=frozenset(keys.classes),
        sites=frozenset(keys.sites),
        findings=keys.findings,
        tests=keys.tests,
        url_file=file,
        problem=problem,
    )
