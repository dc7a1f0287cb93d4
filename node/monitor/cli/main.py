"""The commands of the building's side. Prints; logs go to standard error.

Exit codes: 0 done, 1 findings (check) or a failure that the last line explains, 2 can't be told, or wrong usage, 141
nobody reads the answer any more (as after ``| head``).
"""

import argparse
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TextIO

from node.errors import AlarmNodeError, ToolMissingError
from node.io import systemd
from node.io.terminal_output import READER_GONE, ReaderGoneError, as_utf8, explain, printing
from node.monitor.cli.api_client.calls import ANSWER_S, COMPLETE_S, LOOK_S, ApiError, Commands
from node.monitor.cli.parser import DEFAULT_CONFIG, SHOWN, parse, parser_of_completion, parser_of_line
from node.sanitize import as_json, plain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parsed, words = _typed(given), None
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin that it finds
    try:
        with printing():
            words = _spoken(parsed, given)
            if given[:1] == ["complete"]:
                return _complete(parser_of_completion().parse_args(given[1:]))
            parsed = parse(given, str if words is None else words.retold)
            with systemd.logging_to(logging.DEBUG if parsed.verbose else logging.INFO, os.environ, "alarm-monitor"):
                return COMMANDS[parsed.command](parsed)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == "node":
            raise
        text = f"alarm-monitor needs packages that aren't here ({package})"
        print(ToolMissingError(text, "pip install 'alarm-node[monitor]'"), file=sys.stderr)
    except AlarmNodeError as error:
        explain(*_refusal(error, words))
    except ReaderGoneError:
        return READER_GONE
    except KeyboardInterrupt:
        text = "stopped before its end"
        print(text if words is None else words.retold(text), file=sys.stderr)
    return 1


def _run(parsed: argparse.Namespace) -> int:
    systemd.outlast_hangups()
    # Imported here, as below: the short commands shouldn't wait for what only the service needs.
    from node.monitor.service import assembly  # noqa: PLC0415
    from node.monitor.service.upkeep import thread_watch  # noqa: PLC0415

    thread_watch.log_deaths()
    with systemd.notifying(os.environ) as notifier, assembly.monitor(parsed.config, os.environ, notifier) as service:

        def ask(number: int, _frame: object) -> None:
            service.stop(signal.Signals(number).name.lower())

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
        service.run()
    return 0


def _check(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.doctor.monitor_check import examine  # noqa: PLC0415
    from node.monitor.cli.output.replies import found  # noqa: PLC0415

    logging.getLogger().setLevel(logging.ERROR)
    outcomes, words = set(), _words(parsed)
    for finding in examine(parsed.config, os.environ):
        print(plain(found(finding, words)), flush=True)
        outcomes.add(finding.ok)
    return 1 if False in outcomes else 2 if None in outcomes else 0


def _init(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.api_client import which_monitor  # noqa: PLC0415
    from node.monitor.cli.output.replies import chosen, words_of  # noqa: PLC0415
    from node.monitor.config.init_files import write  # noqa: PLC0415

    before = which_monitor.known(parsed.config, os.environ)
    language = which_monitor.language_of(parsed, os.environ, before)
    words = words_of(language)
    written = write(
        parsed.config,
        words.retold,
        monitor=parsed.monitor_id,
        sites=parsed.monitor_sites,
        host=parsed.broker_host,
        port=parsed.broker_port,
        language=language,
        force=parsed.force,
    )
    config = "" if parsed.config == DEFAULT_CONFIG else f" --config {parsed.config}"
    following = words.retold("Next: list your nodes in nodes.toml, say in monitor.toml who is told, then:")
    why = chosen(parsed.language, before.language if before else None, words)
    lines = (*map(words.retold, written), why, "", following, f"  alarm-monitor check{config}")
    print(*map(plain, lines), sep="\n")
    return 0


def _status(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.output.status import show_status  # noqa: PLC0415

    client = _client(parsed, LOOK_S)

    def told() -> dict[str, Any]:
        return {
            "fleet": client.get("fleet"),
            "incidents": list(client.items("incidents")),
            "findings": list(client.items("findings")),
            "nodes": list(client.items("nodes")),
        }

    if parsed.json:
        as_utf8()
        print(as_json(told(), indent=2))
    else:
        show_status(told, _language(parsed), watch=parsed.watch)
    return 0


def _history(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.api_client import name_lookup  # noqa: PLC0415
    from node.monitor.cli.export import history_export  # noqa: PLC0415

    path = (parsed.what, "past") if parsed.what in {"incidents", "findings"} else (parsed.what,)
    client = _client(parsed)
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
    history_export.show(parsed.what, client.known(*path, **wanted), form, most, _words(parsed), _sheet(parsed))
    return 0


def _about_incident(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.api_client import name_lookup  # noqa: PLC0415

    client, action = _client(parsed), parsed.command
    key, which = name_lookup.incident(client, action, parsed.incident, _words(parsed))
    body = {"reason": parsed.reason} if action == "reset" else None
    made = client.post("incidents", *key, action, body=body)
    print(plain(which or "/".join(key)))
    _say_done(parsed, action, made)
    return 0


def _identify(parsed: argparse.Namespace) -> int:
    client = _client(parsed)
    node = _node(client, parsed)
    made = client.post("nodes", *node, "identify", body={"for_s": parsed.for_s})
    _say_done(parsed, "identify", made, node="/".join(node), seconds=f"{parsed.for_s:g}")
    return 0


def _pause(parsed: argparse.Namespace) -> int:
    client, body = _client(parsed), {"reason": parsed.reason, "for_s": parsed.for_s}
    node = _node(client, parsed)
    made = client.post("nodes", *node, "pause", body=body)
    _say_done(parsed, "pause", made, node="/".join(node), until=_until(parsed, made))
    return 0


def _resume(parsed: argparse.Namespace) -> int:
    client = _client(parsed)
    node = _node(client, parsed)
    _say_done(parsed, "resume", client.post("nodes", *node, "resume"), node="/".join(node))
    return 0


def _forget(parsed: argparse.Namespace) -> int:
    client = _client(parsed)
    node = _node(client, parsed)
    _say_done(parsed, "forget", client.delete("nodes", *node), node="/".join(node))
    return 0


def _tell(parsed: argparse.Namespace) -> int:
    client = _client(parsed)
    names = [parsed.target] if parsed.target else [each["name"] for each in client.get("fleet")["targets"]]
    if not names:
        raise ApiError("there is no target", "write a [[target]] into monitor.toml, and restart the monitor")
    failed = False
    for name in names:
        try:
            said = client.post("targets", name, "test")["note"]
            _say_done(parsed, "tell", {}, name=name, said=said)
        except ApiError as problem:
            failed = True
            print(plain(f"{name}: {_refusal(problem, _words(parsed))[-1]}"), flush=True)
    return 1 if failed else 0


def _isolate(parsed: argparse.Namespace) -> int:
    body = {"reason": parsed.reason, "for_s": parsed.for_s}
    made = _client(parsed).post("targets", parsed.target, "isolate", body=body)
    _say_done(parsed, "isolate", made, target=parsed.target, until=_until(parsed, made))
    return 0


def _restore_target(parsed: argparse.Namespace) -> int:
    made = _client(parsed).post("targets", parsed.target, "restore")
    _say_done(parsed, "restore-target", made, target=parsed.target)
    return 0


def _walk_test(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.api_client import name_lookup  # noqa: PLC0415
    from node.monitor.cli.output.status import show_walk_tests  # noqa: PLC0415

    client = _client(parsed)
    if parsed.what == "start":
        site, nodes = parsed.site, [each.removeprefix(f"{parsed.site}/") for each in parsed.node]
        if not site and nodes:
            found = [name_lookup.node(client, each) for each in nodes]
            site, nodes = found[0][0], [name if at == found[0][0] else f"{at}/{name}" for at, name in found]
        if not site:
            raise ApiError("a walk test needs a site", "alarm-monitor walk-test start --site SITE")
        body: dict[str, Any] = {"site": site, "for_s": parsed.for_s}
        if parsed.floor:
            body["floor"] = parsed.floor
        if nodes:
            body["nodes"] = nodes
        made = client.post("walk-tests", body=body)
        _say_done(parsed, "walk-test", made, id=made["id"], until=_until(parsed, made))
    elif parsed.what == "end":
        ended = parsed.id or name_lookup.walk_test(client)
        made = client.delete("walk-tests", ended)
        _say_done(parsed, "walk-test-end", made, id=ended)
    else:
        show_walk_tests(client.items("walk-tests"), _words(parsed))
    return 0


def _report(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.export.test_report import in_order, tests_csv, tests_html  # noqa: PLC0415

    client = _client(parsed)
    buttons = in_order(client.known("buttons", site=parsed.site), client.items("nodes", site=parsed.site))
    tests = list(client.items("tests", site=parsed.site))
    as_utf8()
    if parsed.csv or parsed.excel:
        print(tests_csv(tests, buttons, _sheet(parsed), _words(parsed)), end="")
    else:
        print(tests_html(tests, buttons, _language(parsed), parsed.site))
    return 0


def _token(parsed: argparse.Namespace) -> int:
    from node.monitor.cli.output.status import show_tokens  # noqa: PLC0415
    from node.monitor.core.model import Role  # noqa: PLC0415
    from node.monitor.service.assembly import open_history  # noqa: PLC0415

    history = open_history(_settings(parsed), os.environ)
    history.check()  # else SQLite would make a file of whoever runs this, root say, which the service couldn't open
    if parsed.what == "list":
        show_tokens(history.tokens.list(), _words(parsed))
        return 0
    if not parsed.name:
        raise ApiError("a token needs a name", f"alarm-monitor token {parsed.what} NAME")
    if parsed.what == "create":
        secret = history.tokens.create(parsed.name, Role(parsed.role))
        try:
            print(secret)
            sys.stdout.flush()
        except BaseException:
            history.tokens.revoke(parsed.name)  # nobody has seen it, and somebody may yet, in what was written of it
            raise
        _say_done(parsed, "token", {}, sys.stderr, role=parsed.role)
    elif history.tokens.revoke(parsed.name):
        _say_done(parsed, "token-revoke", {}, name=parsed.name)
    else:
        raise ApiError(
            "there is no valid token {name}", "see which there are: alarm-monitor token list", name=parsed.name
        )
    return 0


def _say_done(
    parsed: argparse.Namespace, action: str, made: Mapping[str, Any], file: TextIO | None = None, **values: object
) -> None:
    from node.monitor.cli.output.replies import done  # noqa: PLC0415

    print(*map(plain, done(action, made, _words(parsed), **values).split("\n")), sep="\n", file=file)


def _sheet(parsed: argparse.Namespace) -> Any:
    from node.monitor.cli.export.csv_cells import PLAIN, for_excel  # noqa: PLC0415

    return for_excel(_language(parsed)) if parsed.excel else PLAIN


def _typed(given: Sequence[str]) -> argparse.Namespace:
    """What was typed, as far as it says how to answer: also where it is wrong usage."""
    with suppress(argparse.ArgumentError):
        return parser_of_line().parse_known_args(given)[0]
    return parser_of_line().parse_args([])


def _spoken(typed: argparse.Namespace, given: Sequence[str]) -> Any:
    """The words of whoever typed this; None where English is all there is."""
    if _language(typed) == "en" or given[:1] == ["complete"]:  # whoever presses Tab waits for no catalogue
        return None
    with suppress(ModuleNotFoundError):
        return _words(typed)
    return None


def _refusal(error: AlarmNodeError, words: Any) -> Sequence[str]:
    """An error as it is printed, in people's own language."""
    if words is None:
        return (*error.problems, str(error))
    from node.monitor.cli.output.replies import refused  # noqa: PLC0415

    return (*map(words.retold, error.problems), refused(error, words))


def _words(parsed: argparse.Namespace) -> Any:
    from node.monitor.cli.output.replies import words_of  # noqa: PLC0415

    return words_of(_language(parsed))


def _language(parsed: argparse.Namespace) -> Literal["de", "en"]:
    from node.monitor.cli.api_client import which_monitor  # noqa: PLC0415

    return which_monitor.language_of(parsed, os.environ, which_monitor.known(parsed.config, os.environ))


def _settings(parsed: argparse.Namespace) -> Any:
    from node.monitor.config import monitor_file  # noqa: PLC0415

    return monitor_file.load(parsed.config, os.environ)


def _client(parsed: argparse.Namespace, answer_s: float = ANSWER_S) -> Commands:
    from node.monitor.cli.api_client import which_monitor  # noqa: PLC0415

    return which_monitor.reach(parsed, os.environ, answer_s)


def _node(client: Commands, parsed: argparse.Namespace) -> tuple[str, str]:
    from node.monitor.cli.api_client import name_lookup  # noqa: PLC0415

    return name_lookup.node(client, parsed.node)


def _until(parsed: argparse.Namespace, made: Mapping[str, Any]) -> datetime:
    """When what was asked for ends by itself; a monitor that is older than this command doesn't say it."""
    said = made.get("until")
    return datetime.fromisoformat(said) if said else datetime.now(UTC) + timedelta(seconds=parsed.for_s)


def _complete(parsed: argparse.Namespace) -> int:
    """Names for the shell; nothing where they can't be had at once."""
    with suppress(AlarmNodeError, argparse.ArgumentError):
        client = _client(parser_of_line().parse_known_args(parsed.line)[0], COMPLETE_S)
        if parsed.what == "incidents":
            names = [each["id"] for each in client.items("incidents")]
        elif parsed.what == "walk-tests":
            names = [each["id"] for each in client.items("walk-tests")]
        elif parsed.what == "targets":
            names = [each["name"] for each in client.get("fleet")["targets"]]
        else:
            nodes = [(each["site"], each["node"]) for each in client.items("nodes")]
            once = Counter(node for _, node in nodes)
            names = [f"{site}/{node}" for site, node in nodes] + [name for name, count in once.items() if count == 1]
        print(*names, sep="\n")
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check": _check,
    "init": _init,
    "status": _status,
    "history": _history,
    "acknowledge": _about_incident,
    "silence": _about_incident,
    "reset": _about_incident,
    "identify": _identify,
    "pause": _pause,
    "resume": _resume,
    "forget": _forget,
    "tell": _tell,
    "isolate": _isolate,
    "restore-target": _restore_target,
    "walk-test": _walk_test,
    "report": _report,
    "token": _token,
}
"""What each command of the parser does."""
