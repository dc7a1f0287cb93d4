"""The things of the demo: a directory with a broker, nodes, and their monitor; nothing of them outlives it."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from node.demo.guard_desk.desk import Building
from node.demo.observe.observations import Seen
from node.demo.observe.subscriber import Onlooker
from node.demo.processes.programs import Broker, Node
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
"""What is imported of the extra ``alarm-node[monitor]``."""

# Below the range from which the kernel takes ports for outgoing connections: while the broker is away, a client that
# tries to connect must neither take its port nor, by chance, connect to itself.
_PORTS = range(20_000, 30_000)


class Stage:
    """A broker, nodes and their monitor; none of them is started yet."""

    def __init__(self, directory: Path, put: Callable[[Seen], None]) -> None:
        port, api_port = _free_ports(2)
        self.broker = Broker(directory, port)
        self.nodes = {room.id: Node(room, directory, port, put) for room in ROOMS}
        self.monitor = Building(directory, port, api_port, put)
        self._onlooker = Onlooker(f"{ROOT}/{SITE}", port, put)

    def watch(self) -> None:
        """Start the monitor, and the onlooker who sees all that passes."""
        self._onlooker.start()
        self.monitor.open()

    def last_words(self, count: int) -> list[str]:
        """The last lines of everybody's log."""
        told = []
        for name, words in (
            *((name, each.last_words(count)) for name, each in self.nodes.items()),
            ("broker", self.broker.last_words(count)),
            ("monitor", self.monitor.last_words(count)),
        ):
            told += [f"{name}: {line}" for line in words]
        return told

    def close(self) -> None:
        """End everything that runs: the nodes first, so that they can still say goodbye."""
        with ExitStack() as ends:
            ends.callback(self.broker.stop)
            ends.callback(self._onlooker.close)
            ends.callback(self.monitor.close)
            for node in self.nodes.values():
                ends.callback(node.stop)


@contextmanager
def build(put: Callable[[Seen], None]) -> Iterator[Stage]:
    """A stage in a directory that is removed at the end. Raises ToolMissingError without monitor or mosquitto."""
    if missing := [name for name in MONITOR_NEEDS if find_spec(name) is None]:
        raise ToolMissingError(
            f"the demo needs alarm-monitor, whose packages aren't here ({', '.join(missing)})",
            "make run in a checkout, which installs them, or pip install 'alarm-node[monitor]'",
        )
    with TemporaryDirectory(prefix="alarm-node-demo-") as directory:
        stage = Stage(Path(directory), put)
        try:
            yield stage
        finally:
            stage.close()


def _free_ports(count: int) -> list[int]:
    """So many different ones."""
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = random.SystemRandom().choice(_PORTS)
            with suppress(OSError):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                ports.append(port)
        return ports
