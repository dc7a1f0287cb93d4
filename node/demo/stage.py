"""The things of the demo: a directory with a broker, nodes, and a monitor or a desk; nothing of them outlives it."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from node.demo.building import Building
from node.demo.desk import Desk
from node.demo.guards import Guards
from node.demo.onlooker import Onlooker
from node.demo.programs import Broker, Node
from node.demo.rooms import ROOMS, ROOT, SITE
from node.demo.seen import Seen

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

_WITHOUT = (
    "alarm-monitor isn't installed: one node, and a guard's desk without memory."
    " Next: pip install 'alarm-node[monitor]'."
)

# Below the range from which the kernel takes ports for outgoing connections: while the broker is away, a client that
# tries to connect must neither take its port nor, by chance, connect to itself.
_PORTS = range(20_000, 30_000)


class Stage:
    """A broker, nodes and who guards them; none of them is started yet.

    ``without``: in one line, why the guards are no monitor; empty where they are.
    """

    def __init__(self, directory: Path, put: Callable[[Seen], None]) -> None:
        port, api_port = _free_ports(2)
        self.broker = Broker(directory, port)
        self.without = _WITHOUT if any(find_spec(name) is None for name in MONITOR_NEEDS) else ""
        rooms = ROOMS[:1] if self.without else ROOMS
        self.nodes = {room.id: Node(room, directory, port, put) for room in rooms}
        self.guards: Guards
        if self.without:
            self.guards = Desk(rooms[0].id, port, put)
            self._watching: list[Onlooker | Guards] = [self.guards]
        else:
            self.guards = Building(directory, port, api_port, put)
            self._watching = [Onlooker(f"{ROOT}/{SITE}", port, put), self.guards]

    def watch(self) -> None:
        """Let the guards begin, and somebody who sees all that passes."""
        for each in self._watching:
            each.start()

    def last_words(self, count: int) -> list[str]:
        """The last lines of everybody's log."""
        told = []
        for name, words in (
            *((name, each.last_words(count)) for name, each in self.nodes.items()),
            ("broker", self.broker.last_words(count)),
            (self.guards.name, self.guards.last_words(count)),
        ):
            told += [f"{name}: {line}" for line in words]
        return told

    def close(self) -> None:
        """End everything that runs: the nodes first, so that they can still say goodbye."""
        with ExitStack() as ends:
            ends.callback(self.broker.stop)
            for each in self._watching:
                ends.callback(each.close)
            for node in self.nodes.values():
                ends.callback(node.stop)


@contextmanager
def build(put: Callable[[Seen], None]) -> Iterator[Stage]:
    """A stage in a directory that is removed at the end. Raises ToolMissingError without a mosquitto."""
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
