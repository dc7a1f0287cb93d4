"""The commands of alarm-node. Logs go to standard error; exit codes are those of node/io/terminal/command_end.py."""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from node import __version__, config
from node.config import last_good
from node.config.declarations import meaning
from node.io import systemd
from node.io.terminal.argument_parser import Parser
from node.io.terminal.command_end import reload_on_hangup, run_to_end, stop_on_signals
from node.io.terminal.output import direct

if TYPE_CHECKING:
    from node.service.loop import Service

DEFAULT_CONFIG = Path("/etc/alarm-node/node.toml")

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""

    def run() -> int:
        given = sys.argv[1:] if arguments is None else arguments
        parsed = parser(with_keys="init" in given).parse_args(given)
        command: Callable[[argparse.Namespace], int] = parsed.command
        with systemd.logging_to(logging.DEBUG if parsed.verbose else logging.INFO, os.environ):
            return command(parsed)

    return run_to_end(run)


def parser(*, with_keys: bool = True) -> argparse.ArgumentParser:
    """The commands and their flags; the shells' completion is generated from it (tests/support/completion.py).

    ``with_keys``: with a flag of ``init`` for each key of node.toml. Making them takes longer than all others, and a
    node that starts has no time to lose.
    """
    made = Parser(
        prog="alarm-node", description="A panic button: it raises alarms, and reports what of it doesn't work."
    )
    made.add_argument("--version", action="version", version=f"alarm-node {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--verbose", action="store_true", help="log more details")
        added.set_defaults(command=command)
        return added

    def with_config(added: argparse.ArgumentParser) -> None:
        added.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="default: %(default)s", metavar="FILE")

    init = add(
        "init", _init, "write node.toml; at a terminal it asks for the settings, elsewhere it takes them from flags"
    )
    with_config(init)
    if with_keys:
        _with_keys(init)
    with_config(add("run", _run, "run the node; systemd does this"))
    with_config(
        add("outputs-off", _outputs_off, "switch buzzer and lamp off after the node has ended; systemd does this")
    )
    check = add(
        "check",
        _check,
        "find open alarms and what doesn't work; one line each, with what to do; ends with 1 if there is any",
    )
    with_config(check)
    check.add_argument(
        "--file-only", action="store_true", help="only say what is wrong with FILE, as `systemctl reload` does first"
    )
    log = add("log", _log, "show the recorded events, newest last")
    with_config(log)
    log.add_argument("--json", action="store_true", help="print one JSON object per line")
    log.add_argument("--follow", action="store_true", help="show new events as they come, until Ctrl-C")
    simulate = add("simulate", _simulate, "run the node on simulated pins: reads instructions, prints JSON lines")
    with_config(simulate)
    simulate.add_argument(
        "--held", action="append", default=[], metavar="NAME", help="a button that is already pressed at the start"
    )
    demo = add("demo", _demo, "try the system on this machine: a private broker, simulated nodes and a monitor")
    demo.add_argument("--headless", action="store_true", help="play a whole story without input")
    return made


def _with_keys(init: argparse.ArgumentParser) -> None:
    init.usage = "%(prog)s [-h] [--config FILE] [--force] [--TABLE-KEY VALUE ...]"
    init.add_argument("--force", action="store_true", help="replace an existing file")
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
        print(f"\n{parsed.config} is written. Next:\n  sudo alarm-node check\n  sudo systemctl enable --now alarm-node")
    else:
        print(f"\n{parsed.config} is written. Next:\n  alarm-node check --config {parsed.config}")
    return 0


def _ask(prompt: str) -> str:
    # Not by input(prompt): that prints the prompt on standard error.
    print(prompt, end="", flush=True)
    return input()


def _run(parsed: argparse.Namespace) -> int:
    systemd.outlast_hangups()
    gc.disable()  # until the node is ready: all that is imported stays, so a search for garbage is lost time
    # Imported here, as below, so that `check` and `log` don't wait for imports that only the service needs.
    from node.io.panel import last_outputs, pin_factory  # noqa: PLC0415
    from node.service.loop import Service  # noqa: PLC0415

    with systemd.notifying(os.environ) as notifier:
        # Before anything else can fail: a lamp that still says "somebody is coming" must not do so over a dead node.
        last_outputs.switch_off(last_good.where(parsed.config, os.environ).parent)
        settings = _load(parsed.config)
        directory = config.state_directory(settings, os.environ)
        service = Service(
            settings,
            partial(pin_factory.open_factory, settings),
            directory,
            environ=os.environ,
            notifier=notifier,
            note_outputs=partial(last_outputs.remember, directory, pin_factory.labels(settings)),
        )
        _prepared(service)
        service.run()
    return 0


def _prepared(service: "Service") -> None:
    """SIGTERM and SIGINT stop the service, SIGHUP lets it read node.toml again; and garbage is searched for again."""
    stop_on_signals(service.stop)
    reload_on_hangup(service.reload)
    service.when_ready = _search_for_garbage


def _search_for_garbage() -> None:
    """From here on, but leave out what is there now: a full search would hold up a press for some 6 ms on a PC."""
    gc.freeze()
    gc.enable()


def _load(path: Path) -> config.Config:
    """The configuration to run with: node.toml, or its last good copy; what is wrong with node.toml is logged."""
    settings, problems = last_good.load(path, os.environ)
    for problem in problems:
        log.error("%s", problem)
    if problems:
        log.error("the node runs with its last good configuration: correct the lines above")
    return settings


def _outputs_off(parsed: argparse.Namespace) -> int:
    from node.io.panel import last_outputs  # noqa: PLC0415

    last_outputs.switch_off(last_good.where(parsed.config, os.environ).parent)
    return 0


def _check(parsed: argparse.Namespace) -> int:
    if parsed.file_only:
        config.load(parsed.config, os.environ)
        print(f"{parsed.config} is complete and consistent")
        return 0
    from node.cli.check.node_check import Installed, examine  # noqa: PLC0415
    from node.io.terminal.check_result import print_results  # noqa: PLC0415

    logging.getLogger("node").setLevel(logging.ERROR)
    installed = Installed() if parsed.config == DEFAULT_CONFIG else None
    return print_results(examine(parsed.config, os.environ, installed=installed))


def _log(parsed: argparse.Namespace) -> int:
    from node.cli import event_log  # noqa: PLC0415

    settings, _ = last_good.load(parsed.config, os.environ)
    directory = config.state_directory(settings, os.environ)
    return event_log.show(directory, follow=parsed.follow, as_lines_of_json=parsed.json)


def _simulate(parsed: argparse.Namespace) -> int:
    systemd.outlast_hangups()
    gc.disable()  # as above
    from node.simulate.simulation import run  # noqa: PLC0415

    with systemd.notifying(os.environ) as notifier:
        settings = _load(parsed.config)
        return run(
            settings,
            sys.stdin,
            direct(),
            os.environ,
            held=parsed.held,
            notifier=notifier,
            on_service=_prepared,
        )


def _demo(parsed: argparse.Namespace) -> int:
    from node import demo  # noqa: PLC0415

    logging.getLogger().setLevel(logging.ERROR)  # a connection that is lost is part of the demo
    has_screen = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    interactive = has_screen and not parsed.headless
    return demo.at_terminal() if interactive else demo.headless(sys.stdout)
