"""The shells' completion, drawn by shtab from the commands as they are; committed, so that it costs a node nothing."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import shtab

from node.cli import init, main
from node.config.declarations import choices
from node.monitor.cli.parser import parser as monitor_parser

PROGRAMS: Mapping[str, Callable[[], argparse.ArgumentParser]] = {
    "alarm-node": main.parser,
    "alarm-monitor": monitor_parser,
}


NAMES = {"incident": "incidents", "node": "nodes", "id": "walk-tests", "target": "targets"}
"""What is known by the running monitor, by the argument that names it."""


def script(program: str, shell: str, _present: str = "") -> str:
    """What this shell reads to complete this program: the text of a file in deploy/completion."""
    parser = PROGRAMS[program]()
    for action in _actions(parser):
        _describe(action)
    return f"{shtab.complete(parser, shell).rstrip()}\n"


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them, and shtab reads this one too
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for command in action.choices.values():
                yield from _actions(command)


def _asking(what: str) -> dict[str, object]:
    """How each shell asks the monitor which there are, with what has been typed so far; in vain it asks quietly."""
    name = f"_alarm_monitor_{what.replace('-', '_')}"
    ask = f"alarm-monitor complete {what}"
    bash = f'{name}() {{\n  compgen -W "$({ask} "${{COMP_WORDS[@]}}" 2>/dev/null)" -- "$1"\n}}'
    zsh = f'{name}() {{\n  local -a found\n  found=(${{(f)"$({ask} ${{words}} 2>/dev/null)"}})\n  compadd -a found\n}}'
    return {
        "bash": name,
        "zsh": name,
        "fish": f"({ask} (commandline -opc) 2>/dev/null)",
        "preamble": {"bash": bash, "zsh": zsh},
    }


def _describe(action: argparse.Action) -> None:
    """Say what may follow, where argparse doesn't know it."""
    question = init.QUESTIONS.get(action.dest)
    if action.dest in NAMES and (action.dest == "node" or not action.option_strings):
        action.complete = _asking(NAMES[action.dest])  # type: ignore[attr-defined] # shtab's way to be told
    elif action.type is Path or action.dest.endswith("_file"):
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif action.dest.endswith("_directory"):
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif question is not None:
        action.choices = choices(question.key) or None
