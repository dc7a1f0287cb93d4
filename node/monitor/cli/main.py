"""The commands of alarm-monitor. Logs go to standard error; exit codes are those of node/io/terminal/command_end.py."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from node.errors import ToolMissingError
from node.io import systemd
from node.io.terminal.command_end import FAILED, run_to_end
from node.io.terminal.output import explain
from node.monitor.cli.commands import actions, completion, lists, this_machine
from node.monitor.cli.commands.command_line import CommandLine
from node.monitor.cli.parser import parse, parser_of_completion, parser_of_line

COMMANDS: Mapping[str, Callable[[CommandLine], int]] = {
    "run": this_machine.run,
    "check": this_machine.check,
    "init": this_machine.init,
    "status": lists.status,
    "history": lists.history,
    "acknowledge": actions.about_incident,
    "silence": actions.about_incident,
    "reset": actions.about_incident,
    "identify": actions.identify,
    "pause": actions.pause,
    "resume": actions.resume,
    "forget": actions.forget,
    "tell": actions.tell,
    "isolate": actions.isolate,
    "restore-target": actions.restore_target,
    "walk-test": actions.walk_test,
    "report": lists.report,
    "token": this_machine.token,
}
"""What each command of the parser does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    completes = given[:1] == ["complete"]
    line = CommandLine(
        _typed_so_far(given), can_be_translated=not completes
    )  # whoever presses Tab waits for no catalogue
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin that it finds

    def run() -> int:
        if completes:
            return completion.complete(parser_of_completion().parse_args(given[1:]))
        parsed = parse(given, line.say)
        with systemd.logging_to(logging.DEBUG if parsed.verbose else logging.INFO, os.environ, "alarm-monitor"):
            return COMMANDS[parsed.command](CommandLine(parsed))

    try:
        return run_to_end(run, line.lines_of, line.say)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == "node":
            raise
        text = f"alarm-monitor needs packages that aren't installed ({package})"
        explain(str(ToolMissingError(text, "install the Debian package alarm-monitor")))
        return FAILED


def _typed_so_far(given: Sequence[str]) -> argparse.Namespace:
    """What was typed, as far as it says how to answer: also where it is wrong usage."""
    with suppress(argparse.ArgumentError):
        return parser_of_line().parse_known_args(given)[0]
    return parser_of_line().parse_args([])
