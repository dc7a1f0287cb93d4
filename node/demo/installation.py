"""All that runs in the demo: a broker, three nodes, their monitor and a guard. Nothing of it outlives the demo."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from node.demo.guard_desk.api import MonitorApi
from node.demo.guard_desk.desk import GuardDesk
from node.demo.guard_desk.phone import Phone
from node.demo.observe.observations import Observation
from node.demo.observe.subscriber import Subscriber
from node.demo.processes.broker import Broker, is_free
from node.demo.processes.monitor import Monitor
from node.demo.processes.simulated_node import SimulatedNode
from node.demo.rooms import ROOMS, ROOT, SITE
from node.errors import ToolMissingError

MONITOR_NEEDS = (
    "alembic",
    "apprise",
    "babel",
    "prometheus_client",
    "psycopg",
    "rich",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)
"""What is imported of the extra ``monitor``."""

# Below the range from which the kernel takes ports for outgoing connections: while the broker is away, a client that
# tries to connect must neither take its port nor, by chance, connect to itself.
_PORTS = range(20_000, 30_000)


class Installation:
    """Nothing of it is started yet. ``put`` gets all observations. ``nodes`` by name."""

    def __init__(self, directory: Path, put: Callable[[Observation], None]) -> None:
        port, api_port = _free_ports(2)
        self.broker = Broker(directory, port)
        self._phone = Phone(put)
        self.nodes = {room.id: SimulatedNode(room, directory, port, put) for room in ROOMS}
        self.monitor = Monitor(directory, port, api_port, self._phone.url)
        self.desk = GuardDesk(MonitorApi(self.monitor.socket), put)
        self._subscriber = Subscriber(f"{ROOT}/{SITE}", port, put)

    def start_building(self) -> None:
        """Start the monitor with its guard, and the demo's subscriber; the broker has to run."""
        self._subscriber.start()
        self._phone.start()
        self.monitor.start()
        self.desk.start()

    def start_broker(self) -> None:
        """Start the broker, and let the demo's subscriber connect at once. Raises BrokerStartError."""
        self.broker.start()
        self._subscriber.hurry()

    def last_lines(self, count: int) -> list[str]:
        """The last lines of each log."""
        logs = {**self.nodes, "broker": self.broker, "monitor": self.monitor}
        return [f"{name}: {line}" for name, process in logs.items() for line in process.last_lines(count)]

    def close(self) -> None:
        """End everything that runs: the broker last, so that nodes and monitor can still say goodbye."""
        for process in (*self.nodes.values(), self.monitor):
            process.ask_to_end()
        with ExitStack() as ends:
            for end in (
                self.broker.stop,
                self._phone.close,
                self.desk.close,
                self.monitor.stop,
                self._subscriber.close,
            ):
                ends.callback(end)
            for node in self.nodes.values():
                ends.callback(node.stop)


@contextmanager
def installed(put: Callable[[Observation], None]) -> Iterator[Installation]:
    """An installation in a directory that is removed at the end.

    Raises ToolMissingError if mosquitto or a package of the monitor isn't installed.
    """
    if missing := [name for name in MONITOR_NEEDS if find_spec(name) is None]:
        raise ToolMissingError(
            f"the demo needs alarm-monitor, whose packages aren't here ({', '.join(missing)})",
            "make run, in a copy of this project: it installs them",
        )
    with TemporaryDirectory(prefix="alarm-node-demo-") as directory:
        installation = Installation(Path(directory), put)
        try:
            yield installation
        finally:
            installation.close()


def _free_ports(count: int) -> list[int]:
    """So many different ones."""
    ports: set[int] = set()
    while len(ports) < count:
        port = random.SystemRandom().choice(_PORTS)
        if is_free(port):
            ports.add(port)
    return list(ports)
