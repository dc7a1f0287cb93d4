"""The commands of the building's side. Prints; logs go to standard error.

Exit codes: 0 done, 1 findings (check) or a failure that the last line explains, 2 can't be told, or wrong usage, 141
nobody reads the answer any more (as after ``| head``).
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TextIO

from node import watchdog
from node.errors import AlarmNodeError, ToolMissingError
from node.monitor.arguments import DEFAULT_CONFIG, SHOWN, parser
from node.monitor.commanding import ANSWER_S, LOOK_S, ApiError, Commands, on_this_machine, with_token
from node.plain import as_json, plain
from node.printing import READER_GONE, ReaderGoneError, as_utf8, explain, printing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    parsed = None
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin that it finds
    try:
        with printing():
            parsed = parser().parse_args(arguments)
            with watchdog.logging_to(logging.DEBUG if parsed.verbose else logging.INFO, os.environ, "alarm-monitor"):
                return COMMANDS[parsed.command](parsed)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == "node":
            raise
        text = f"alarm-monitor needs packages that aren't here ({package})"
        print(ToolMissingError(text, "pip install 'alarm-node[monitor]'"), file=sys.stderr)
    except AlarmNodeError as error:
        explain(error, str(error) if parsed is None else _refusal(error, parsed))
    except ReaderGoneError:
        return READER_GONE
    except KeyboardInterrupt:
        print("stopped before its end", file=sys.stderr)
    return 1


def _run(parsed: argparse.Namespace) -> int:
    watchdog.outlast_hangups()
    # Imported here, as below: the short commands shouldn't wait for what only the service needs.
    from node.monitor import running  # noqa: PLC0415

    with watchdog.notifying(os.environ) as notifier, running.monitor(parsed.config, os.environ, notifier) as service:

        def ask(number: int, _frame: object) -> None:
            service.stop(signal.Signals(number).name.lower())

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
        service.run()
    return 0


def _check(parsed: argparse.Namespace) -> int:
    from node.monitor.examine import examine  # noqa: PLC0415

    logging.getLogger().setLevel(logging.ERROR)
    outcomes = set()
    for finding in examine(parsed.config, os.environ):
        print(finding, flush=True)
        outcomes.add(finding.ok)
    return 1 if False in outcomes else 2 if None in outcomes else 0


def _init(parsed: argparse.Namespace) -> int:
    from node.monitor.example import write  # noqa: PLC0415

    written = write(
        parsed.config,
        monitor=parsed.id,
        site=parsed.site,
        host=parsed.host,
        port=parsed.port,
        language=parsed.language,
        force=parsed.force,
    )
    print(*written, sep="\n")
    config = "" if parsed.config == DEFAULT_CONFIG else f" --config {parsed.config}"
    print(
        f"\nNext: list your nodes in nodes.toml, say in monitor.toml who is told, then:\n  alarm-monitor check{config}"
    )
    return 0


def _status(parsed: argparse.Namespace) -> int:
    from node.monitor.showing import show_status  # noqa: PLC0415

    client = _client(parsed, LOOK_S)
    language = parsed.language or _settings(parsed).language

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
        show_status(told, language, watch=parsed.watch)
    return 0


def _history(parsed: argparse.Namespace) -> int:
    from node.monitor import past  # noqa: PLC0415

    path = (parsed.what, "past") if parsed.what in {"incidents", "findings"} else (parsed.what,)
    wanted = {name: getattr(parsed, name) for name in ("site", "node", "since", "until")}
    site, slash, name = (parsed.node or "").partition("/")
    if slash and parsed.site in (None, site):  # as the status shows it
        wanted |= {"site": site, "node": name}
    form: Literal["table", "json", "csv"] = "json" if parsed.json else "csv" if parsed.csv or parsed.excel else "table"
    if form != "table":
        as_utf8()
    most = parsed.most or (SHOWN if form == "table" else None)
    past.show(parsed.what, _client(parsed).known(*path, **wanted), form, most, _words(parsed), _sheet(parsed))
    return 0


def _about_incident(parsed: argparse.Namespace) -> int:
    action = parsed.command
    parts = parsed.incident.split("/")
    if len(parts) != 3:
        raise ApiError("{given!r} isn't SITE/NODE/INCIDENT", "copy it from alarm-monitor status", given=parsed.incident)
    body = {"reason": parsed.reason} if action == "reset" else None
    made = _client(parsed).post("incidents", *parts, action, body=body)
    _say_done(parsed, action, made)
    return 0


def _identify(parsed: argparse.Namespace) -> int:
    made = _client(parsed).post(*_node(parsed.node), "identify", body={"for_s": parsed.for_s})
    _say_done(parsed, "identify", made)
    return 0


def _pause(parsed: argparse.Namespace) -> int:
    body = {"reason": parsed.reason, "for_s": parsed.for_s}
    _say_done(parsed, "pause", _client(parsed).post(*_node(parsed.node), "pause", body=body))
    return 0


def _resume(parsed: argparse.Namespace) -> int:
    _say_done(parsed, "resume", _client(parsed).post(*_node(parsed.node), "resume"))
    return 0


def _forget(parsed: argparse.Namespace) -> int:
    _say_done(parsed, "forget", _client(parsed).delete(*_node(parsed.node)))
    return 0


def _walk_test(parsed: argparse.Namespace) -> int:
    from node.monitor.showing import show_walk_tests  # noqa: PLC0415

    client = _client(parsed)
    if parsed.what == "start":
        if not parsed.site:
            raise ApiError("a walk test needs a site", "alarm-monitor walk-test start --site SITE")
        body: dict[str, Any] = {"site": parsed.site, "for_s": parsed.for_s}
        if parsed.floor:
            body["floor"] = parsed.floor
        if parsed.node:
            body["nodes"] = [each.removeprefix(f"{parsed.site}/") for each in parsed.node]  # as the status shows it
        made = client.post("walk-tests", body=body)
        _say_done(parsed, "walk-test", made, id=made["id"], minutes=f"{parsed.for_s / 60:g}")
    elif parsed.what == "end":
        if not parsed.id:
            raise ApiError("the end of a walk test needs its id", "alarm-monitor walk-test list")
        _say_done(parsed, "walk-test-end", client.delete("walk-tests", parsed.id))
    else:
        show_walk_tests(client.items("walk-tests"), _words(parsed))
    return 0


def _report(parsed: argparse.Namespace) -> int:
    from node.monitor.report import in_order, tests_csv, tests_html  # noqa: PLC0415

    client = _client(parsed)
    buttons = in_order(client.known("buttons", site=parsed.site), client.items("nodes", site=parsed.site))
    tests = list(client.items("tests", site=parsed.site))
    as_utf8()
    if parsed.csv or parsed.excel:
        print(tests_csv(tests, buttons, _sheet(parsed)), end="")
    else:
        print(tests_html(tests, buttons, _language(parsed), parsed.site))
    return 0


def _token(parsed: argparse.Namespace) -> int:
    from node.monitor.model import Role  # noqa: PLC0415
    from node.monitor.running import open_history  # noqa: PLC0415
    from node.monitor.showing import show_tokens  # noqa: PLC0415

    history = open_history(_settings(parsed), os.environ)
    history.check()  # else SQLite would make a file of whoever runs this, root say, which the service couldn't open
    if parsed.what == "list":
        show_tokens(history.tokens.list(), _words(parsed))
        return 0
    if not parsed.name:
        raise ApiError("a token needs a name", f"alarm-monitor token {parsed.what} NAME")
    if parsed.what == "create":
        print(history.tokens.create(parsed.name, Role(parsed.role)))
        _say_done(parsed, "token", {}, sys.stderr, role=parsed.role)
    elif history.tokens.revoke(parsed.name):
        _say_done(parsed, "token-revoke", {})
    else:
        raise ApiError(
            "there is no valid token {name}", "see which there are: alarm-monitor token list", name=parsed.name
        )
    return 0


def _say_done(
    parsed: argparse.Namespace, action: str, made: Mapping[str, Any], file: TextIO | None = None, **values: object
) -> None:
    from node.monitor.saying import done  # noqa: PLC0415

    print(*map(plain, done(action, made, _words(parsed), **values).split("\n")), sep="\n", file=file)


def _sheet(parsed: argparse.Namespace) -> Any:
    from node.monitor.spreadsheet import PLAIN, for_excel  # noqa: PLC0415

    return for_excel(_language(parsed)) if parsed.excel else PLAIN


def _refusal(error: AlarmNodeError, parsed: argparse.Namespace) -> str:
    """An error as it is printed: what the monitor refuses in people's own language, where that can be told."""
    if isinstance(error, ApiError):
        with suppress(AlarmNodeError, ModuleNotFoundError):
            from node.monitor.saying import refused  # noqa: PLC0415

            return refused(error, _words(parsed))
    return str(error)


def _words(parsed: argparse.Namespace) -> Any:
    from node.monitor.saying import words_of  # noqa: PLC0415

    return words_of(_language(parsed))


def _language(parsed: argparse.Namespace) -> Any:
    return getattr(parsed, "language", None) or _settings(parsed).language


def _settings(parsed: argparse.Namespace) -> Any:
    from node.monitor import config  # noqa: PLC0415

    return config.load(parsed.config, os.environ)


def _client(parsed: argparse.Namespace, answer_s: float = ANSWER_S) -> Commands:
    from node.monitor import config  # noqa: PLC0415

    settings = _settings(parsed)
    if parsed.token_file is None:
        return Commands(on_this_machine(config.state_directory(settings, os.environ), answer_s))
    return Commands(with_token(settings.api_host, settings.api_port, parsed.token_file, answer_s))


def _node(text: str) -> tuple[str, ...]:
    parts = text.split("/")
    if len(parts) != 2:
        raise ApiError("{given!r} isn't SITE/NODE", "copy it from alarm-monitor status", given=text)
    return ("nodes", *parts)


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
    "walk-test": _walk_test,
    "report": _report,
    "token": _token,
}
"""What each command of the parser does."""
