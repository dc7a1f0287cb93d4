"""Man pages, drawn from the commands as they are; committed, so that a package is built without any library.

groff_man(7) says what the macros mean. What is typed is bold.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial

from node.cli import main
from node.monitor.cli.nagios import check_alarm_node
from node.monitor.cli.parser import parser as monitor_parser
from node.monitor.locale.translation import Words

_ENGLISH = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "FILES", "SEE ALSO")
_GERMAN = ("NAME", "ÜBERSICHT", "BESCHREIBUNG", "OPTIONEN", "BEFEHLE", "DATEIEN", "SIEHE AUCH")


@dataclass(frozen=True, slots=True)
class Page:
    """A program's parser, the headings in its language, its files with what each is, and where to read on."""

    parser: Callable[[], argparse.ArgumentParser]
    headings: Sequence[str]
    files: Mapping[str, str]
    see: Sequence[str]


PAGES = {
    "alarm-node.1": Page(
        main.parser,
        _ENGLISH,
        {
            "/etc/alarm-node/node.toml": "what this room has",
            "/var/lib/alarm-node": "the record: every event, and what is open",
            "/usr/share/doc/alarm-node/node.example.toml": "explains every key of node.toml",
        },
        ("alarm-monitor(1)", "/usr/share/doc/alarm-node/guides/INSTALL.md", "OPERATIONS.md"),
    ),
    "alarm-monitor.1": Page(
        monitor_parser,
        _ENGLISH,
        {
            "/etc/alarm-monitor/monitor.toml": "brokers, and whom to tell",
            "/etc/alarm-monitor/nodes.toml": "the nodes of the building",
            "/var/lib/alarm-monitor": "the history",
        },
        ("check_alarm_node(1)", "alarm-node(1)", "/usr/share/doc/alarm-monitor/guides/MONITOR.md", "OPERATIONS.md"),
    ),
    "alarm-monitor.de.1": Page(
        partial(monitor_parser, Words("de", UTC, {}).retold),
        _GERMAN,
        {
            "/etc/alarm-monitor/monitor.toml": "Broker, und wer benachrichtigt wird",
            "/etc/alarm-monitor/nodes.toml": "die Geräte des Gebäudes",
            "/var/lib/alarm-monitor": "was geschehen ist",
        },
        ("check_alarm_node(1)", "/usr/share/doc/alarm-monitor/guides/MONITOR.de.md", "OPERATIONS.de.md"),
    ),
    "check_alarm_node.1": Page(
        check_alarm_node.parser,
        _ENGLISH,
        {},
        ("alarm-monitor(1)", "/usr/share/doc/alarm-monitor/guides/MONITOR.md"),
    ),
}
"""Each page, by the name of its file in deploy/man."""


def page(name: str, _present: str = "") -> str:
    """The text of a man page of deploy/man."""
    shown = PAGES[name]
    made = shown.parser()
    about, synopsis, description, options, commands, files, see = shown.headings
    summary = made.description or ""
    lines = [f'.TH {_escaped(made.prog.upper())} 1 "" {made.prog} "User Commands"']
    lines += [f'.SH "{about}"', f"{_escaped(made.prog)} \\- {_escaped(_uncapitalised(summary))}"]
    lines += [f'.SH "{synopsis}"', *_usage(made)]
    lines += [f'.SH "{description}"', _escaped(summary)]
    own = _options(made, hidden=frozenset())
    if own:
        lines += [f'.SH "{options}"', *own]
    lines += [f'.SH "{commands}"']
    known = frozenset(flag for action in _shown(made) for flag in action.option_strings)
    for command, text in _commands(made):
        lines += [f'.SS "{_escaped(command.prog)}"', _escaped(text), *_usage(command), *_options(command, hidden=known)]
    if shown.files:
        lines += [f'.SH "{files}"']
        for path, meaning in shown.files.items():
            lines += [".TP", f".I {_escaped(path)}", _escaped(meaning)]
    lines += [f'.SH "{see}"', ", ".join(map(_escaped, shown.see))]
    return "\n".join(lines) + "\n"


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    """How the command is called: its required arguments, and that there may be options."""
    words = [rf"\fB{_escaped(parser.prog)}\fR"]
    if any(action.option_strings and not action.required for action in _shown(parser)):
        words.append("[OPTION ...]")
    words += [_typed(action) for action in _shown(parser) if action.required]
    values = [(action, _escaped(_value(action))) for action in _positional(parser)]
    words += [f"[{value}]" if action.nargs == "?" else value for action, value in values]
    yield from (".PP", " ".join(words))


def _options(parser: argparse.ArgumentParser, hidden: frozenset[str]) -> list[str]:
    """Arguments and options with what they mean; without those of ``hidden``, which are explained elsewhere."""
    lines: list[str] = []
    for action in (*_positional(parser), *_shown(parser)):
        if isinstance(action, argparse._SubParsersAction) or hidden & {*action.option_strings}:  # noqa: SLF001 - argparse has no other name for it
            continue
        meaning = (action.help or "") % {**vars(action), "prog": parser.prog}
        lines += [".TP", _typed(action), *([_escaped(meaning)] if meaning else [])]
    return lines


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options, without what every program has and what is told to nobody."""
    return [
        action
        for action in parser._actions  # noqa: SLF001 - argparse has no public list of them
        if action.option_strings and action.dest != "help" and action.help != argparse.SUPPRESS
    ]


def _positional(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not action.option_strings]  # noqa: SLF001 - as above


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Each command of a program, and what it does in one sentence."""
    for action in _positional(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            texts = {each.dest: each.help or "" for each in action._choices_actions}  # noqa: SLF001 - as above
            yield from ((command, texts[name]) for name, command in action.choices.items())


def _typed(action: argparse.Action) -> str:
    """An option or argument, as it is typed."""
    flags = ", ".join(rf"\fB{_escaped(flag)}\fR" for flag in action.option_strings)
    value = "" if action.nargs == 0 else _escaped(_value(action))
    return " ".join(filter(None, (flags, value)))


def _value(action: argparse.Action) -> str:
    """What stands for the value."""
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper()


def _escaped(text: str) -> str:
    """Text that groff shows as it is: hyphens that can be copied, and nothing that it takes for a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _uncapitalised(text: str) -> str:
    """A sentence as man's NAME section has it."""
    return text[:1].lower() + text[1:].rstrip(".")
