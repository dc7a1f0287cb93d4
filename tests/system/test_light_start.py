"""A node starts and lives as lightly as a script: counted in modules and bytes, which no busy machine changes.

deploy/design/PERFORMANCE.md says what the numbers cost. Whoever adds to them looks there first.
"""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, as_packaged, wait_until, write_config

OURS_MOST = 121
"""The modules of ``node`` in a running node."""

OF_THE_CHECKOUT = {
    "__main__",
    "__editable___alarm_node_1_0_0_finder",
    "_distutils_hack",
    "sitecustomize",
    "systemd",
}
"""What only a development environment or Debian's own Python imports, and what a node without systemd lacks."""

NOT_NEEDED = (
    # what gpiozero and paho import for others (node/stand_ins.py), and what comes with it
    "colorzero",
    "csv",
    "email",
    "fractions",
    "gpiozero.boards",
    "gpiozero.internal_devices",
    "gpiozero.spi_devices",
    "hashlib",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "inspect",
    "ast",
    "statistics",
    "subprocess",
    "tempfile",
    "urllib.request",
    "zipfile",
    # records are msgspec's Structs: a dataclass takes fifty times as long to make
    "dataclasses",
    # what only other commands need
    "node.cli.check",
    "node.cli.init",
    "node.demo",
    "node.monitor",
    "node.io.terminal.check_result",
    # an event loop, and processes
    "asyncio",
    "concurrent",
    "multiprocessing",
    # what argparse would ask for the width of a terminal
    "bz2",
    "lzma",
    "shutil",
    # what only a broker with TLS needs
    "ssl",
    "_ssl",
    # what Python would import to look whether a broker's name is one for IDNA
    "encodings.idna",
    "stringprep",
)

WRITTEN_MOST = 100_000
"""Bytes that a node hands to the kernel until its first heartbeat (69 000): its record, its log, its messages."""

_PROBE = """\
import gc, os, signal, sys, time
from node.cli.main import main

def say(*words):
    os.write(2, " ".join(map(str, ("probe", *words, "\\n"))).encode())  # at once: other threads log

def tell(*_):
    for name in list(sys.modules):
        say("module", name)
    say("searches", gc.isenabled(), "left out", gc.get_freeze_count())

def watch(event, arguments):
    if event == "import" and arguments[0].startswith("paho."):
        say("connects", time.monotonic())

signal.signal(signal.SIGUSR1, tell)
sys.addaudithook(watch)
sys.exit(main())
"""
"""Asks a running node: a signal makes it say what it has."""


@pytest.fixture
def asked(tmp_path: Path, broker: Broker, desk: Desk) -> SimulatedNode:
    """A node that works, and that has told what it has."""
    config = write_config(tmp_path, broker.port)
    with SimulatedNode(config, program=("-c", _PROBE), environ=as_packaged(tmp_path)) as node:
        desk.receive("heartbeat")
        wait_until(lambda: _searches(node), what="a node that is ready")
    return node


def _searches(node: SimulatedNode) -> bool:
    """Ask once more; whether the node is ready, and searches for garbage again."""
    asked = node.log.count("probe searches")
    os.kill(node.pid, signal.SIGUSR1)
    wait_until(lambda: node.log.count("probe searches") > asked, what="an answer")
    return "probe searches True" in node.log


def told(node: SimulatedNode, pattern: str) -> tuple[str, ...]:
    """What the probe said, which may stand behind a log line that hasn't ended yet."""
    found = re.search(pattern, node.expect_log(pattern)[1])
    assert found is not None
    return found.groups()


def modules_of(node: SimulatedNode) -> set[str]:
    """What it has imported."""
    return set(re.findall(r"probe module (\S+)", node.log))


def test_a_node_has_no_module_that_it_never_needs(asked: SimulatedNode) -> None:
    """Not even by a library that needs it for others."""
    modules = modules_of(asked)

    found = {name for name in modules for package in NOT_NEEDED if name == package or name.startswith(f"{package}.")}

    assert found == set()
    assert {"node.service.loop", "gpiozero.input_devices", "paho.mqtt.client", "sqlite3"} <= modules


def test_a_node_has_few_modules(asked: SimulatedNode) -> None:
    """Each one costs 0.2 ms of the start on a PC, several times as much on a Pi, and memory for ever."""
    packages = [name.partition(".")[0] for name in modules_of(asked)]

    assert set(packages) - sys.stdlib_module_names - OF_THE_CHECKOUT == {"node", "gpiozero", "msgspec", "paho"}
    assert packages.count("node") <= OURS_MOST


def test_the_button_waits_for_nothing_that_only_a_link_needs(asked: SimulatedNode) -> None:
    """Its inputs are read, and its lamp says so, before paho-mqtt is imported."""
    (connects,) = told(asked, r"probe connects (\S+)")

    assert asked.lines(output="lamp")[0]["at"] <= float(connects)


def test_a_node_writes_little_at_its_start(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """Memory cards wear out, and a node that crashes again and again starts often."""
    with SimulatedNode(write_config(tmp_path, broker.port)) as node:
        desk.receive("heartbeat")
        said = Path(f"/proc/{node.pid}/io").read_text(encoding="ascii")

    written = int(dict(line.split(": ") for line in said.splitlines())["wchar"])
    assert 0 < written <= WRITTEN_MOST


def test_no_search_for_garbage_looks_through_what_was_imported(asked: SimulatedNode) -> None:
    """A press would wait for it. Searches go on all the same: what is made later may be garbage."""
    (left_out,) = told(asked, r"probe searches True left out (\d+)")

    assert int(left_out) > 20_000
