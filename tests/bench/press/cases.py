"""All contenders in their cases, by name; and the environment of mqtt-io."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench.press.contenders import Contender, Driven, Floor, Node, Program, Room, WakeUp, neighbour
from tests.support.node import BUTTON
from tests.vm.cache import Cache, user_cache

SCRIPT = Path(__file__).with_name("script.py")
MQTT_IO = "mqtt-io==2.7.0"
INSTALL_S = 300


@dataclass(frozen=True, slots=True)
class Case:
    """``what`` in words, and how the contender is made for a room.

    ``starts``: it has a process, whose start counts. ``rests``: it is watched at rest, too, and with a frozen broker.
    """

    name: str
    what: str
    make: Callable[[Room], AbstractContextManager[Contender]]
    starts: bool = True
    rests: bool = False


def cases(*, install: bool) -> tuple[dict[str, Case], str]:
    """All that this machine can run, by name; and why others can't be run. ``install`` what is missing."""
    able = [*_NODES, *_SCRIPTS, *_FLOORS]
    try:
        python = _mqtt_io(install=install)
    except LookupError as lack:
        return {case.name: case for case in able}, str(lack)
    able += [Case(name, what, _MqttIo(python, name, keys).make, rests=True) for name, what, keys in _MQTT_IOS]
    return {case.name: case for case in able}, ""


def _node(**keys: object) -> Callable[[Room], AbstractContextManager[Program]]:
    return lambda room: Node(room, **keys)  # type: ignore[arg-type]


def _script(*, tls: bool = False, database: bool = False) -> Callable[[Room], AbstractContextManager[Program]]:
    def make(room: Room) -> AbstractContextManager[Program]:
        options = [str(room.broker.tls_port), "--ca", room.ca_file] if tls else [str(room.broker.port)]
        return Driven(
            room,
            sys.executable,
            [SCRIPT, *options, *(["--database", "press.sqlite"] if database else [])],
            topics=("script/status", "script/pressed"),
            words=("online", "at"),
            buzzes=True,
        )

    return make


def _beside_neighbour(
    make: Callable[[Room], AbstractContextManager[Program]],
) -> Callable[[Room], AbstractContextManager[Contender]]:
    @contextmanager
    def made(room: Room) -> Iterator[Contender]:
        with make(room) as contender, neighbour():
            yield contender

    return made


_NODES = (
    Case("node", "alarm-node", _node(), rests=True),
    Case("node-tls", "alarm-node, TLS", _node(tls=True)),
    Case("node-two", "alarm-node, two brokers", _node(second="live")),
    Case("node-silent", "alarm-node, two brokers, one frozen", _node(second="silent")),
    Case("node-stalled", "alarm-node, the disk stalls", _node(stalled=True)),
    Case("node-beside", "alarm-node, beside a busy process", _beside_neighbour(_node()), starts=False),
)

_SCRIPTS = (
    Case("script", "script", _script(), rests=True),
    Case("script-tls", "script, TLS", _script(tls=True)),
    Case("script-sqlite", "script, stores first", _script(database=True), rests=True),
    Case("script-beside", "script, beside a busy process", _beside_neighbour(_script()), starts=False),
)

_FLOORS = (
    Case("floor", "sockets and the broker alone", Floor, starts=False),
    Case("wake-up", "a thread's wake-up", lambda room: WakeUp(), starts=False),
)


_MQTT_IOS: tuple[tuple[str, str, Mapping[str, object]], ...] = (
    ("mqtt-io", "mqtt-io 2.7.0, interrupt", {"interrupt": "both"}),
    ("mqtt-io-polling", "mqtt-io 2.7.0, polling by default", {}),
)

CASES = (*(case.name for case in (*_NODES, *_SCRIPTS, *_FLOORS)), *(name for name, _, _ in _MQTT_IOS))
"""The names of all, whatever this machine can run."""


@dataclass(frozen=True, slots=True)
class _MqttIo:
    """mqtt-io with one input. ``keys``: more of the input's. It publishes inputs at QoS 0, whatever one configures."""

    python: Path
    prefix: str
    keys: Mapping[str, object]

    def make(self, room: Room) -> AbstractContextManager[Program]:
        """Its file is YAML, and so is JSON."""
        button = {"name": "button", "module": "pins", "pin": BUTTON["pin"], **self.keys}
        settings = {
            "mqtt": {"host": "127.0.0.1", "port": room.broker.port, "topic_prefix": self.prefix},
            "gpio_modules": [{"name": "pins", "module": "gpiozero"}],
            "digital_inputs": [button],
        }
        file = room.fresh() / "mqtt-io.yml"
        file.write_text(json.dumps(settings), encoding="utf-8")
        return Driven(
            room,
            self.python,
            ["-m", "mqtt_io", file],
            topics=(f"{self.prefix}/status", f"{self.prefix}/input/button"),
            words=("running", "ON"),
            buzzes=False,
            debounce_s=0.0,  # its module for gpiozero ignores ``bouncetime``
        )


def _mqtt_io(*, install: bool) -> Path:
    """The interpreter of its environment, which is kept in the user's cache. Raises LookupError where there is none."""
    wanted = [MQTT_IO, f"gpiozero=={version('gpiozero')}"]

    def make(place: Path) -> None:
        if not install:
            raise LookupError(f"{MQTT_IO} isn't installed here; a whole run installs it")
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", str(place)], [*pip, *wanted]):
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
            except subprocess.TimeoutExpired:
                raise LookupError(f"{MQTT_IO} couldn't be installed within {INSTALL_S} s") from None
            if done.returncode:
                raise LookupError(f"{MQTT_IO} can't be installed: {done.stderr.strip().splitlines()[-1]}")

    place = Cache(user_cache()).entry("mqtt-io", " ".join([*wanted, sys.version]), make)
    return place / "bin" / "python"
