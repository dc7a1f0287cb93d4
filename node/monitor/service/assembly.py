"""Puts a monitor together (configuration, history, threads, API), and takes it apart at the end."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from node.config.brokers import is_loopback
from node.config.files import open_file
from node.io.systemd import Notifier
from node.monitor.api.app import create_app
from node.monitor.api.auth import LocalAuthentication
from node.monitor.api.operations.operation import Sources
from node.monitor.api.server import Server, on_network, on_this_machine
from node.monitor.config import monitor_file, roster_file
from node.monitor.core.model.monitor_settings import SOCKET, Settings
from node.monitor.errors import HistoryUrlError, MonitorDirectoryError, MonitorRunningError
from node.monitor.history.history import History
from node.monitor.notify.teller import targets_of
from node.monitor.service.monitor_loop import Service

OWN_NAME = "local-{monitor}"
"""The name of whoever asks by the socket on the monitor's own machine."""

LOCK = "monitor.lock"
STOP_S = 5.0
ID_LENGTH = 63


def open_history(settings: Settings, environ: Mapping[str, str]) -> History:
    """The history of these settings. The database isn't opened yet."""
    next_step = "write the URL of the database into it, or leave url_file out of [history] in monitor.toml"
    problem = HistoryUrlError(settings.history_problem, next_step) if settings.history_problem else None
    directory = monitor_file.state_directory(settings, environ)
    url = settings.history_url or f"sqlite:///{directory / monitor_file.DATABASE}"
    return History(url, partial(targets_of, targets=settings.targets), problem=problem)


@contextmanager
def monitor(path: Path, environ: Mapping[str, str], notifier: Notifier) -> Iterator[Service]:
    """A monitor that is ready to run. At the end everything that it holds is released."""
    settings = monitor_file.load(path, environ)
    directory = monitor_file.state_directory(settings, environ)
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as problem:
        raise MonitorDirectoryError(directory, problem) from problem
    with _alone_in(directory), _put_together(settings, directory, environ, notifier) as service:
        yield service


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold the directory's lock. It ends with the process, however the process ends."""
    try:
        lock = open_file(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as problem:
        raise MonitorDirectoryError(directory, problem) from problem
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise MonitorRunningError(directory) from problem
        yield
    finally:
        os.close(lock)


@contextmanager
def _put_together(
    settings: Settings, directory: Path, environ: Mapping[str, str], notifier: Notifier
) -> Iterator[Service]:
    settings = roster_file.keep_copy(settings, directory)
    history = open_history(settings, environ)
    try:
        service = Service(settings, history, notifier)
        if not settings.history_url and not settings.history_problem and is_in_memory(directory):
            service.history_in_memory(str(directory))
        sources = Sources(
            view=lambda: service.view.newest,
            age_s=service.view.age_s,
            ask=service.ask,
            history=history.reading,
            tokens=history.tokens,
        )
        servers = _servers(settings, directory, sources, service)
        for server in servers:
            server.start()
            service.watch(server.thread)
        try:
            yield service
        finally:
            for server in servers:
                server.stop(STOP_S)
    finally:
        history.close()


def is_in_memory(directory: Path) -> bool:
    """Whether this directory is on a file system that is only in memory. False if that can't be found out."""
    try:
        device = directory.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    here = f"{os.major(device)}:{os.minor(device)}"
    return any(each.split()[2] == here and each.partition(" - ")[2].startswith(("tmpfs ", "ramfs ")) for each in mounts)


def _servers(settings: Settings, directory: Path, sources: Sources, service: Service) -> tuple[Server, Server]:
    """A server for desks and tools on the network, with tokens, and one for the commands on this machine."""
    by_network = create_app(sources, open_metrics=is_loopback(settings.api_host))
    local = LocalAuthentication(OWN_NAME.format(monitor=settings.monitor)[:ID_LENGTH])
    by_socket = create_app(sources, authentication=local)
    path = directory / SOCKET
    address = f"{settings.api_host} port {settings.api_port}"
    return (
        Server(
            by_network,
            partial(on_network, settings.api_host, settings.api_port),
            "api",
            partial(service.address, "api", address),
        ),
        Server(by_socket, partial(on_this_machine, path), "commands", partial(service.address, "commands", str(path))),
    )
