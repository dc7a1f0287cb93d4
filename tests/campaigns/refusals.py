"""A broker refuses the node, in each way in which brokers do, at its start or while it runs; a second one is healthy.

What holds:

1. The fault that names the cause, and no other, is told over the healthy broker within 5 s from the link's trying: from
   the birth for what was so at the start, and from the moment at which the broker refuses for what has become so.
2. A press meanwhile sounds, and arrives over the healthy broker.
3. Nothing ends the retries: when the cause is mended, the node is well again without anybody touching it, and a press
   arrives over the broker that had refused.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.campaigns.campaign import Campaign, Figures, Try
from tests.campaigns.defects import command
from tests.campaigns.reading import Reader
from tests.support import broker as brokers
from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.desk import BRANCH, decoded, faults
from tests.support.mqtt import Client, Received
from tests.support.node import NODE, SimulatedNode, wait_until, write_config
from tests.support.secure import LOOPBACK, secure_broker

TOLD_S = 5.0
WAIT_S = 10.0
WELL_AGAIN_S = 30.0
"""A rest between two tries is at most 5 s, and a silent canary flies again every 10 s."""

_READER = "\nuser desk\ntopic readwrite #\n"
_ALL = "topic readwrite #\n" + _READER
_DUMB = f"topic readwrite #\ntopic deny {BRANCH}/event\n" + _READER
_DEAF = "topic write #\n" + _READER


@dataclass(frozen=True, slots=True)
class Cause:
    """What a broker has against the node. ``spoil`` and ``mend`` return when it is so for whoever connects then.

    ``keys`` are the broker's in node.toml. ``stands``: the fault is told for longer than the cause is there.
    ``noticed``: the next event shows that it was mended, and nothing else.
    """

    code: str
    broker: Broker
    keys: Mapping[str, object]
    spoil: Callable[[], None]
    mend: Callable[[], None]
    stands: bool = False
    noticed: bool = False


def _with_rights(code: str, spoilt: str, stack: ExitStack, directory: Path) -> Cause:
    broker = stack.enter_context(Broker(directory / "rights", acl=_ALL))

    def become(rights: str, *, again: bool) -> None:
        (directory / "rights" / "acl").write_text(rights, encoding="utf-8")
        if again:
            _restart(broker)
        else:
            known = _reloads(broker)
            os.kill(broker.pid, signal.SIGHUP)
            wait_until(lambda: _reloads(broker) > known, what="the reading of the rights")

    keys = {"host": LOOPBACK, "port": broker.port}
    deaf = spoilt == _DEAF  # reading is tried at the beginning of a session
    spoil, mend = partial(become, spoilt, again=deaf), partial(become, _ALL, again=False)
    return Cause(code, broker, keys, spoil, mend, noticed=not deaf)


def _with_a_twin(code: str, stack: ExitStack, directory: Path) -> Cause:
    """A copied memory card: a second node by the same name, that knows this broker alone."""
    broker = stack.enter_context(Broker(directory / "stolen"))
    (directory / "twin").mkdir()
    twin = SimulatedNode(write_config(directory / "twin", broker.port))

    def spoil() -> None:
        stack.enter_context(twin)
        twin.expect_log("session 1 is up")

    return Cause(code, broker, {"host": LOOPBACK, "port": broker.port}, spoil, twin.kill, stands=True)


def _with_a_certificate(
    code: str, spoilt: Callable[[Authority, Authority, Path], object], stack: ExitStack, directory: Path
) -> Cause:
    ours, another = Authority(directory / "ca.pem"), Authority(directory / "another.pem", "another")
    shown = ours.issue("broker", directory, LOOPBACK)
    broker = stack.enter_context(Broker(directory / "tls", tls=brokers.Tls(shown)))

    def spoil() -> None:
        spoilt(ours, another, directory)
        _restart(broker)

    def mend() -> None:
        ours.issue("broker", directory, LOOPBACK)
        _restart(broker)

    return Cause(
        code, broker, {"host": LOOPBACK, "port": broker.tls_port, "ca_file": str(ours.file)}, spoil=spoil, mend=mend
    )


def _with_a_password(code: str, stack: ExitStack, directory: Path) -> Cause:
    ours = Authority(directory / "ca.pem")
    broker = stack.enter_context(secure_broker(directory, ours, passwords={NODE: "hunter2", "desk": "hunter3"}))
    file = directory / "password"
    file.write_text("hunter2", encoding="ascii")

    def spoil() -> None:
        file.write_text("hunter4", encoding="ascii")
        _restart(broker)

    def mend() -> None:
        file.write_text("hunter2", encoding="ascii")

    keys = {"host": LOOPBACK, "port": broker.tls_port, "ca_file": str(ours.file)}
    return Cause(code, broker, {**keys, "username": NODE, "password_file": str(file)}, spoil, mend)


def _foreign(_ours: Authority, another: Authority, directory: Path) -> object:
    return another.issue("broker", directory, LOOPBACK)


def _expired(ours: Authority, _another: Authority, directory: Path) -> object:
    return ours.issue("broker", directory, LOOPBACK, begins_days=-9, days=-1)


_CAUSES: Mapping[str, Callable[[ExitStack, Path], Cause]] = {
    "publish refused": partial(_with_rights, "F011", _DUMB),
    "subscribe refused": partial(_with_rights, "F012", _DEAF),
    "wrong authority": partial(_with_a_certificate, "F017", _foreign),
    "expired certificate": partial(_with_a_certificate, "F018", _expired),
    "wrong password": partial(_with_a_password, "F022"),
    "stolen id": partial(_with_a_twin, "F013"),
}
AT_START, RUNNING = "at the start", "while it runs"
KINDS = tuple(
    f"{cause}, {when}" for cause in _CAUSES for when in (AT_START, RUNNING) if (cause, when) != ("stolen id", AT_START)
)


def attempt(one: Try) -> Figures:
    """Spoil, listen, press, mend, listen, press; how long each took."""
    name, when = one.kind.split(", ")
    with ExitStack() as stack:
        healthy = stack.enter_context(Broker(one.directory / "healthy"))
        desk = stack.enter_context(Reader(healthy.port))
        cause = _CAUSES[name](stack, one.directory)
        if when == AT_START:
            cause.spoil()
        config = write_config(one.directory, healthy.port, brokers=[cause.keys])
        node = stack.enter_context(SimulatedNode(config, program=command(one.defect)))
        begin = desk.receive("state", state="online").at
        desk.beat()
        if when == RUNNING:
            node.expect_log(f"link {LOOPBACK}:{cause.keys['port']}: session 1 is up")
            cause.spoil()
            begin = time.monotonic()
        told_after_s = _press_and_hear(cause, node, desk) - begin
        begin = time.monotonic()
        cause.mend()
        well_after_s = _expect_well(cause, node, desk, stack) - begin
    assert told_after_s <= TOLD_S, f"{cause.code} was told after {told_after_s:.2f} s"
    return {f"seconds until {cause.code} was told": told_after_s, "seconds until it was well again": well_after_s}


def _press_and_hear(cause: Cause, node: SimulatedNode, desk: Reader) -> float:
    """A press while the broker refuses, and the instant at which the fault was told."""
    node.tap()
    node.expect(output="buzzer", level=True)
    desk.receive("event", kind="pressed", presses=1)
    raised = desk.receive("event", kind="fault-raised", fault=cause.code, timeout_s=WAIT_S)
    heartbeat = desk.expect_fault(cause.code)
    place = f"{LOOPBACK}:{cause.keys['port']}"
    about = {code for code, subject in faults(heartbeat).items() if place in subject}
    assert about == {cause.code}, f"told about this broker: {about}"
    return raised.at


def _expect_well(cause: Cause, node: SimulatedNode, desk: Reader, stack: ExitStack) -> float:
    """The instant from which nothing is wrong any more, and a press that proves it."""
    user, password = ("desk", "hunter3") if "username" in cause.keys else ("desk", None)
    topics = [f"{BRANCH}/event", f"{BRANCH}/heartbeat"]
    reader = stack.enter_context(Client(cause.broker.port, subscribe=topics, user=user, password=password))
    place = f"{LOOPBACK}:{cause.keys['port']}"

    def is_well(received: Received) -> bool:
        told = decoded(received)
        if received.topic != topics[1] or told["boot"] != node.boot or not told["links"][place]["connected"]:
            return False
        return cause.stands or not any(place in subject for subject in faults(told).values())

    if not cause.noticed:
        well_at = reader.expect(is_well, WELL_AGAIN_S).at
    node.tap()
    reader.expect(lambda each: decoded(each).get("kind") == "pressed" and decoded(each)["presses"] == 2)
    desk.receive("event", kind="pressed", presses=2)
    if cause.noticed:
        well_at = reader.expect(is_well, WELL_AGAIN_S).at
    if not cause.stands:
        desk.receive("event", kind="fault-cleared", fault=cause.code)
    return well_at


def _restart(broker: Broker) -> None:
    broker.stop()
    broker.start()


def _reloads(broker: Broker) -> int:
    return broker.log.read_text(encoding="utf-8").count("Reloading config")


REFUSALS = Campaign(
    name="refusals",
    invariant="each refusal is told as what it is within 5 s, and ends no retries; a press arrives by the other broker",
    full=len(KINDS),
    short=len(KINDS),
    attempt=attempt,
    kinds=KINDS,
    parallel=6,
)
