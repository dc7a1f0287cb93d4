"""What facilities decided, in the shape that the monitor works with; made by monitor_files.py, and never changed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from node.config.brokers import Broker
from node.core.settings import AlarmClass
from node.monitor.core.model import NodeKey

Language = Literal["de", "en"]

SOCKET = "api.socket"
"""In the state directory: where the commands of this machine reach the monitor."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the roster, and where it is. ``classes``: with which it calls; empty where nobody has said."""

    key: NodeKey
    floor: str = ""
    location: str = ""
    classes: frozenset[AlarmClass] = frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """Where people are: one Apprise URL, never shown. ``url_file`` holds it, or the configuration itself.

    ``problem``: why there is no URL (it is empty then), which is no reason not to tell the other targets.
    ``step``: told once an incident is unacknowledged for so many times ``escalate_s``; 0 is told at once. ``classes``
    and ``sites``: of which incidents; empty ones mean all. ``findings``: from which severity on. ``tests``: also those.
    """

    name: str
    url: str = field(repr=False)
    language: Language = "de"
    step: int = 0
    classes: frozenset[AlarmClass] = frozenset()
    sites: frozenset[str] = frozenset()
    findings: Literal["all", "critical", "none"] = "all"
    tests: bool = False
    url_file: Path | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days each kind of event is kept: incidents with their events, tests, and what else happened."""

    incidents: int = 1096
    tests: int = 1827
    others: int = 93


@dataclass(frozen=True, slots=True)
class Settings:
    """All that monitor.toml says. ``roster`` is None where there is no nodes.toml: then every node is ours.

    ``roster_problems``: why the roster that is named can't be used; it counts as none then. ``history_problem``: why
    the file that holds the database's URL can't be.
    ``grace_s``: how much later than its period a node may be. ``missing_s``: how long a gap in the numbers may stay
    open before it is a finding. ``gather_s``: for how long what happens at once joins one message.
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
