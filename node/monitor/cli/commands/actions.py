"""The commands by which people act: each asks the running monitor."""

from typing import Any

from node.monitor.cli.api_client.monitor_client import ApiError, NothingThereError, UnknownNameError
from node.monitor.cli.commands.command_line import CommandLine
from node.sanitize import plain


def about_incident(line: CommandLine) -> int:
    """acknowledge, silence and reset."""
    from node.monitor.cli.api_client import name_lookup

    parsed = line.parsed
    client, action = line.client(), parsed.command
    key, which = name_lookup.incident(client, action, parsed.incident, line.words)
    body = {"reason": parsed.reason} if action == "reset" else None
    made = client.post("incidents", *key, action, body=body)
    print(plain(which or "/".join(key)))
    line.print_done(action, made)
    return 0


def identify(line: CommandLine) -> int:
    """Let a node sound."""
    client = line.client()
    node = line.node(client)
    made = client.post("nodes", *node, "identify", body={"for_s": line.parsed.for_s})
    line.print_done("identify", made, node="/".join(node), seconds=f"{line.parsed.for_s:g}")
    return 0


def pause(line: CommandLine) -> int:
    """Begin a node's maintenance."""
    client, body = line.client(), {"reason": line.parsed.reason, "for_s": line.parsed.for_s}
    node = line.node(client)
    made = client.post("nodes", *node, "pause", body=body)
    line.print_done("pause", made, node="/".join(node), until=line.ends_at(made))
    return 0


def resume(line: CommandLine) -> int:
    """End a node's maintenance before its time."""
    client = line.client()
    node = line.node(client)
    line.print_done("resume", client.post("nodes", *node, "resume"), node="/".join(node))
    return 0


def forget(line: CommandLine) -> int:
    """Let a node go that was renamed or taken away."""
    client = line.client()
    node = line.node(client)
    line.print_done("forget", client.delete("nodes", *node), node="/".join(node))
    return 0


def tell(line: CommandLine) -> int:
    """Send targets a test message."""
    client = line.client()
    names = [line.parsed.target] if line.parsed.target else [each["name"] for each in client.get("fleet")["targets"]]
    if not names:
        raise NothingThereError("there is no target", "add a [[target]] to monitor.toml, and restart the monitor")
    failed = False
    for name in names:
        try:
            said = client.post("targets", name, "test")["note"]
            line.print_done("tell", {}, name=name, said=said)
        except ApiError as problem:
            failed = True
            print(plain(f"{name}: {line.lines_of(problem)[-1]}"), flush=True)
    return 1 if failed else 0


def isolate(line: CommandLine) -> int:
    """Take a target out of service."""
    parsed = line.parsed
    body = {"reason": parsed.reason, "for_s": parsed.for_s}
    made = line.client().post("targets", parsed.target, "isolate", body=body)
    line.print_done("isolate", made, target=parsed.target, until=line.ends_at(made))
    return 0


def restore_target(line: CommandLine) -> int:
    """Bring a target back before its time."""
    made = line.client().post("targets", line.parsed.target, "restore")
    line.print_done("restore-target", made, target=line.parsed.target)
    return 0


def walk_test(line: CommandLine) -> int:
    """Begin, end or list walk tests."""
    from node.monitor.cli.api_client import name_lookup
    from node.monitor.cli.output.walk_tests import show_walk_tests

    parsed = line.parsed
    client = line.client()
    if parsed.what == "start":
        site, nodes = parsed.site, [each.removeprefix(f"{parsed.site}/") for each in parsed.node]
        if not site and nodes:
            found = [name_lookup.node(client, each) for each in nodes]
            site, nodes = found[0][0], [name if at == found[0][0] else f"{at}/{name}" for at, name in found]
        if not site:
            raise UnknownNameError("a walk test needs a site", "alarm-monitor walk-test start --site SITE")
        body: dict[str, Any] = {"site": site, "for_s": parsed.for_s}
        if parsed.floor:
            body["floor"] = parsed.floor
        if nodes:
            body["nodes"] = nodes
        made = client.post("walk-tests", body=body)
        line.print_done("walk-test", made, id=made["id"], until=line.ends_at(made))
    elif parsed.what == "end":
        ended = parsed.id or name_lookup.walk_test(client)
        made = client.delete("walk-tests", ended)
        line.print_done("walk-test-end", made, id=ended)
    else:
        show_walk_tests(client.items("walk-tests"), line.words)
    return 0
