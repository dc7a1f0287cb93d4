"""The doctor: what of a monitor doesn't work, one finding a line, each with its next step. Changes nothing.

While the service runs its own findings are read: a second connection with its name would throw it off the broker. While
it doesn't, each broker is tried, and each node that is online there is asked by a command that does nothing. An account
that is neither root nor the monitor's can't tell most of it: what it may not read is unknown, not wrong.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from node.errors import AlarmNodeError
from node.io.terminal.check_result import CheckResult
from node.monitor.cli.api_client.http_client import AskError
from node.monitor.cli.api_client.monitor_client import ApiError, MonitorClient, on_this_machine
from node.monitor.cli.doctor.broker_trial import try_broker
from node.monitor.cli.doctor.own_account import AS_ROOT, hidden, is_outsider
from node.monitor.cli.output.stopped_nodes import STEP, stopped
from node.monitor.config import monitor_file
from node.monitor.core.findings.target_coverage import of_roster, unreached
from node.monitor.core.model.catalogue import HISTORY_IN_MEMORY, ROSTER_UNUSABLE, UNREACHED
from node.monitor.core.model.monitor_settings import Settings
from node.monitor.errors import HistoryOlderError
from node.monitor.notify.teller import problem_of
from node.monitor.service.assembly import is_in_memory, open_history

ANSWER_S = 5.0


def examine(path: Path, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    """All findings, in the order in which they are found. Raises ConfigError where there is nothing to examine."""
    if hidden([path]):
        yield CheckResult(None, f"{path}: this account may not read it", AS_ROOT)
        return
    settings = monitor_file.load(path, environ)
    directory = monitor_file.state_directory(settings, environ)
    outside = is_outsider(directory)
    yield CheckResult(True, f"{path}: monitor {settings.monitor} hears {', '.join(settings.sites)}")
    for text, next_step in monitor_file.outdated(path):
        yield CheckResult(True, f"{path}: {text}", next_step)
    yield from _roster(settings, outside=outside)
    yield from _targets(settings, outside=outside)
    yield from _history(settings, environ, outside=outside)
    try:
        yield from _running(MonitorClient(on_this_machine(directory)), settings)
    except ApiError as problem:
        yield from _not_running(problem, settings, outside=outside)


def _not_running(problem: ApiError, settings: Settings, *, outside: bool) -> Iterator[CheckResult]:
    """The service can't be asked. Brokers are tried only where it surely doesn't run: else it would be thrown off."""
    cause = problem.__cause__
    if isinstance(cause, AskError) and cause.denied:
        yield CheckResult(None, "the service: this account may not ask it", AS_ROOT)
        return
    if not (isinstance(cause, AskError) and cause.away):
        yield CheckResult(
            False, f"the service doesn't answer: {problem.text}", "look into its log: journalctl -u alarm-monitor"
        )
        return
    yield CheckResult(
        False, "the service doesn't run: nobody is notified", "start it: sudo systemctl start alarm-monitor"
    )
    if outside:
        yield CheckResult(None, "the brokers: this account may not use the monitor's login", AS_ROOT)
        return
    yield from _coverage(settings)
    for broker in settings.brokers:
        yield from try_broker(settings, broker)


def _roster(settings: Settings, *, outside: bool) -> Iterator[CheckResult]:
    if outside and hidden([settings.roster_path]):
        yield CheckResult(None, f"{settings.roster_path}: this account may not read it", AS_ROOT)
        return
    for problem in settings.roster_problems:
        yield CheckResult(False, f"{problem}: {ROSTER_UNUSABLE.code}", "correct this line")
    if settings.roster_problems:
        return
    if settings.roster is None:
        yield CheckResult(
            None,
            "there is no roster: the monitor doesn't notice a node that was never heard",
            "list the nodes in nodes.toml, and name that file as roster in monitor.toml",
        )
    elif not settings.roster:
        text = "the roster lists no node: the monitor doesn't notice one that is missing"
        yield CheckResult(None, text, "list the nodes in nodes.toml")
    else:
        count = len(settings.roster)
        yield CheckResult(True, f"the roster lists {count} {'node' if count == 1 else 'nodes'}")


def _targets(settings: Settings, *, outside: bool) -> Iterator[CheckResult]:
    if not settings.targets:
        yield CheckResult(False, "nobody is notified of alarms", "add a [[target]] to monitor.toml")
    for target in settings.targets:
        problem = target.problem or problem_of(target.url)
        if outside and hidden([target.url_file]):
            yield CheckResult(None, f"target {target.name}: this account may not read {target.url_file}", AS_ROOT)
        elif problem is None:
            yield CheckResult(True, f"target {target.name}: its URL can be used (nothing was sent)")
        else:
            yield CheckResult(False, f"target {target.name}: {problem}", "write a URL of Apprise, then check again")


def _coverage(settings: Settings) -> Iterator[CheckResult]:
    """What the running service finds by itself, as far as the files say it."""
    for each in unreached(settings.sites, of_roster(settings.roster or ()), settings.targets):
        yield CheckResult(False, f"{UNREACHED.code} {each}: {UNREACHED.text}", UNREACHED.next_step)


def _history(settings: Settings, environ: Mapping[str, str], *, outside: bool) -> Iterator[CheckResult]:
    directory = monitor_file.state_directory(settings, environ)
    if outside and hidden([settings.history_file or directory / monitor_file.DATABASE]):
        yield CheckResult(None, "the history: this account may not read it", AS_ROOT)
        return
    try:
        history = open_history(settings, environ)
        try:
            history.check()
        finally:
            history.close()
    except HistoryOlderError:
        yield CheckResult(True, "the history is empty or of an older version: the next start of the monitor updates it")
    except AlarmNodeError as problem:
        yield CheckResult(False, f"{problem.code} {problem.text}", problem.next_step)
    else:
        yield CheckResult(True, "the history can be read")
    if not settings.history_url and not settings.history_problem and is_in_memory(directory):
        kind = HISTORY_IN_MEMORY
        yield CheckResult(False, f"{kind.code} {directory}: {kind.text}", kind.next_step)


def _running(commands: MonitorClient, settings: Settings) -> Iterator[CheckResult]:
    fleet = commands.get("fleet")
    yield CheckResult(True, f"the service runs, version {fleet['version']}, for {fleet['uptime_s']:.0f} s")
    for path in filter(None, (settings.path, settings.roster_path)):
        with suppress(OSError):  # it was removed, which is a finding of its own
            if 0 <= time.time() - path.stat().st_mtime < fleet["uptime_s"]:
                text = f"{path} was changed after the service read it"
                yield CheckResult(False, text, "sudo systemctl restart alarm-monitor")
    for broker in fleet["brokers"]:
        if broker["connected"]:
            yield CheckResult(True, f"broker {broker['name']} is connected")
    for target in fleet["targets"]:
        yield _tested(target)
    for text in stopped(commands.items("nodes")):
        yield CheckResult(False, text, STEP)
    for each in commands.items("findings"):
        about = "/".join(filter(None, (each["site"], each["node"], each["subject"])))
        detail = f" ({each['detail']})" if each["detail"] else ""
        yield CheckResult(False, f"{each['code']} {about or 'monitor'}: {each['text']}{detail}", each["next"])


def _tested(target: Mapping[str, Any]) -> CheckResult:
    name, tested = target["name"], target["tested"]
    if tested is None:
        return CheckResult(None, f"target {name} was never tested", f"sudo alarm-monitor tell --test {name}")
    if target["test_passed"]:
        return CheckResult(True, f"target {name} accepted a test message, {tested}")
    return CheckResult(
        False, f"target {name} didn't accept the last test message, {tested}", f"sudo alarm-monitor tell --test {name}"
    )
