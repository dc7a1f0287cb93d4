"""The settings as the monitor works with them. monitor_file.py reads them, and they never change."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from node.config.brokers import Broker
from node.core.settings import AlarmClass
from node.monitor.core.model.records import NodeKey

Language = Literal["de", "en"]

SOCKET = "api.socket"
"""The socket in the state directory by which this machine's commands reach the monitor."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the roster and its place. ``classes``: the classes of its calls; empty if the roster doesn't say."""

    key: NodeKey
    floor: str = ""
    location: str = ""
    classes: frozenset[AlarmClass] = frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """Where people are: one Apprise URL, which is never shown. ``url_file``: the file that holds it, if one does.

    ``problem``: why there is no URL (it is empty then); the other targets are told all the same. ``level``: how many
    times ``escalate_s`` an incident must be unacknowledged before it is told; 0 is at once. ``classes`` and ``sites``:
    of the incidents that it is told; empty means all. ``findings``: from which severity on it is told findings.
    ``tests``: it is told test alarms, too.
    """

    name: str
    url: str = field(repr=False)
    language: Language = "de"
    level: int = 0
    classes: frozenset[AlarmClass] = frozenset()
    sites: frozenset[str] = frozenset()
    findings: Literal["all", "critical", "none"] = "all"
    tests: bool = False
    url_file: Path | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days events are kept: incidents with their events, tests, and everything else."""

    incidents: int = 1096
    tests: int = 1827
    others: int = 93


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that monitor.toml says. ``roster`` is None without a nodes.toml; then every node is ours.

    ``roster_problems``: why the roster can't be used; the monitor then works as without one. ``history_problem``: why
    the file with the database's URL can't be used. ``grace_s``: how much later than its period a node may be.
    ``missing_s``: how long numbers may be missing before that is a finding. ``gather_s``: for how long things that
    happen at about the same time are gathered into one message.
    """

    path: Path
    monitor: str
    sites: tuple[str, ...]
    root: str
    language: Language
    state_directory: Path | None
    history_url: str
    brokers: tuple[Broker, ...]
    roster: tuple[Place, ...] | None = None
    roster_path: Path | None = None
    roster_problems: tuple[str, ...] = ()
    history_file: Path | None = None
    history_problem: str = ""
    targets: tuple[Target, ...] = ()
    retention: Retention = field(default_factory=Retention)
    grace_s: float = 9.0
    missing_s: float = 60.0
    escalate_s: float = 60.0
    gather_s: float = 5.0
    test_days: int = 31
    api_host: str = "127.0.0.1"
    api_port: int = 8780
