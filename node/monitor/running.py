"""Puts a monitor together: its configuration, its history, its threads, its API; and takes it apart again."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from node.config.brokers import is_loopback
from node.monitor import config
from node.monitor.errors import MonitorDirectoryError
from node.monitor.history import History
from node.monitor.model import Role
from node.monitor.service import Service
from node.monitor.settings import Settings
from node.monitor.tell import targets_of
from node.monitor.web import Server
from node.monitor.web.app import create_app
from node.monitor.web.call import Sources
from node.watchdog import Notifier

OWN_TOKEN = "local-{monitor}"  # noqa: S105 - a name
"""Each monitor has its own: several may share a history, and start at once."""

STOP_S = 5.0
ID_LENGTH = 63


def open_history(settings: Settings, environ: Mapping[str, str]) -> History:
    """The history of these settings; it isn't touched yet."""
    directory = config.state_directory(settings, environ)
    url = settings.history_url or f"sqlite:///{directory / config.DATABASE}"
    return History(url, partial(targets_of, targets=settings.targets))


@contextmanager
def monitor(path: Path, environ: Mapping[str, str], notifier: Notifier) -> Iterator[Service]:
    """A monitor that is ready to run; at the end all that it holds is let go."""
    settings = config.load(path, environ)
    directory = config.state_directory(settings, environ)
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as problem:
        raise MonitorDirectoryError(directory, problem) from problem
    history = open_history(settings, environ)
    try:
        history.upgrade()
        _own_token(history, directory, OWN_TOKEN.format(monitor=settings.monitor)[:ID_LENGTH])
        service = Service(settings, history, notifier)
        sources = Sources(
            view=service.view,
            age_s=service.view_age_s,
            ask=service.ask,
            history=history.reading,
            tokens=history.tokens,
        )
        app = create_app(sources, open_metrics=is_loopback(settings.api_host))
        server = Server(app, settings.api_host, settings.api_port)
        server.start()
        try:
            yield service
        finally:
            server.stop(STOP_S)
    finally:
        history.close()


def _own_token(history: History, directory: Path, name: str) -> None:
    """The token of the commands on this machine: in a file that only this account (and root) may read."""
    file = directory / config.TOKEN_FILE
    with suppress(OSError):
        known = history.tokens.lookup(file.read_text(encoding="utf-8").strip())
        if known is not None:
            return
    history.tokens.revoke(name)
    secret = history.tokens.create(name, Role.MANAGER)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as opened:  # noqa: PTH123 - by its descriptor
        os.fchmod(descriptor, 0o600)
        opened.write(f"{secret}\n")
