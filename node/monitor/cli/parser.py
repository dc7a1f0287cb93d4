"""The commands' names and flags, and what may be given to them; the shells' completion is drawn from it.

What each command does is in cli/commands/.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from node import __version__
from node.io.terminal.argument_parser import Parser
from node.monitor.cli.api_client.http_client import DEFAULT_CONFIG, address

SHOWN = 50
"""How many records of the history are shown where nobody says how many."""

LOCAL = frozenset({"run", "check", "init", "token"})
"""The commands that ask no running monitor: they read and write this machine's own files."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parser(say: Callable[[str], str] = str) -> argparse.ArgumentParser:
    """The commands and their flags, in the language of ``say``; ``command`` is the name of what is asked for."""
    made = Parser(
        prog="alarm-monitor",
        description=say("Supervises the panic buttons of a building and notifies people of alarms."),
        say=say,
    )
    text = "show program's version number and exit"
    made.add_argument("--version", action="version", version=f"alarm-monitor {__version__}", help=text)
    _add_shared(made)
    of_command = cast("type[Parser]", partial(Parser, say=say))
    commands = made.add_subparsers(required=True, dest="command", metavar="COMMAND", parser_class=of_command)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=say(text), description=say(text))
        _add_shared(added, after=True, asks=name not in LOCAL)
        return added

    add("run", "run the monitor; systemd does this")
    add("check", "find what doesn't work; one line for each finding, with what to do")
    _add_init(add("init", "write monitor.toml and nodes.toml for you to fill in"))
    status = add("status", "show alarms, findings and nodes; the most urgent first")
    status.add_argument("--json", action="store_true", help="print JSON, as the API has it")
    status.add_argument("--watch", action="store_true", help="refresh until Ctrl-C")
    _add_history(
        add("history", "show what happened, newest last; --json, --csv and --excel give everything, newest first")
    )
    for name, text in (
        ("acknowledge", "acknowledge an alarm: say that somebody is coming; the lamp at the button shows it"),
        ("silence", "end the sound of an alarm; the alarm stays open"),
    ):
        text_of_id = "SITE/NODE/INCIDENT, or the room; not needed if only one alarm is open"
        add(name, text).add_argument("incident", nargs="?", help=text_of_id, metavar="INCIDENT")
    reset = add("reset", "end an alarm and give the reason")
    reset.add_argument("incident", nargs="?", help="SITE/NODE/INCIDENT, or the room", metavar="INCIDENT")
    text = "real: emergency; drill: exercise; mistaken: pressed by mistake; technical: technical cause"
    reset.add_argument("--reason", required=True, choices=("real", "drill", "mistaken", "technical"), help=text)
    identify = add("identify", "let a node sound or blink, to find it")
    identify.add_argument("node", help="the node, as room-214 or SITE/NODE", metavar="NODE")
    text = "how long; at most 60s (default: 10s)"
    identify.add_argument("--for", dest="for_s", type=_from("1s", "60s"), default=10.0, help=text, metavar="TIME")
    pause = add("pause", "begin maintenance of a node: for this time nobody is notified if it fails")
    pause.add_argument("node", help="the node, as room-214 or SITE/NODE", metavar="NODE")
    text = "how long, as 2h or 3d; at most 30d"
    pause.add_argument("--for", dest="for_s", type=_from("1m", "30d"), required=True, help=text, metavar="TIME")
    pause.add_argument(
        "--reason", type=_reason, required=True, help="the reason, without names of persons", metavar="TEXT"
    )
    add("resume", "end the maintenance of a node early").add_argument(
        "node", help="the node, as room-214 or SITE/NODE", metavar="NODE"
    )
    forget = add("forget", "remove a node that was renamed or dismounted, with its findings and its retained messages")
    forget.add_argument("node", help="the node, as room-214 or SITE/NODE", metavar="NODE")
    tell = add("tell", "send a target a message that is marked as a test")
    tell.add_argument(
        "--test", action="store_true", required=True, help="needed: only test messages can be sent by hand"
    )
    tell.add_argument(
        "target", nargs="?", help="the target's name in monitor.toml; default: all targets", metavar="TARGET"
    )
    isolate = add("isolate", "take a target out of service: for this time it gets no messages")
    isolate.add_argument("target", help="the target's name in monitor.toml", metavar="TARGET")
    text = "how long, as 2h or 3d; at most 30d"
    isolate.add_argument("--for", dest="for_s", type=_from("1m", "30d"), required=True, help=text, metavar="TIME")
    isolate.add_argument(
        "--reason", type=_reason, required=True, help="the reason, without names of persons", metavar="TEXT"
    )
    restore = add("restore-target", "put a target back into service early")
    restore.add_argument("target", help="the target's name in monitor.toml", metavar="TARGET")
    _add_walk_test(add("walk-test", "test buttons: the first press of each is its test"))
    report = add("report", "print the report of all tests, for your files; it names no persons")
    report.add_argument("what", choices=("tests",))
    report.add_argument("--site", help="only this site", metavar="SITE")
    report.add_argument("--csv", action="store_true", help="CSV instead of HTML")
    report.add_argument("--excel", action="store_true", help="CSV for Excel")
    token = add("token", "create, list and revoke the tokens that give access to the API")
    token.add_argument("what", choices=("create", "list", "revoke"))
    token.add_argument(
        "name", nargs="?", help="name of a desk or a tool, as it is shown to others; not of a person", metavar="NAME"
    )
    token.add_argument("--role", choices=("viewer", "responder", "manager"), default="viewer")
    return made


def parse(given: Sequence[str], say: Callable[[str], str] = str) -> argparse.Namespace:
    """What was typed; wrong usage is told in the language of ``say``, and ends the program with 2."""
    made = parser(say)
    parsed = made.parse_args(given)
    if parsed.command in LOCAL and (parsed.url or parsed.token_file):
        made.error(f"{parsed.command} works only on the monitor's own machine: leave --url and --token-file out")
    return parsed


def parser_of_completion() -> argparse.ArgumentParser:
    """What the shells ask after ``alarm-monitor complete``, which is no command for people."""
    made = argparse.ArgumentParser(prog="alarm-monitor complete", add_help=False)
    made.add_argument("what", choices=("incidents", "nodes", "walk-tests", "targets"))
    made.add_argument("line", nargs=argparse.REMAINDER)
    return made


def parser_of_line() -> argparse.ArgumentParser:
    """Of a line that is still being typed: which monitor it asks."""
    # An abbreviation that could be several flags ends the program there, whatever exit_on_error says.
    made = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    made.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    made.add_argument("--language")
    made.add_argument("--url")
    made.add_argument("--token-file", type=Path)
    return made


def _add_shared(made: argparse.ArgumentParser, *, after: bool = False, asks: bool = True) -> None:
    """The flags of every command, which may stand before its name or ``after`` it; where both do, the latter counts."""
    text = f"default: {DEFAULT_CONFIG}"
    of_all: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("--verbose", False, {"action": "store_true", "help": "log more details"}),
        ("--config", DEFAULT_CONFIG, {"type": Path, "help": text, "metavar": "FILE"}),
        (
            "--language",
            None,
            {"choices": ("de", "en"), "help": "language of the answers; default: the one in monitor.toml"},
        ),
    )
    text = "address of a monitor on another machine; default: the monitor on this machine"
    of_asking: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("--url", None, {"type": _url, "help": text, "metavar": "URL"}),
        ("--token-file", None, {"type": Path, "help": "file with the token for the monitor", "metavar": "FILE"}),
    )
    hidden = {} if asks else {"help": argparse.SUPPRESS}
    for name, default, how in (*of_all, *((name, default, {**how, **hidden}) for name, default, how in of_asking)):
        made.add_argument(name, default=argparse.SUPPRESS if after else default, **how)


def _add_init(init: argparse.ArgumentParser) -> None:
    """Each flag is --TABLE-KEY, as ``alarm-node init`` has them."""
    init.add_argument(
        "--monitor-id", default="guard-desk", help="the monitor's name (default: %(default)s)", metavar="ID"
    )
    text = "the sites whose nodes it supervises (default: mitte)"
    init.add_argument("--monitor-sites", nargs="+", default=["mitte"], help=text, metavar="SITE")
    init.add_argument(
        "--broker-host",
        default="127.0.0.1",
        help="the broker's host name or address (default: %(default)s)",
        metavar="HOST",
    )
    init.add_argument(
        "--broker-port", type=int, default=1883, help="the broker's port (default: %(default)s)", metavar="PORT"
    )
    init.add_argument("--force", action="store_true", help="replace existing files")


def _add_history(history: argparse.ArgumentParser) -> None:
    kinds = ("events", "findings", "flips", "incidents", "tests")
    history.add_argument("what", nargs="?", choices=kinds, default="incidents")
    history.add_argument("--site", help="only this site", metavar="SITE")
    history.add_argument("--node", help="only this node", metavar="NODE")
    history.add_argument(
        "--since", type=_instant, help="from this time on: 2026-03-01, or 2026-03-01T07:30", metavar="WHEN"
    )
    history.add_argument("--until", type=_instant, help="before this time", metavar="WHEN")
    text = f"how many at most ({SHOWN}; all with --json, --csv or --excel)"
    history.add_argument("--most", type=_count, help=text, metavar="N")
    history.add_argument("--json", action="store_true", help="one JSON object a line")
    history.add_argument("--csv", action="store_true", help="CSV for other programs")
    history.add_argument("--excel", action="store_true", help="CSV for Excel")


def _add_walk_test(walk: argparse.ArgumentParser) -> None:
    walk.add_argument("what", choices=("start", "end", "list"))
    walk.add_argument("id", nargs="?", help="the walk test to end; not needed if only one is running", metavar="ID")
    walk.add_argument("--site", help="the site of the buttons", metavar="SITE")
    walk.add_argument("--floor", default="", help="only this floor, as in nodes.toml", metavar="FLOOR")
    walk.add_argument("--node", action="append", default=[], help="only this node; may be repeated", metavar="NODE")
    text = "how long; at most 60m (default: 30m)"
    walk.add_argument("--for", dest="for_s", type=_from("1m", "60m"), default=1800.0, help=text, metavar="TIME")


def _url(text: str) -> str:
    try:
        return address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} isn't like https://guards.example") from None


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} isn't like 90s, 30m, 2h or 3d")
    return float(found[1]) * _UNITS[found[2]]


def _from(least: str, most: str) -> Callable[[str], float]:
    """A duration within what the API takes (actions.py), which says so in its own words."""

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
