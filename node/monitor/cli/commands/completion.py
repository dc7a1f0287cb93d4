"""``alarm-monitor complete``: the names that the shell offers when somebody presses Tab."""

import argparse
from collections import Counter
from contextlib import suppress

from node.errors import AlarmNodeError
from node.monitor.cli.api_client.monitor_client import COMPLETE_S, MonitorClient
from node.monitor.cli.commands.command_line import CommandLine
from node.monitor.cli.parser import parser_of_line


def complete(parsed: argparse.Namespace) -> int:
    """Print the names; nothing where they can't be had at once."""
    with suppress(AlarmNodeError, argparse.ArgumentError):
        client = CommandLine(parser_of_line().parse_known_args(parsed.line)[0]).client(COMPLETE_S)
        print(*_names(client, parsed.what), sep="\n")
    return 0


def _names(client: MonitorClient, what: str) -> list[str]:
    if what in {"incidents", "walk-tests"}:
        return [each["id"] for each in client.items(what)]
    if what == "targets":
        return [each["name"] for each in client.get("fleet")["targets"]]
    nodes = [(each["site"], each["node"]) for each in client.items("nodes")]
    count_of = Counter(node for _, node in nodes)
    return [f"{site}/{node}" for site, node in nodes] + [name for name, count in count_of.items() if count == 1]
