"""The shells' completion, drawn by shtab from the commands as they are; committed, so that it costs a node nothing."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

from node import cli, init
from node.config.reader import choices
from node.monitor.arguments import parser as monitor_parser

PROGRAMS = {"alarm-node": cli.parser, "alarm-monitor": monitor_parser}


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


def _describe(action: argparse.Action) -> None:
    """Say what may follow, where argparse doesn't know it."""
    question = init.QUESTIONS.get(action.dest)
    if action.type is Path or action.dest.endswith("_file"):
        action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab's way to be told
    elif action.dest.endswith("_directory"):
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif question is not None:
        action.choices = choices(question.key) or None
