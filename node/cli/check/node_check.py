"""The doctor: finds what doesn't work at a node, without disturbing a service that runs.

While the service runs, the doctor reads the service's own findings and touches nothing: a second connection with the
node's id would end the service's session at the broker. Otherwise it tries pins, state directory and brokers, and
releases them again.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node import config
from node.cli.check import service_manager
from node.cli.check.broker_check import try_broker
from node.cli.check.file_check import is_handed_over, look_at_access, look_at_content, look_at_rights, try_directory
from node.cli.check.pin_check import called, look_at_kernel, try_pins
from node.cli.check.service_account import ACCOUNT, Account
from node.cli.check.service_manager import State, Told
from node.cli.check.storage_check import look_at_storage
from node.config import last_good
from node.config.brokers import files
from node.core.model import Step
from node.errors import ConfigError
from node.errors.faults import BROKER_UNREACHABLE, CREDENTIALS_UNUSABLE
from node.io import health
from node.io.mqtt.login.credentials import Credentials
from node.io.panel.pin_factory import open_factory
from node.io.terminal.check_result import CheckResult
from node.service import status_file

SERVICE_DIRECTORY = Path("/run/alarm-node")
"""Where the service writes its status under systemd: RuntimeDirectory= of deploy/systemd/alarm-node.service."""

STALE_BEATS = 3

_SEE_WHY = "go there now; then see here and at the monitor why nobody was told: alarm-monitor check"
_NOT_TOLD = (False, "nobody was told of it yet", _SEE_WHY)
_CALLS: Mapping[Step, tuple[bool, str, str]] = {
    Step.NOBODY: (False, "nobody has it", _SEE_WHY),
    Step.TOLD: (True, "people were told", "acknowledge it, go there, and reset it"),
    Step.ACKNOWLEDGED: (True, "somebody is coming", "reset it once all is well there"),
}
"""The finding about an open call by its step, and what to do. At any other step nobody was told yet."""


@dataclass(frozen=True, slots=True)
class Installed:
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
    try:
        settings, problems = last_good.load(path, environ)
    except ConfigError as error:
        yield from _about_file(path, error.problems)
        ended = _manager(installed)
        if ended.state is State.RESTARTING:
            yield from _about_end(ended)
        return
    yield from _about_file(path, problems)
    if problems:
        copy = last_good.where(path, environ)
        yield CheckResult(
            False,
            f"the node uses the last good configuration instead, {copy}: what was changed since then has no effect",
            f"correct {path}, then: systemctl reload alarm-node",
        )
    directory = config.state_directory(settings, environ)
    try:
        running = status_file.is_running(directory)
    except OSError as error:
        yield CheckResult(None, f"{directory}: {error.strerror}", "run this as root or as the service's user")
        return
    account = None if installed is None else installed.account
    told = Told(State.RUNNING) if running else _manager(installed)
    if told.state is State.RUNNING:
        yield from _ask_service(settings, status_file.directory(directory, environ))
        yield from look_at_access(settings, directory, account)
        yield from look_at_rights(settings)
        yield from look_at_kernel(settings)
        if installed is not None:
            yield from look_at_storage(settings, directory)
        return
    yield from _about_end(told)
    yield try_directory(directory)
    if told.state is State.STOPPED:
        yield from try_pins(settings, make_factory)
    yield from look_at_kernel(settings)
    yield from look_at_access(settings, directory, account)
    yield from look_at_content(settings)
    yield from look_at_rights(settings)
    if installed is not None:
        yield from look_at_storage(settings, directory)
    if told.state is not State.STOPPED:
        text = "pins and brokers aren't tried: systemd starts the service again, which needs them"
        yield CheckResult(None, text, "to have them tried, stop it first: systemctl stop alarm-node")
        return
    for broker in settings.brokers:
        if not any(map(is_handed_over, files(broker).values())):
            yield from try_broker(settings, broker)


def _manager(installed: Installed | None) -> Told:
    return service_manager.ask(None if installed is None else installed.unit)


def _about_end(told: Told) -> Iterator[CheckResult]:
    """That the service doesn't run, and why."""
    match told.state:
        case State.STOPPED:
            text = "the service doesn't run: a press does nothing"
            yield CheckResult(False, text, "start it: systemctl start alarm-node")
        case State.STARTING:
            yield CheckResult(None, "the service is starting", "wait 10 s and try again")
        case State.RESTARTING:
            text = f"the service doesn't run: a press does nothing; it ended, and will again: {told.last_end}"
            yield CheckResult(False, text, told.next_step)
        case State.RUNNING:
            pass


def _about_file(path: Path, problems: Sequence[str]) -> Iterator[CheckResult]:
    for problem in problems:
        yield CheckResult(False, problem, "correct this line")
    if not problems:
        yield CheckResult(True, f"{path} is complete and consistent")


def _ask_service(settings: config.Config, where: Path) -> Iterator[CheckResult]:
    found = _word(settings, where)
    if found is None:
        yield CheckResult(
            None,
            f"the service runs, but left no findings in {where} or {SERVICE_DIRECTORY}",
            "wait 10 s and try again, as root",
        )
        return
    limit_s = STALE_BEATS * settings.settings.heartbeat_s
    if found.age_s > limit_s:
        yield CheckResult(
            False,
            f"the service has said nothing for {found.age_s:.0f} s",
            "restart it, and look at its log: journalctl -u alarm-node",
        )
        return
    yield CheckResult(True, f"the service runs, its last word is {found.age_s:.0f} s old")
    told = {(fault["code"], fault["subject"]) for fault in found.heartbeat["faults"]}
    for name, link in sorted(found.heartbeat["links"].items()):
        if link["connected"] and (BROKER_UNREACHABLE.code, name) not in told:
            rtt = "" if link["rtt_ms"] is None else f", answers in {link['rtt_ms']:.1f} ms"
            yield CheckResult(True, f"broker {name} is connected{rtt}")
        elif name not in {subject for _, subject in told}:
            yield CheckResult(None, f"broker {name} isn't connected at the moment", "wait 10 s and try again")
    for name, each in sorted(found.heartbeat["inputs"].items()):
        is_known = each["state"] not in ("unknown", "fault")
        yield CheckResult(is_known, f"{called(each['kind'], name)} is {each['state']}, its wire is {each['wire']}")
    for fault in found.heartbeat["faults"]:
        about = f" ({fault['subject']})" if fault["subject"] else ""
        yield CheckResult(False, f"{fault['code']}{about} {fault['text']}", fault["next"])
        if fault["code"] == CREDENTIALS_UNUSABLE.code:
            yield from _name_file(settings, fault["subject"])
    yield from map(_about_call, found.calls)


def _about_call(call: status_file.Call) -> CheckResult:
    """An open call is in order only if people are known to have been told of it; a test is told to nobody."""
    if call.test:
        return CheckResult(True, f"TEST {call.incident} of {call.input}: {call.step.value}")
    ok, how_far, next_step = _CALLS.get(call.step, _NOT_TOLD)
    return CheckResult(ok, f"ALARM {call.incident} of {call.input}: {how_far}", next_step)


def _name_file(settings: config.Config, name: str) -> Iterator[CheckResult]:
    """Which file of this broker can't be used; files that systemd passes to the service can't be checked from here."""
    for broker in settings.brokers:
        if broker.name == name and not any(map(is_handed_over, files(broker).values())):
            credentials = Credentials(name, broker.tls, broker.login)
            credentials.look()
            if credentials.problem:
                yield CheckResult(
                    False,
                    f"broker {name}: {credentials.problem}",
                    "correct the file; the node reads it within a minute",
                )


def _word(settings: config.Config, where: Path) -> status_file.Status | None:
    """What the service last wrote. This command isn't started by systemd, so it doesn't know the $RUNTIME_DIRECTORY."""
    now, kernel_boot = time.monotonic(), health.kernel_boot()
    found = status_file.read(where, now, kernel_boot)
    if found is None:
        found = status_file.read(SERVICE_DIRECTORY, now, kernel_boot)
        if found is not None and found.heartbeat.get("node") != settings.node:
            return None
    return found
