"""The commands of alarm-node. Only this module prints; logs go to standard error.

Exit codes: 0 done, 1 findings (check) or a failure that the last line explains, 2 can't be told, or wrong usage, 141
the reader of the output has gone (as after ``| head``).
"""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from node import __version__, config
from node.config.declarations import meaning
from node.core.model import Key, KeyRange
from node.errors import AlarmNodeError
from node.io import systemd
from node.io.terminal_output import READER_GONE, Parser, ReaderGoneError, as_utf8, direct, explain, printing
from node.sanitize import as_json, plain

FOLLOW_S = 0.5
DEFAULT_CONFIG = Path("/etc/alarm-node/node.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        with printing():
            parsed = parser().parse_args(arguments)
            command: Callable[[argparse.Namespace], int] = parsed.command
            with systemd.logging_to(logging.DEBUG if parsed.verbose else logging.INFO, os.environ):
                return command(parsed)
    except AlarmNodeError as error:
        explain(*error.problems, str(error))
    except ReaderGoneError:
        return READER_GONE
    return 1


def parser() -> argparse.ArgumentParser:
    """The commands and their flags; the shells' completion is generated from it (tests/support/completion.py)."""
    made = Parser(prog="alarm-node", description="A panic button that is never silently dead.")
    made.add_argument("--version", action="version", version=f"alarm-node {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--verbose", action="store_true", help="log more than what facilities need")
        added.set_defaults(command=command)
        return added

    def with_config(added: argparse.ArgumentParser) -> None:
        added.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="default: %(default)s", metavar="FILE")

    init = add("init", _init, "write node.toml: asks at a terminal, and takes flags anywhere")
    with_config(init)
    _with_keys(init)
    with_config(add("run", _run, "be the node: the service"))
    with_config(add("check", _check, "what doesn't work, one line per finding with its next step"))
    log = add("log", _log, "the record, newest last")
    with_config(log)
    log.add_argument("--json", action="store_true", help="one JSON object a line")
    log.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    simulate = add("simulate", _simulate, "the same service on simulated pins: text in, JSON lines out")
    with_config(simulate)
    simulate.add_argument(
        "--held", action="append", default=[], metavar="NAME", help="a button that is pressed before the start"
    )
    demo = add(
        "demo", _demo, "a private broker, simulated nodes and their monitor on this machine: press one and watch"
    )
    demo.add_argument("--headless", action="store_true", help="play the whole story without a person")
    return made


def _with_keys(init: argparse.ArgumentParser) -> None:
    init.usage = "%(prog)s [-h] [--config FILE] [--force] [--TABLE-KEY VALUE ...]"
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    for table in config.NODE_FILE.tables:
        group = init.add_argument_group(table.heading)
        for key in table.declared:
            text = meaning(key).replace("%", "%%")
            group.add_argument(table.flag(key), dest=f"{table.name}.{key.encode_name}", metavar="VALUE", help=text)


def _init(parsed: argparse.Namespace) -> int:
    from node.cli import init  # noqa: PLC0415

    given = {name: text for name, text in vars(parsed).items() if "." in name and text is not None}
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    init.run(parsed.config, given, _ask if interactive else None, print, force=parsed.force)
    if parsed.config == DEFAULT_CONFIG:
        print(f"\n{parsed.config} is written. Next:\n  alarm-node check\n  systemctl enable --now alarm-node")
    else:
        print(f"\n{parsed.config} is written. Next:\n  alarm-node check --config {parsed.config}")
    return 0


def _ask(prompt: str) -> str:
    # Not by input(prompt): that prints the prompt on standard error.
    print(prompt, end="", flush=True)
    return input()


def _run(parsed: argparse.Namespace) -> int:
    systemd.outlast_hangups()
    # Imported here, as below, so that `check` and `log` don't wait for imports that only the service needs.
    from node.io.panel.pin_factory import open_factory  # noqa: PLC0415
    from node.service.loop import Service  # noqa: PLC0415

    with systemd.notifying(os.environ) as notifier:
        settings = config.load(parsed.config, os.environ)
        factory = open_factory(settings.pin_factory)
        directory = config.state_directory(settings, os.environ)
        service = Service(settings, factory, directory, environ=os.environ, notifier=notifier)
        _stop_on_signals(service)
        try:
            service.run()
        finally:
            factory.close()
    return 0


def _stop_on_signals(service: Any) -> None:
    def ask(number: int, _frame: object) -> None:
        service.stop(signal.Signals(number).name.lower())

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def _check(parsed: argparse.Namespace) -> int:
    from node.cli.check.node_check import examine  # noqa: PLC0415

    logging.getLogger("node").setLevel(logging.ERROR)
    outcomes = set()
    for finding in examine(parsed.config, os.environ):
        print(finding, flush=True)
        outcomes.add(finding.ok)
    return 1 if False in outcomes else 2 if None in outcomes else 0


def _log(parsed: argparse.Namespace) -> int:
    from node.io.record.record import read_log  # noqa: PLC0415
    from node.protocol.record_codec import describe, is_event  # noqa: PLC0415

    directory = config.state_directory(config.load(parsed.config), os.environ)
    wait = partial(time.sleep, FOLLOW_S) if parsed.follow else None
    if parsed.json:
        as_utf8()
    try:
        for row in read_log(directory, wait):
            if is_event(row.key, row.body):
                told = describe(row.body, row.received_by, row.received_at_utc, row.steps)
            else:
                told = _unreadable(row.key)
            print(as_json(told) if parsed.json else plain(_line(told, parsed.follow)), flush=parsed.follow)
    except KeyboardInterrupt:
        return 0
    return 0


def _unreadable(key: Key) -> dict[str, Any]:
    """What can still be said of an event that a bad card has garbled."""
    known = {"at_utc": "-" * 24, "boot": str(key.boot), "seq": str(key.seq), "kind": "unreadable"}
    return {**known, "held_by": None, "held_at_utc": None, "accepted_at_utc": None, "steps_ms": {}}


def _line(told: dict[str, Any], following: bool) -> str:
    shown = ("input", "class", "incident", "presses", "fault", "subject", "command", "reason", "by", "for_s")
    details = "  ".join(f"{name}={told[name]}" for name in shown if told.get(name) is not None)
    details += "  ".join(_range(each) for each in told.get("ranges", ()))
    if told["held_by"]:
        holder = f"  [held by {told['held_by']}]"
    elif told["accepted_at_utc"]:
        holder = "  [accepted by the broker]"
    else:
        # A follower reads an event as soon as it is stored, when nobody can hold it yet: "not held" would mislead.
        holder = "" if following else "  [not held]"
    details += _steps(told["steps_ms"])
    return f"{told['at_utc']}  {told['boot']}-{told['seq']:<5}  {told['kind']:<17}  {details}{holder}"


def _range(told: dict[str, Any]) -> str:
    return str(KeyRange(**told))


def _steps(steps_ms: dict[str, float | None]) -> str:
    """How long the call took to reach each step: ``stored 4 ms, held 31 ms, told 60 ms``."""
    reached = [f"{step} {_after(ms)}" for step, ms in steps_ms.items()]
    return f"  {', '.join(reached)}" if reached else ""


def _after(ms: float | None) -> str:
    if ms is None:
        return "after a restart of the machine"
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def _simulate(parsed: argparse.Namespace) -> int:
    systemd.outlast_hangups()
    from node.simulate.simulation import run  # noqa: PLC0415

    with systemd.notifying(os.environ) as notifier:
        settings = config.load(parsed.config, os.environ)
        return run(
            settings,
            sys.stdin,
            direct(),
            os.environ,
            held=parsed.held,
            notifier=notifier,
            on_service=_stop_on_signals,
        )


def _demo(parsed: argparse.Namespace) -> int:
    from node import demo  # noqa: PLC0415

    logging.getLogger().setLevel(logging.ERROR)  # a connection that is lost is part of the demo
    has_screen = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    interactive = has_screen and not parsed.headless
    return demo.at_terminal() if interactive else demo.headless(sys.stdout)
