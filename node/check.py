"""The doctor: what of a node doesn't work, found without disturbing a service that runs.

While the service runs, its own findings are read and nothing is touched: a second connection with the node's id would
throw the service off its broker. Otherwise pins, state directory and brokers are tried, and given back.
"""

import queue
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node import config, health, status, wire
from node.config.brokers import files, why_unreadable
from node.core import contact
from node.core import events as ev
from node.core.line import ContactState
from node.core.settings import InputSettings, Role
from node.errors import (
    BROKER_UNREACHABLE,
    CANARY_SILENT,
    CERTIFICATE_EXPIRES,
    FAULTS,
    INPUT_UNREADABLE,
    PLAIN_TEXT,
    RECORD_FAILED,
    WIRE_FAULTY,
    AlarmNodeError,
    ConfigError,
)
from node.link import Incoming, Link, Outgoing, Priority, Subscription
from node.panel import Panel
from node.pins import open_factory

ANSWER_S = 5.0
"""How long a broker may take; hazards.md: a subscription that is granted and silent is found by a canary only."""

SERVICE_DIRECTORY = Path("/run/alarm-node")
"""Where the service leaves its word under systemd: RuntimeDirectory= of deploy/systemd/alarm-node.service."""

STALE_BEATS = 3
LEVELS_S = 2.0
EXPIRES_DAYS = 30
DAY_S = 86_400.0

_SECRETS = ("key_file", "password_file")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer. ``ok`` None: it can't be told. ``next_step`` is empty where nothing has to be done."""

    ok: bool | None
    text: str
    next_step: str = ""

    def __str__(self) -> str:
        mark = {True: "ok     ", False: "FINDING", None: "UNKNOWN"}[self.ok]
        return f"{mark} {self.text}" + (f". Next: {self.next_step}." if self.next_step else "")


def examine(
    path: Path, environ: Mapping[str, str], make_factory: Callable[[str], Any] = open_factory
) -> Iterator[Finding]:
    """Every finding about the node that this file describes, as soon as it is known."""
    try:
        settings = config.load(path, environ)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(False, problem, "mend this line")
        return
    yield Finding(True, f"{path} is complete and consistent")
    directory = config.state_directory(settings, environ)
    try:
        running = status.is_running(directory)
    except OSError as error:
        yield Finding(None, f"{directory}: {error.strerror}", "run this as root or as the service's user")
        return
    if running:
        yield from _ask_service(settings, status.directory(directory, environ))
        yield from _look_at_rights(settings)
        return
    yield Finding(False, "the service doesn't run: a press does nothing", "start it: systemctl start alarm-node")
    yield _try_directory(directory)
    yield from _try_pins(settings, make_factory)
    yield from _look_at_files(settings)
    yield from _look_at_rights(settings)
    for broker in settings.brokers:
        if all(path.is_absolute() for path in files(broker).values()):
            yield from _try_broker(settings, broker)


def _ask_service(settings: config.Config, where: Path) -> Iterator[Finding]:
    found = _word(settings, where)
    if found is None:
        yield Finding(
            None,
            f"the service runs, but left no findings in {where} or {SERVICE_DIRECTORY}",
            "wait 10 s and try again, as root",
        )
        return
    limit_s = STALE_BEATS * settings.settings.heartbeat_s
    if found.age_s > limit_s:
        yield Finding(
            False,
            f"the service has said nothing for {found.age_s:.0f} s",
            "restart it, and look at its log: journalctl -u alarm-node",
        )
        return
    yield Finding(True, f"the service runs, its last word is {found.age_s:.0f} s old")
    told = {(fault["code"], fault["subject"]) for fault in found.heartbeat["faults"]}
    for name, link in sorted(found.heartbeat["links"].items()):
        if link["connected"] and (BROKER_UNREACHABLE.code, name) not in told:
            rtt = "" if link["rtt_ms"] is None else f", answers in {link['rtt_ms']:.1f} ms"
            yield Finding(True, f"broker {name} is connected{rtt}")
        elif name not in {subject for _, subject in told}:
            yield Finding(None, f"broker {name} isn't connected at the moment", "wait 10 s and try again")
    for name, each in sorted(found.heartbeat["inputs"].items()):
        is_known = each["state"] not in ("unknown", "fault")
        yield Finding(is_known, f"{each['kind']} {name} is {each['state']}, its wire is {each['wire']}")
    for fault in found.heartbeat["faults"]:
        about = f" ({fault['subject']})" if fault["subject"] else ""
        yield Finding(False, f"{fault['code']}{about} {fault['text']}", fault["next"])
    incidents = found.heartbeat["incidents"]
    if incidents:
        yield Finding(True, f"{incidents} open: alarm", "acknowledge it, go there, and reset it")


def _word(settings: config.Config, where: Path) -> status.Status | None:
    """What the service last said; whoever asks isn't started by systemd, and doesn't know its $RUNTIME_DIRECTORY."""
    now, kernel_boot = time.monotonic(), health.kernel_boot()
    found = status.read(where, now, kernel_boot)
    if found is None:
        found = status.read(SERVICE_DIRECTORY, now, kernel_boot)
        if found is not None and found.heartbeat.get("node") != settings.node:
            return None
    return found


def _try_directory(directory: Path) -> Finding:
    """Where it is missing, its parent is tried: a directory that the doctor made wouldn't be the service's own."""
    try:
        nearest = next(each for each in (directory, *directory.parents) if each.exists())
        probe = nearest / f".probe-{secrets.token_hex(4)}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        reason = f"{error.strerror}: {RECORD_FAILED.text}"
        return Finding(False, f"{directory}: {reason}", RECORD_FAILED.next_step)
    return Finding(True, f"{directory} can be written")


def _look_at_files(settings: config.Config) -> Iterator[Finding]:
    """Whether the files can be read that brokers name; what they hold is seen when the broker is tried."""
    for broker in settings.brokers:
        for key, path in files(broker).items():
            about = f"broker {broker.name}: {key}"
            if not path.is_absolute():
                text = f"{about} is a bare name: systemd hands the file to the service, and to nobody else"
                yield Finding(None, text, "start the service, then check again: it says itself what it can't use")
            elif problem := why_unreadable(key, path):
                yield Finding(False, f"{about} {problem}", "mend it, or run this as root or as the service's user")


def _look_at_rights(settings: config.Config) -> Iterator[Finding]:
    """Who else may read what is the node's alone."""
    for broker in settings.brokers:
        for key, path in files(broker).items():
            if key not in _SECRETS:
                continue
            with suppress(OSError):
                if path.stat().st_mode & stat.S_IROTH:
                    text = f"broker {broker.name}: every account of this machine may read {key} {path}"
                    yield Finding(False, text, f"take that right away: chmod o-rwx {path}")


def _try_pins(settings: config.Config, make_factory: Callable[[str], Any]) -> Iterator[Finding]:
    heard: queue.SimpleQueue[ev.Event] = queue.SimpleQueue()
    try:
        factory = make_factory(settings.pin_factory)
        try:
            levels = _read_levels(settings, factory, heard)
        finally:
            factory.close()
    except AlarmNodeError as error:
        yield Finding(False, error.text, error.next_step)
        return
    for each in settings.settings.inputs:
        yield _look_at_input(each, settings.line_pins, levels)


def _look_at_input(each: InputSettings, line_pins: Mapping[str, int], levels: Mapping[str, bool | None]) -> Finding:
    pins = " and ".join(str(line_pins[line]) for line in each.lines)
    kind = each.role.kind
    about = (kind if each.name == kind else f"{kind} {each.name}") + f" (pin {pins})"
    wire = "" if each.wiring.is_supervised else ", its wire is unsupervised"
    state = contact.read(each.wiring, [levels.get(line) for line in each.lines])
    match state:
        case ContactState.UNKNOWN:
            return Finding(False, f"{about}: {INPUT_UNREADABLE.text}", INPUT_UNREADABLE.next_step)
        case ContactState.FAULT:
            return Finding(False, f"{about}: {WIRE_FAULTY.code} {WIRE_FAULTY.text}", WIRE_FAULTY.next_step)
        case ContactState.ACTIVE:
            what, next_step = _ACTIVE[each.role]
            return Finding(not next_step, f"{about} is active: {what}{wire}", next_step.format(each.wiring.value))
        case ContactState.NORMAL:
            return Finding(True, f"{about} is normal{wire}")


_CLOSE = "close the door, or check the wire and wiring = '{}'"
_ACTIVE = {
    Role.BUTTON: (
        "pressed, cut, or wired the other way round",
        "release it, or check the wire and wiring = '{}'",
    ),
    Role.DOOR_ALARM: ("open, cut, or wired the other way round", _CLOSE),
    Role.DOOR_HELD_OPEN: ("the door is open", ""),
    Role.DOOR_REPORT: ("the door is open", ""),
    Role.DOOR_INCIDENT_ONLY: ("the door is open", ""),
    Role.TAMPER: ("the case is open", "close the case, or check the switch and wiring = '{}'"),
    Role.RESET: ("the key is turned", "turn it back, or check the switch and wiring = '{}'"),
}
"""What it means that an input of this role is active, and what to do where that isn't as it should be."""


def _read_levels(
    settings: config.Config, factory: Any, heard: "queue.SimpleQueue[ev.Event]"
) -> Mapping[str, bool | None]:
    panel = Panel(
        factory,
        settings.line_pins,
        settings.buzzer_pin,
        settings.lamp_pin,
        put=heard.put,
        sample_hz=settings.sample_hz,
    )
    panel.start()
    try:
        return _first_levels(heard)
    finally:
        panel.close()


def _first_levels(heard: "queue.SimpleQueue[ev.Event]") -> Mapping[str, bool | None]:
    until = time.monotonic() + LEVELS_S
    while (left := until - time.monotonic()) > 0:
        try:
            event = heard.get(timeout=left)
        except queue.Empty:
            break
        if isinstance(event, ev.LevelsRead):
            return event.levels
    return {}


def _try_broker(settings: config.Config, broker: config.Broker) -> Iterator[Finding]:
    """Connect as the node, which must not run now, and listen for a canary of our own."""
    if broker.insecure:
        yield Finding(False, f"broker {broker.name}: {PLAIN_TEXT.code} {PLAIN_TEXT.text}", PLAIN_TEXT.next_step)
    boot = secrets.token_hex(4)
    messages = wire.Wire(settings.root, settings.site, settings.node, boot)
    heard: queue.SimpleQueue[ev.Event] = queue.SimpleQueue()

    def read(message: Incoming) -> ev.Event | None:
        return messages.read(
            broker.name,
            message.topic,
            message.payload,
            retained=message.retained,
            expiry_s=message.expiry_s,
            at=message.at,
        )

    def will(session: int) -> tuple[str, bytes]:
        # Nobody is to believe that the node was there: it isn't, and a doctor that dies changes nothing about that.
        return messages.state_topic, messages.state("lost", session, 0, time.time(), synchronised=False)

    link = Link(
        broker.name,
        broker.host,
        broker.port,
        settings.node,
        subscriptions=[Subscription(messages.canary_topic)],
        will=will,
        decode=read,
        put=heard.put,
        tls=broker.tls,
        login=broker.login,
    )
    link.start()
    try:
        yield from _listen(broker.name, link, messages, heard, time.monotonic)
    finally:
        link.close(1.0)
        link.join(2.0)


def _listen(
    name: str,
    link: Link,
    messages: wire.Wire,
    heard: "queue.SimpleQueue[ev.Event]",
    clock: Callable[[], float],
) -> Iterator[Finding]:
    until = clock() + ANSWER_S
    kind = BROKER_UNREACHABLE
    reason, sent_at, found = "no answer", None, None
    ends_utc: Mapping[str, float] = {}
    while (left := until - clock()) > 0:
        try:
            event = heard.get(timeout=left)
        except queue.Empty:
            break
        link.decided()
        if isinstance(event, ev.CredentialsSeen):
            ends_utc = event.ends_utc
        if isinstance(event, ev.LinkDown):
            kind, reason = FAULTS[event.problem or BROKER_UNREACHABLE.code], event.reason
            break
        if isinstance(event, ev.LinkUp):
            kind, reason, sent_at = CANARY_SILENT, "no canary came back", clock()
            payload = messages.canary(event.session, 0, time.time(), synchronised=False)
            link.publish(
                Outgoing(
                    session=event.session,
                    topic=messages.canary_topic,
                    payload=payload,
                    priority=Priority.CONTROL,
                )
            )
        if isinstance(event, ev.CanaryHeard) and sent_at is not None:
            rtt_ms = (clock() - sent_at) * 1000
            found = Finding(True, f"broker {name} answers; a canary came back in {rtt_ms:.1f} ms")
            break
    yield found or Finding(False, f"broker {name}: {reason}: {kind.code} {kind.text}", kind.next_step)
    for whose, end_utc in sorted(ends_utc.items()):
        yield _how_long(f"broker {name}: the {whose} certificate", end_utc)


def _how_long(certificate: str, end_utc: float) -> Finding:
    day = time.strftime("%Y-%m-%d", time.gmtime(end_utc))
    days = (end_utc - time.time()) / DAY_S
    if days > EXPIRES_DAYS:
        return Finding(True, f"{certificate} is good until {day}")
    when = f"expires in {days:.0f} days, on {day}" if days > 0 else f"expired on {day}"
    text = f"{certificate} {when}: {CERTIFICATE_EXPIRES.code} {CERTIFICATE_EXPIRES.text}"
    return Finding(False, text, CERTIFICATE_EXPIRES.next_step)
