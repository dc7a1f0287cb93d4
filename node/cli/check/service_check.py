"""The doctor at a service that runs: what it tells of itself. Its pins and its brokers' sessions are left alone."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from node import config
from node.cli.check.file_check import is_handed_over
from node.cli.check.pin_check import called, look_for_pins
from node.config.brokers import files
from node.core.model import Step
from node.errors.faults import BROKER_UNREACHABLE, CREDENTIALS_UNUSABLE, INPUT_UNREADABLE, FaultKind
from node.io import health
from node.io.mqtt.login.credentials import Credentials
from node.io.terminal.check_result import CheckResult
from node.service import status_file

SERVICE_DIRECTORY = Path("/run/alarm-node")
"""Where the service writes its status under systemd: RuntimeDirectory= of deploy/systemd/alarm-node.service."""

STALE_BEATS = 3

_SEE_WHY = "go there now; then see here and at the monitor why nobody was told: alarm-monitor check"
_NOT_TOLD = ("nobody was told of it yet", _SEE_WHY)
_CALLS: Mapping[Step, tuple[str, str]] = {
    Step.NOBODY: ("nobody has it", _SEE_WHY),
    Step.TOLD: ("people were told", "acknowledge it, go there, and reset it"),
    Step.ACKNOWLEDGED: ("somebody is coming", "reset it once all is well there"),
}
"""How far an open call has got, and what to do. At any other step nobody was told yet."""


def newest_word(settings: config.Config, where: Path) -> status_file.Status | None:
    """What the service last wrote. This command isn't started by systemd, so it doesn't know the $RUNTIME_DIRECTORY."""
    now, kernel_boot = time.monotonic(), health.kernel_boot()
    found = status_file.read(where, now, kernel_boot)
    if found is None:
        found = status_file.read(SERVICE_DIRECTORY, now, kernel_boot)
        if found is not None and found.heartbeat.get("node") != settings.node:
            return None
    return found


def look_at_what_is_urgent(settings: config.Config, word: status_file.Status | None) -> Iterator[CheckResult]:
    """Open alarms first; then why no input can be read at all, of which each input's own fault shows no cause."""
    if word is None or _is_stale(settings, word):
        return
    yield from (_about_alarm(call) for call in word.calls if not call.test)
    unreadable = {fault["subject"] for fault in word.heartbeat["faults"] if fault["code"] == INPUT_UNREADABLE.code}
    if unreadable >= {each.name for each in settings.settings.inputs}:
        yield from look_for_pins(settings)


def ask_service(settings: config.Config, where: Path, word: status_file.Status | None) -> Iterator[CheckResult]:
    """What the service last said of itself; ``where``: in which directory that was looked for."""
    if word is None:
        yield CheckResult(
            None,
            f"the service runs, but left no findings in {where} or {SERVICE_DIRECTORY}",
            "wait 10 s and try again, as root: sudo alarm-node check",
        )
        return
    if _is_stale(settings, word):
        yield CheckResult(
            False,
            f"the service has said nothing for {word.age_s:.0f} s",
            "look at its log (journalctl -u alarm-node), then restart it: sudo systemctl restart alarm-node",
        )
        return
    yield CheckResult(True, f"the service runs, its last word is {word.age_s:.0f} s old")
    walk_test_s = word.heartbeat.get("walk_test_s")
    if walk_test_s is not None:
        left_s = max(0.0, walk_test_s - word.age_s)
        yield CheckResult(True, f"a walk test runs for another {left_s:.0f} s: the first press of a button is a test")
    tests = [each for each in word.calls if each.test]
    yield from (CheckResult(True, f"TEST {each.incident} of {each.input}: {each.step}") for each in tests)
    yield from _about_links(word.heartbeat)
    yield from _about_inputs(word.heartbeat)
    yield from (_about_fault(settings, fault) for fault in word.heartbeat["faults"])


def tells(word: status_file.Status | None, kind: FaultKind) -> bool:
    """Whether the service said itself that this fault stands."""
    return word is not None and kind.code in {fault["code"] for fault in word.heartbeat["faults"]}


def _is_stale(settings: config.Config, word: status_file.Status) -> bool:
    return word.age_s > STALE_BEATS * settings.settings.heartbeat_s


def _about_alarm(call: status_file.Call) -> CheckResult:
    how_far, next_step = _CALLS.get(call.step, _NOT_TOLD)
    return CheckResult(False, f"{call.incident} of {call.input}: {how_far}", next_step, alarm=True)


def _about_links(heartbeat: Mapping[str, Any]) -> Iterator[CheckResult]:
    told = {(fault["code"], fault["subject"]) for fault in heartbeat["faults"]}
    for name, link in sorted(heartbeat["links"].items()):
        if link["connected"] and (BROKER_UNREACHABLE.code, name) not in told:
            rtt = "" if link["rtt_ms"] is None else f", answers in {link['rtt_ms']:.1f} ms"
            yield CheckResult(True, f"broker {name} is connected{rtt}")
        elif name not in {subject for _, subject in told}:
            yield CheckResult(None, f"broker {name} isn't connected at the moment", "wait 10 s and try again")


def _about_inputs(heartbeat: Mapping[str, Any]) -> Iterator[CheckResult]:
    """An input that can't be read is a fault after 5 s, which tells more."""
    faulty = {fault["subject"] for fault in heartbeat["faults"]}
    for name, each in sorted(heartbeat["inputs"].items()):
        text = f"{called(each['kind'], name)} is {each['state']}, its wire is {each['wire']}"
        if each["state"] not in ("unknown", "fault"):
            yield CheckResult(True, text)
        elif name not in faulty:
            yield CheckResult(None, text, "wait 10 s and try again")


def _about_fault(settings: config.Config, fault: Mapping[str, Any]) -> CheckResult:
    about = f" ({fault['subject']})" if fault["subject"] else ""
    text = f"{fault['code']}{about} {fault['text']}"
    if fault["code"] == CREDENTIALS_UNUSABLE.code and (problem := _file_problem(settings, fault["subject"])):
        return CheckResult(False, f"{text}: {problem}", "correct the file; the node reads it within a minute")
    return CheckResult(False, text, fault["next"])


def _file_problem(settings: config.Config, name: str) -> str:
    """Which file of this broker can't be used; files that systemd passes to the service can't be checked from here."""
    for broker in settings.brokers:
        if broker.name == name and not any(map(is_handed_over, files(broker).values())):
            credentials = Credentials(name, broker.tls, broker.login)
            credentials.look()
            return credentials.problem
    return ""
