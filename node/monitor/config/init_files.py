"""The files that ``alarm-monitor init`` writes: made of the declarations of their keys, to be filled in."""

from collections.abc import Sequence
from pathlib import Path

from node.config import commented_file
from node.config.declarations import Say, example_value, key_of
from node.errors import AlarmNodeError
from node.monitor.config import monitor_file
from node.monitor.config.monitor_file import MONITOR_FILE
from node.monitor.config.roster_file import ROSTER_TABLES

_MONITOR_HEADER = (
    "Configuration of alarm-monitor. After a change, check it: sudo alarm-monitor check",
    "The service reads it when it starts: sudo systemctl restart alarm-monitor",
)
_NODES_HEADER = (
    "All nodes of the building.",
    "A node that is listed but never heard is a finding; so is one that is heard but not listed.",
)
_SHOWN_OF_A_NODE = ("id", "floor", "location")


class ExampleError(AlarmNodeError):
    """A file is there already, or can't be written."""

    code = "E033"


def monitor_text(
    *, monitor: str, sites: Sequence[str], host: str, port: int, language: str, roster: str, say: Say = str
) -> str:
    """monitor.toml with these answers; ``say`` translates its comments."""
    answers = {
        "monitor.id": monitor,
        "monitor.sites": list(sites),
        "monitor.language": language,
        "monitor.roster": roster,
        "broker.host": host,
        "broker.port": port,
    }
    return commented_file.text(_MONITOR_HEADER, MONITOR_FILE.tables, answers, say)


def roster_text(site: str, say: Say = str) -> str:
    """nodes.toml with one node of this site as an example."""
    (table,) = ROSTER_TABLES
    answers = {f"node.{name}": example_value(key_of(table.keys, name)) for name in _SHOWN_OF_A_NODE}
    return commented_file.text(_NODES_HEADER, ROSTER_TABLES, answers | {"node.site": site}, say)


def write(
    path: Path,
    say: Say,
    *,
    monitor: str,
    sites: Sequence[str],
    host: str,
    port: int,
    language: str,
    force: bool,
) -> tuple[str, ...]:
    """Write monitor.toml at ``path`` and nodes.toml beside it; what was written, a line each. Raises ExampleError.

    ``say`` has their comments in the language of whoever fills them in.
    """
    roster = path.with_name("nodes.toml")
    there = [str(each) for each in (path, roster) if _exists(each)]
    if there and not force:
        raise ExampleError(
            f"these files exist already: {' and '.join(there)}", "edit them, or replace them with --force"
        )
    text = monitor_text(
        monitor=monitor,
        sites=sites,
        host=host,
        port=port,
        language=language,
        roster=str(roster.absolute()),
        say=say,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        commented_file.write(roster, roster_text(sites[0], say), lambda _: None)
        commented_file.write(path, text, monitor_file.load)
    except OSError as problem:
        text = f"{path.parent} can't be written ({problem.strerror})"
        raise ExampleError(text, "run this as root: sudo alarm-monitor init") from problem
    return tuple(f"{each} is written" for each in (path, roster))


def _exists(path: Path) -> bool:
    """False also where this account may not look: then it can't write there either, and is told so."""
    try:
        return path.exists()
    except PermissionError:
        return False
