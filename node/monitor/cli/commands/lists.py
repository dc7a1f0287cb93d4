"""The commands that show what the running monitor knows: now, its history, and the record of tests."""

from typing import Any, Literal

from node.io.terminal.output import as_utf8
from node.monitor.cli.api_client.monitor_client import LOOK_S
from node.monitor.cli.commands.command_line import CommandLine
from node.monitor.cli.parser import SHOWN
from node.sanitize import as_json


def status(line: CommandLine) -> int:
    """How the building is now."""
    from node.monitor.cli.output.status import show_status

    client = line.client(LOOK_S)

    def told() -> dict[str, Any]:
        return {
            "fleet": client.get("fleet"),
            "incidents": list(client.items("incidents")),
            "findings": list(client.items("findings")),
            "nodes": list(client.items("nodes")),
        }

    if line.parsed.json:
        as_utf8()
        print(as_json(told(), indent=2))
    else:
        show_status(told, line.language, watch=line.parsed.watch)
    return 0


def history(line: CommandLine) -> int:
    """What happened."""
    from node.monitor.cli.api_client import name_lookup
    from node.monitor.cli.export import history_export

    parsed = line.parsed
    path = (parsed.what, "past") if parsed.what in {"incidents", "findings"} else (parsed.what,)
    client = line.client()
    wanted = {name: getattr(parsed, name) for name in ("site", "node", "since", "until")}
    site, slash, name = (parsed.node or "").partition("/")
    if slash and parsed.site in (None, site):  # as the status shows it
        wanted |= {"site": site, "node": name}
    elif parsed.node and parsed.site is None:
        name_lookup.one_of(parsed.node, name_lookup.sites_of(client, parsed.node) or ("",))
    form: Literal["table", "json", "csv"] = "json" if parsed.json else "csv" if parsed.csv or parsed.excel else "table"
    if form != "table":
        as_utf8()
    most = parsed.most or (SHOWN if form == "table" else None)
    history_export.show(parsed.what, client.known(*path, **wanted), form, most, line.words, line.sheet)
    return 0


def report(line: CommandLine) -> int:
    """The record of tests."""
    from node.monitor.cli.export.test_report import in_order, tests_csv, tests_html

    parsed = line.parsed
    client = line.client()
    buttons = in_order(client.known("buttons", site=parsed.site), client.items("nodes", site=parsed.site))
    tests = list(client.items("tests", site=parsed.site))
    as_utf8()
    if parsed.csv or parsed.excel:
        print(tests_csv(tests, buttons, line.sheet, line.words), end="")
    else:
        print(tests_html(tests, buttons, line.language, parsed.site))
    return 0
