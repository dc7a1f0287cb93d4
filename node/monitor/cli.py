"""The commands of the building's side. Prints; logs go to standard error.

Exit codes: 0 done, 1 findings (check) or a failure that the last line explains, 2 can't be told, or wrong usage.
"""

import argparse
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from node import __version__, watchdog
from node.errors import AlarmNodeError, ToolMissingError
from node.monitor.commanding import ANSWER_S, LOOK_S, ApiError, Commands

DEFAULT_CONFIG = Path("/etc/alarm-monitor/monitor.toml")
SHOWN = 50
"""How many records of the history are shown where nobody says how many."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    parsed = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin that it finds
    try:
        with watchdog.logging_to(logging.DEBUG if parsed.verbose else logging.INFO, os.environ, "alarm-monitor"):
            return command(parsed)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == "node":
            raise
        text = f"alarm-monitor needs packages that aren't here ({package})"
        print(ToolMissingError(text, "pip install 'alarm-node[monitor]'"), file=sys.stderr)
    except AlarmNodeError as error:
        print(*error.problems, error, sep="\n", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("stopped before its end", file=sys.stderr)
    return 1


def parser() -> argparse.ArgumentParser:
    """The commands and their flags."""
    made = argparse.ArgumentParser(prog="alarm-monitor", description="The building's side: hears every node.")
    made.add_argument("--version", action="version", version=f"alarm-monitor {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str, *, asks: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--verbose", action="store_true", help="log more than what facilities need")
        added.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="default: %(default)s", metavar="FILE")
        if asks:
            added.add_argument("--token-file", type=Path, help="whose token it is asked with", metavar="FILE")
        added.set_defaults(command=command)
        return added

    add("run", _run, "be the monitor: the service", asks=False)
    add("check", _check, "what doesn't work, one line per finding with its next step", asks=False)
    _add_init(add("init", _init, "write monitor.toml and nodes.toml, to be filled in", asks=False))
    status = add("status", _status, "the nodes, what needs somebody first")
    status.add_argument("--json", action="store_true", help="as the API tells it")
    status.add_argument("--watch", action="store_true", help="go on showing it, until Ctrl-C")
    status.add_argument("--language", choices=("de", "en"), help="default: monitor.toml's")
    _add_history(add("history", _history, "what happened, newest last; with --json or --csv all of it, newest first"))
    for name, text in (
        ("acknowledge", "somebody is coming: the lamp at the button shows it"),
        ("silence", "end the sound of an alarm, which stays open"),
    ):
        about = add(name, _about_incident, text)
        about.set_defaults(action=name)
        about.add_argument("incident", help="SITE/NODE/INCIDENT", metavar="INCIDENT")
    reset = add("reset", _about_incident, "end an alarm, and say what it was")
    reset.set_defaults(action="reset")
    reset.add_argument("incident", help="SITE/NODE/INCIDENT", metavar="INCIDENT")
    reset.add_argument("--reason", required=True, choices=("real", "drill", "mistaken", "technical"))
    identify = add("identify", _identify, "let a node sound, to find it")
    identify.add_argument("node", help="SITE/NODE", metavar="NODE")
    text = "at most 60s (10s by default)"
    identify.add_argument("--for", dest="for_s", type=_from("1s", "60s"), default=10.0, help=text, metavar="TIME")
    pause = add("pause", _pause, "maintenance: a node's silence is nobody's business for a while")
    pause.add_argument("node", help="SITE/NODE", metavar="NODE")
    text = "2h, 3d; at most 30d"
    pause.add_argument("--for", dest="for_s", type=_from("1m", "30d"), required=True, help=text, metavar="TIME")
    pause.add_argument("--reason", type=_reason, required=True, help="which work; no names", metavar="TEXT")
    add("resume", _resume, "end a pause before its time").add_argument("node", help="SITE/NODE", metavar="NODE")
    _add_walk_test(add("walk-test", _walk_test, "test buttons by pressing each once"))
    report = add("report", _report, "the record of tests, to be kept: no names")
    report.add_argument("what", choices=("tests",))
    report.add_argument("--site", help="of one site", metavar="SITE")
    report.add_argument("--csv", action="store_true", help="as CSV instead of HTML")
    report.add_argument("--language", choices=("de", "en"), help="default: monitor.toml's")
    token = add("token", _token, "who may ask the API: made here, shown once, kept as a hash", asks=False)
    token.add_argument("what", choices=("create", "list", "revoke"))
    token.add_argument("name", nargs="?", help="a desk's or a tool's, as it is shown; no person's", metavar="NAME")
    token.add_argument("--role", choices=("viewer", "responder", "manager"), default="viewer")
    return made


def _add_init(init: argparse.ArgumentParser) -> None:
    init.add_argument("--id", default="guard-desk", help="the monitor's name (%(default)s)", metavar="ID")
    init.add_argument("--site", default="mitte", help="whose nodes it hears (%(default)s)", metavar="SITE")
    init.add_argument("--host", default="127.0.0.1", help="the broker (%(default)s)", metavar="HOST")
    init.add_argument("--port", type=int, default=1883, help="its port (%(default)s)", metavar="PORT")
    init.add_argument("--language", choices=("de", "en"), default="de")
    init.add_argument("--force", action="store_true", help="replace files that are there")


def _add_history(history: argparse.ArgumentParser) -> None:
    kinds = ("events", "findings", "flips", "incidents", "tests")
    history.add_argument("what", nargs="?", choices=kinds, default="incidents")
    history.add_argument("--site", help="of one site", metavar="SITE")
    history.add_argument("--node", help="of one node", metavar="NODE")
    history.add_argument("--since", type=_instant, help="from 2026-03-01 on, or 2026-03-01T07:30", metavar="WHEN")
    history.add_argument("--until", type=_instant, help="before it", metavar="WHEN")
    text = f"how many at most ({SHOWN}; all with --json or --csv)"
    history.add_argument("--most", type=_count, help=text, metavar="N")
    history.add_argument("--json", action="store_true", help="one JSON object a line")
    history.add_argument("--csv", action="store_true", help="for a spreadsheet")


def _add_walk_test(walk: argparse.ArgumentParser) -> None:
    walk.add_argument("what", choices=("start", "end", "list"))
    walk.add_argument("id", nargs="?", help="which one ends", metavar="ID")
    walk.add_argument("--site", help="where it is", metavar="SITE")
    walk.add_argument("--floor", default="", help="of one floor, as nodes.toml has it", metavar="FLOOR")
    walk.add_argument("--node", action="append", default=[], help="of this node (may be given again)", metavar="NODE")
    text = "at most 60m (30m by default)"
    walk.add_argument("--for", dest="for_s", type=_from("1m", "60m"), default=1800.0, help=text, metavar="TIME")


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} isn't like 90s, 30m, 2h or 3d")
    return float(found[1]) * _UNITS[found[2]]


def _from(least: str, most: str) -> Callable[[str], float]:
    """A duration within what the API takes (web/asking.py), which says so in its own words."""

    def within(text: str) -> float:
        seconds = _duration(text)
        if not _duration(least) <= seconds <= _duration(most):
            raise argparse.ArgumentTypeError(f"{text!r} isn't from {least} to {most}")
        return seconds

    return within


def _reason(text: str) -> str:
    if not (0 < len(text) <= 120 and text.isprintable()):
        raise argparse.ArgumentTypeError("must be 1 to 120 characters on one line")
    return text


def _count(text: str) -> int:
    if re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number from 1 on")
    return int(text)


def _instant(text: str) -> str:
    """As the API takes it; without a zone it is this machine's."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} isn't like 2026-03-01 or 2026-03-01T07:30") from None


def _run(parsed: argparse.Namespace) -> int:
    # Imported here, as below: the short commands shouldn't wait for what only the service needs.
    from node.monitor import running  # noqa: PLC0415

    with watchdog.notifying(os.environ) as notifier, running.monitor(parsed.config, os.environ, notifier) as service:

        def ask(number: int, _frame: object) -> None:
            service.stop(signal.Signals(number).name.lower())

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
        service.run()
    return 0


def _check(parsed: argparse.Namespace) -> int:
    from node.monitor.examine import examine  # noqa: PLC0415

    logging.getLogger().setLevel(logging.ERROR)
    outcomes = set()
    for finding in examine(parsed.config, os.environ):
        print(finding, flush=True)
        outcomes.add(finding.ok)
    return 1 if False in outcomes else 2 if None in outcomes else 0


def _init(parsed: argparse.Namespace) -> int:
    from node.monitor.example import write  # noqa: PLC0415

    written = write(
        parsed.config,
        monitor=parsed.id,
        site=parsed.site,
        host=parsed.host,
        port=parsed.port,
        language=parsed.language,
        force=parsed.force,
    )
    print(*written, sep="\n")
    config = "" if parsed.config == DEFAULT_CONFIG else f" --config {parsed.config}"
    print(
        f"\nNext: list your nodes in nodes.toml, say in monitor.toml who is told, then:\n  alarm-monitor check{config}"
    )
    return 0


def _status(parsed: argparse.Namespace) -> int:
    from node.monitor.showing import show_status  # noqa: PLC0415

    client = _client(parsed, LOOK_S)
    language = parsed.language or _settings(parsed).language

    def told() -> dict[str, Any]:
        return {
            "fleet": client.get("fleet"),
            "incidents": list(client.items("incidents")),
            "findings": list(client.items("findings")),
            "nodes": list(client.items("nodes")),
        }

    if parsed.json:
        print(json.dumps(told(), ensure_ascii=False, indent=2))
    else:
        show_status(told, language, watch=parsed.watch)
    return 0


def _history(parsed: argparse.Namespace) -> int:
    from node.monitor import past  # noqa: PLC0415

    path = (parsed.what, "past") if parsed.what in {"incidents", "findings"} else (parsed.what,)
    wanted = {name: getattr(parsed, name) for name in ("site", "node", "since", "until")}
    form: Literal["table", "json", "csv"] = "csv" if parsed.csv else "json" if parsed.json else "table"
    most = parsed.most or (SHOWN if form == "table" else None)
    past.show(parsed.what, _client(parsed).items(*path, **wanted), form, most)
    return 0


def _about_incident(parsed: argparse.Namespace) -> int:
    action = parsed.action
    parts = parsed.incident.split("/")
    if len(parts) != 3:
        raise ApiError(f"{parsed.incident!r} isn't SITE/NODE/INCIDENT", "copy it from alarm-monitor status")
    body = {"reason": parsed.reason} if action == "reset" else None
    made = _client(parsed).post("incidents", *parts, action, body=body)
    _say_done(f"{action}: done", made)
    return 0


def _identify(parsed: argparse.Namespace) -> int:
    _client(parsed).post(*_node(parsed.node), "identify", body={"for_s": parsed.for_s})
    print("identify: done")
    return 0


def _pause(parsed: argparse.Namespace) -> int:
    body = {"reason": parsed.reason, "for_s": parsed.for_s}
    _client(parsed).post(*_node(parsed.node), "pause", body=body)
    print("paused; it ends by itself. Its alarms stay alarms.")
    return 0


def _resume(parsed: argparse.Namespace) -> int:
    _client(parsed).post(*_node(parsed.node), "resume")
    print("resumed")
    return 0


def _walk_test(parsed: argparse.Namespace) -> int:
    from node.monitor.showing import show_walk_tests  # noqa: PLC0415

    client = _client(parsed)
    if parsed.what == "start":
        if not parsed.site:
            raise ApiError("a walk test needs a site", "alarm-monitor walk-test start --site SITE")
        body: dict[str, Any] = {"site": parsed.site, "for_s": parsed.for_s}
        if parsed.floor:
            body["floor"] = parsed.floor
        if parsed.node:
            body["nodes"] = parsed.node
        made = client.post("walk-tests", body=body)
        _say_done(f"{made['id']} holds for {parsed.for_s / 60:g} min. Press each button once, for less than 2 s.", made)
    elif parsed.what == "end":
        if not parsed.id:
            raise ApiError("the end of a walk test needs its id", "alarm-monitor walk-test list")
        client.delete("walk-tests", parsed.id)
        print("ended")
    else:
        show_walk_tests(client.items("walk-tests"))
    return 0


def _report(parsed: argparse.Namespace) -> int:
    from node.monitor.report import tests_csv, tests_html  # noqa: PLC0415

    client = _client(parsed)
    tests = list(client.items("tests", site=parsed.site))
    buttons = list(client.items("buttons", site=parsed.site))
    if parsed.csv:
        print(tests_csv(tests, buttons), end="")
    else:
        print(tests_html(tests, buttons, parsed.language or _settings(parsed).language, parsed.site))
    return 0


def _token(parsed: argparse.Namespace) -> int:
    from node.monitor.model import Role  # noqa: PLC0415
    from node.monitor.running import open_history  # noqa: PLC0415
    from node.monitor.showing import show_tokens  # noqa: PLC0415

    history = open_history(_settings(parsed), os.environ)
    if parsed.what == "list":
        show_tokens(history.tokens.list())
        return 0
    if not parsed.name:
        raise ApiError("a token needs a name", f"alarm-monitor token {parsed.what} NAME")
    if parsed.what == "create":
        print(history.tokens.create(parsed.name, Role(parsed.role)))
        print(f"This is shown once. It may do what a {parsed.role} may.", file=sys.stderr)
    else:
        history.tokens.revoke(parsed.name)
        print("revoked")
    return 0


def _say_done(text: str, made: Mapping[str, Any]) -> None:
    """Say that it is done, and what of it isn't as whoever asked would take it."""
    print(text)
    note = made.get("note")  # a monitor that was started before this command was installed has none
    if note:
        print(f"But: {note}.")


def _settings(parsed: argparse.Namespace) -> Any:
    from node.monitor import config  # noqa: PLC0415

    return config.load(parsed.config, os.environ)


def _client(parsed: argparse.Namespace, answer_s: float = ANSWER_S) -> Commands:
    from node.monitor import config  # noqa: PLC0415

    settings = _settings(parsed)
    own = config.state_directory(settings, os.environ) / config.TOKEN_FILE
    return Commands(settings.api_host, settings.api_port, parsed.token_file or own, answer_s)


def _node(text: str) -> tuple[str, ...]:
    parts = text.split("/")
    if len(parts) != 2:
        raise ApiError(f"{text!r} isn't SITE/NODE", "copy it from alarm-monitor status")
    return ("nodes", *parts)
