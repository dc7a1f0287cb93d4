"""monitor.toml: its tables, the rules about several values, and the settings that are made of them.

As node/config: each key is one field of a class below. What is secret (a target's URL, the database's) may stand in a
file of its own, and is never shown. Such a file that can't be used, or a roster, is kept as the problem of its target,
of the history, of the roster: the monitor runs with the rest.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta, Struct

from node.config import brokers, values
from node.config.brokers import FILE, NAME, BrokerKeys
from node.config.declarations import Table, be, toml
from node.config.files import FileError
from node.config.reader import FileFormat, Rule, Section, Sections, first, repeated
from node.config.values import ID, TOPIC_ROOT, AbsolutePath, Id, TopicRoot
from node.core.settings import AlarmClass
from node.errors import ConfigError
from node.monitor.config import roster_file
from node.monitor.config.secret_urls import read_url
from node.monitor.core.model.monitor_settings import Place, Retention, Settings, Target

DEFAULT_STATE_DIRECTORY = Path("/var/lib/alarm-monitor")
DATABASE = "history.db"

_Url = Annotated[str, Meta(min_length=3, max_length=2000, pattern=r"\A[a-zA-Z][a-zA-Z0-9+.-]*://?[^\x00-\x20\x7f]*\Z")]
_Host = Annotated[str, Meta(pattern=r"\A[^\s/@]{1,255}\Z")]


class _Monitor(Struct, frozen=True, kw_only=True):
    id: Annotated[Id, "the monitor's name on the broker; each of a building has another", be(ID, "guard-desk")]
    sites: Annotated[
        tuple[Id, ...],
        "whose nodes it hears",
        be(f"a list of 1 to 100 ids, each {ID}", ["mitte"], min_length=1, max_length=100),
    ]
    topic_root: Annotated[TopicRoot, "what every topic begins with; the nodes have the same", TOPIC_ROOT] = "alarm/v1"
    language: Annotated[
        Literal["de", "en"], "what people read whose target doesn't say otherwise", be('"de" or "en"', "de")
    ] = "de"
    state_directory: Annotated[
        AbsolutePath | None,
        "where the history lies; a service takes systemd's instead",
        be("an absolute path", "/var/lib/alarm-monitor"),
    ] = None
    roster: Annotated[
        AbsolutePath | None, "the file that lists all nodes", be("an absolute path", "/etc/alarm-monitor/nodes.toml")
    ] = None


class _Broker(BrokerKeys, frozen=True, kw_only=True):
    """As the node's, with examples that fit a monitor."""

    ca_file: Annotated[brokers.CaFile, be(FILE, "/etc/alarm-monitor/ca.pem")] = None
    certificate_file: Annotated[brokers.CertificateFile, be(FILE, "/etc/alarm-monitor/monitor.pem")] = None
    key_file: Annotated[brokers.KeyFile, be(FILE, "/etc/alarm-monitor/monitor.key")] = None
    username: Annotated[brokers.Username, be(NAME, "guard-desk")] = None
    password_file: Annotated[brokers.PasswordFile, be(FILE, "/etc/alarm-monitor/password", secret=True)] = None


class _History(Struct, frozen=True, kw_only=True):
    url_file: Annotated[
        AbsolutePath | None,
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
        "where people are told; the URL is a secret, so url_file is better",
        be("an Apprise URL", "mailto://user:password@example.org", secret=True),
    ] = None
    url_file: Annotated[
        AbsolutePath | None,
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


def load(path: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Read monitor.toml and the files that it names; ConfigError with all problems where itself can't be used."""
    return _build(path, MONITOR_FILE.load(path), environ)


def outdated(path: Path) -> tuple[tuple[str, str], ...]:
    """Each key of a valid monitor.toml that has its older name there: (what it is called now, what to do)."""
    return tuple(
        (f"{section.place} {older} is called {name} now", f"write {name} instead of {older}")
        for sections in MONITOR_FILE.load(path).values()
        for section in sections
        for older, name in section.outdated
    )


def state_directory(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Where the history lives."""
    return values.state_directory(settings.state_directory, DEFAULT_STATE_DIRECTORY, environ)


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
            yield f"[[target]] level = {level}: no target has level {level - 1}: levels must follow one another "
            "from 0 on"


def _targets_are_of_heard_sites(sections: Sections) -> Iterator[str]:
    heard = [site for each in sections["monitor"] for site in each.values.get("sites", ())]
    for section in sections["target"]:
        for site in section.values.get("sites", ()):
            if heard and site not in heard:
                yield f"{section.place} sites: {toml(site)} must be one that this monitor hears: {', '.join(heard)}"


_RULES: tuple[Rule, ...] = (
    _targets_have_one_url,
    _targets_are_different,
    _targets_are_of_heard_sites,
    _levels_have_no_gap,
    *brokers.RULES,
)

MONITOR_FILE = FileFormat(
    "alarm-monitor",
    (
        Table("monitor", _Monitor),
        Table("broker", _Broker, most=4),
        Table(
            "target",
            _Target,
            required=False,
            most=100,
            purpose="who is told: one block for each mail address, SMS gateway, chat or push service",
        ),
        Table("incidents", _Incidents, required=False),
        Table("tests", _Tests, required=False),
        Table("supervision", _Supervision, required=False),
        Table("history", _History, required=False),
        Table("api", _Api, required=False),
    ),
    _RULES,
)
"""What monitor.toml may have."""


def _try_roster(monitor: _Monitor) -> tuple[tuple[Place, ...] | None, tuple[str, ...]]:
    """The nodes that are listed; and what is wrong with their list, which counts as none then."""
    if monitor.roster is None:
        return None, ()
    try:
        return roster_file.load(Path(monitor.roster), monitor.sites, monitor.id), ()
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
    history = first(_History, sections["history"])
    supervision = first(_Supervision, sections["supervision"])
    api = first(_Api, sections["api"])
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
        escalate_s=first(_Incidents, sections["incidents"]).escalate_s,
        test_days=first(_Tests, sections["tests"]).every_days,
        api_host=api.host,
        api_port=api.port,
    )


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
