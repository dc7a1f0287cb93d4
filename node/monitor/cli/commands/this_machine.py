"""The commands that ask no running monitor: they read and write this machine's own files."""

import gc
import logging
import os
import sys

from node.io import systemd
from node.io.terminal.check_result import print_results
from node.io.terminal.command_end import stop_on_signals
from node.monitor.cli.api_client.http_client import DEFAULT_CONFIG
from node.monitor.cli.api_client.monitor_client import AccountError, UnknownNameError
from node.monitor.cli.commands.command_line import CommandLine
from node.sanitize import plain

SWITCH_S = 0.001
"""How long a thread that has something to do waits for a busy one at most; by default it is 5 ms. A receipt passes four
threads, and the deciding one is busy with heartbeats."""


def run(line: CommandLine) -> int:
    """Be the monitor: the service."""
    systemd.outlast_hangups()
    # Imported here, as below: the short commands shouldn't wait for what only the service needs.
    from node.monitor.service import assembly
    from node.monitor.service.upkeep import thread_watch

    thread_watch.log_deaths()
    with (
        systemd.notifying(os.environ) as notifier,
        assembly.monitor(line.parsed.config, os.environ, notifier) as service,
    ):
        stop_on_signals(service.stop)
        gc.freeze()
        sys.setswitchinterval(SWITCH_S)
        service.run()
    return 0


def check(line: CommandLine) -> int:
    """What doesn't work."""
    from node.monitor.cli.doctor.monitor_check import examine
    from node.monitor.cli.output.replies import found

    logging.getLogger().setLevel(logging.ERROR)
    return print_results(examine(line.parsed.config, os.environ), lambda result: found(result, line.words))


def init(line: CommandLine) -> int:
    """Write monitor.toml and nodes.toml."""
    from node.monitor.cli.api_client import which_monitor
    from node.monitor.cli.output.replies import chosen, words_of
    from node.monitor.config.init_files import write

    parsed = line.parsed
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
    following = words.retold("Next: list your nodes in nodes.toml, say in monitor.toml who is notified, then:")
    why = chosen(parsed.language, before.language if before else None, words)
    lines = (*map(words.retold, written), why, "", following, f"  sudo alarm-monitor check{config}")
    print(*map(plain, lines), sep="\n")
    return 0


def token(line: CommandLine) -> int:
    """Create, list and revoke tokens."""
    from node.monitor.cli.doctor.own_account import hidden
    from node.monitor.cli.output.status import show_tokens
    from node.monitor.config.monitor_file import DATABASE, state_directory
    from node.monitor.core.model.records import Role
    from node.monitor.service.assembly import open_history

    parsed = line.parsed
    step = f"run this as root: sudo alarm-monitor token {parsed.what}"
    if hidden([parsed.config]):
        raise AccountError("this account may not read {file}", step, file=parsed.config)
    settings = line.settings
    file = settings.history_file or state_directory(settings, os.environ) / DATABASE
    if hidden([file]):
        raise AccountError("this account may not read {file}", step, file=file)
    history = open_history(settings, os.environ)
    history.check()  # else SQLite would make a file of whoever runs this, root say, which the service couldn't open
    if parsed.what == "list":
        show_tokens(history.tokens.list(), line.words)
        return 0
    if not parsed.name:
        raise UnknownNameError("a token needs a name", f"alarm-monitor token {parsed.what} NAME")
    if parsed.what == "create":
        secret = history.tokens.create(parsed.name, Role(parsed.role))
        try:
            print(secret)
            sys.stdout.flush()
        except BaseException:
            # Nobody has seen it, and somebody may yet, in what was written of it.
            history.tokens.revoke(parsed.name)
            raise
        line.print_done("token", {}, sys.stderr, role=parsed.role)
    elif history.tokens.revoke(parsed.name):
        line.print_done("token-revoke", {}, name=parsed.name)
    else:
        raise UnknownNameError(
            "there is no valid token {name}", "list them: alarm-monitor token list", name=parsed.name
        )
    return 0
