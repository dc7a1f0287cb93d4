"""The files that ``alarm-monitor init`` writes: they explain themselves, and are to be filled in."""

from collections.abc import Callable, Sequence
from pathlib import Path

from node.errors import AlarmNodeError

_MONITOR = """\
# What the building's side has, for alarm-monitor. Change it, then try it: alarm-monitor check.
# The service reads it when it starts: systemctl restart alarm-monitor.

[monitor]
# Its name on the broker, and its login there; each monitor of a building has another.
id = "{monitor}"
# Whose nodes it hears.
sites = [{sites}]
# What people read: "de" or "en".
language = "{language}"
# All nodes, so that one that was never heard is missed.
roster = "{roster}"

[[broker]]
host = "{host}"
port = {port}
# Anything but this machine wants TLS: the authority that signed the broker's certificate.
#ca_file = "/etc/alarm-monitor/ca.pem"
#username = "{monitor}"
#password_file = "/etc/alarm-monitor/password"

# Who is told: one block for each mail address, SMS gateway, chat or push service, as an Apprise URL.
# The URL is a secret: it stands best in a file of its own that only the service may read.
#[[target]]
#name = "guards-mail"
#url_file = "/etc/alarm-monitor/guards.url"
#classes = ["threat", "amok"]
#findings = "critical"

# Told when nobody has acknowledged after escalate_s.
#[[target]]
#name = "house-management"
#url_file = "/etc/alarm-monitor/house.url"
#level = 1

[incidents]
# Seconds without acknowledgement until the next level is told: 10 to 3600.
#escalate_s = 60

[tests]
# Days after which a button has to be tested: 1 to 366.
#every_days = 31

[history]
# Without this the history is a file (SQLite) in the state directory. The file holds a URL like
# postgresql://alarm_monitor:password@db.example/alarm_monitor
#url_file = "/etc/alarm-monitor/history.url"
#keep_incidents_days = 1096
#keep_tests_days = 1827
#keep_others_days = 93

[api]
# For tools and the commands. Loopback alone; a proxy with TLS brings it to others.
#host = "127.0.0.1"
#port = 8780
"""

_NODES = """\
# Every node of the building. One that is listed and never heard is a finding; so is one that speaks and isn't listed.

[[node]]
id = "room-214"
site = "{site}"
floor = "2"
location = "2. OG, Zimmer 214"
# With which classes it calls: so that check finds what no target takes, before the node is there.
#classes = ["threat"]
"""


class ExampleError(AlarmNodeError):
    """A file is there already, or can't be written."""

    code = "E033"


def write(
    path: Path,
    say: Callable[[str], str],
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
    texts = {
        path: _told(_MONITOR, say).format(
            monitor=monitor,
            sites=", ".join(f'"{site}"' for site in sites),
            host=host,
            port=port,
            language=language,
            roster=roster.absolute(),
        ),
        roster: _told(_NODES, say).format(site=sites[0]),
    }
    there = [str(each) for each in texts if each.exists()]
    if there and not force:
        raise ExampleError(f"there already: {' and '.join(there)}", "change what is there, or replace it with --force")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for each, text in texts.items():
            each.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ExampleError(f"{path.parent} can't be written ({problem.strerror})", "run this as root") from problem
    return tuple(f"{each} is written" for each in texts)


def _told(text: str, say: Callable[[str], str]) -> str:
    return "\n".join(f"# {say(line[2:])}" if line.startswith("# ") else line for line in text.split("\n"))
