"""The doctor: finds what doesn't work at a node, without disturbing a service that runs.

While the service runs, the doctor reads the service's own findings and touches nothing: a second connection with the
node's id would end the service's session at the broker. Otherwise it tries pins, state directory and brokers, and
releases them again.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from node import config
from node.cli.check import service_manager
from node.cli.check.broker_check import try_broker
from node.cli.check.configuration_check import look_at_file
from node.cli.check.file_check import (
    look_at_access,
    look_at_content,
    look_at_open_alarms,
    look_at_rights,
    try_directory,
)
from node.cli.check.pin_check import look_at_kernel, try_pins
from node.cli.check.service_account import ACCOUNT, Account
from node.cli.check.service_check import ask_service, look_at_what_is_urgent, newest_word, tells
from node.cli.check.service_manager import State, Told
from node.cli.check.storage_check import look_at_storage
from node.config import last_good
from node.errors import ConfigError
from node.errors.faults import RECORD_IN_MEMORY
from node.io.panel.pin_factory import open_factory
from node.io.terminal.check_result import CheckResult
from node.service import status_file

_AS_ROOT = "run this as root: sudo alarm-node check; systemctl status alarm-node shows the state without root"


class Installed(Struct, frozen=True):
    """How the node runs on this machine: by this unit of systemd, as this account."""

    unit: str = "alarm-node.service"
    account: Account = ACCOUNT


def examine(
    path: Path,
    environ: Mapping[str, str],
    make_factory: Callable[[config.Config], Any] = open_factory,
    installed: Installed | None = None,
) -> Iterator[CheckResult]:
    """Every finding about the node that this file describes, each as soon as it is known.

    ``installed``: it is the file of the installed service; None: of a trial that somebody starts by hand.
    """
    copy = last_good.where(path, environ)
    try:
        settings, problems = last_good.load(path, environ)
    except ConfigError as error:
        yield from look_at_file(path, error.problems, None, installed=installed is not None)
        ended = _manager(installed)
        if ended.state is State.RESTARTING:
            yield from _about_end(ended)
        return
    about_file = partial(look_at_file, path, problems, copy, installed=installed is not None)
    directory = config.state_directory(settings, environ)
    try:
        running = status_file.is_running(directory)
    except PermissionError as error:
        yield from about_file()
        as_other = "run this as root or as the service's user"
        yield CheckResult(None, f"{directory}: {error.strerror}", as_other if installed is None else _AS_ROOT)
        return
    except OSError as error:
        yield from about_file()
        text = f"{status_file.lock(directory)} can't tell whether the service runs: {error.strerror}"
        yield CheckResult(False, text, "remove what is there, then: sudo systemctl restart alarm-node")
        return
    account = None if installed is None else installed.account
    told = Told(State.RUNNING) if running else _manager(installed)
    if told.state is State.RUNNING:
        where = status_file.directory(directory, environ)
        word = newest_word(settings, where)
        yield from look_at_what_is_urgent(settings, word)
        yield from about_file()
        yield from ask_service(settings, where, word)
        yield from look_at_access(settings, directory, account)
        yield from look_at_rights(settings)
        yield from look_at_kernel(settings)
        if installed is not None and not tells(word, RECORD_IN_MEMORY):
            yield from look_at_storage(settings, directory)
        return
    yield from look_at_open_alarms(directory)
    yield from about_file()
    yield from _about_end(told)
    yield try_directory(directory, None if installed is None else _AS_ROOT)
    if told.state is State.STOPPED:
        yield from try_pins(settings, make_factory)
    yield from look_at_kernel(settings)
    yield from look_at_access(settings, directory, account)
    unusable = yield from look_at_content(settings, account)
    yield from look_at_rights(settings)
    if installed is not None:
        yield from look_at_storage(settings, directory)
    if told.state is not State.STOPPED:
        text = "pins and brokers aren't tried: systemd starts the service again, which needs them"
        yield CheckResult(None, text, "to have them tried, stop it first: sudo systemctl stop alarm-node")
        return
    for broker in settings.brokers:
        if broker.name not in unusable:
            yield from try_broker(settings, broker)


def _manager(installed: Installed | None) -> Told:
    return service_manager.ask(None if installed is None else installed.unit)


def _about_end(told: Told) -> Iterator[CheckResult]:
    """That the service doesn't run, and why."""
    match told.state:
        case State.STOPPED:
            text = "the service doesn't run: a press does nothing"
            yield CheckResult(False, text, "start it: sudo systemctl start alarm-node")
        case State.STARTING:
            yield CheckResult(None, "the service is starting", "wait 10 s and try again")
        case State.RESTARTING:
            text = f"the service doesn't run: a press does nothing; it ended, and will again: {told.last_end}"
            yield CheckResult(False, text, told.next_step)
        case State.RUNNING:
            pass
