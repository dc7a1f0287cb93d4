"""The broker that a building is given: deploy/mosquitto as it stands, on a free port and with files of the test's."""

import shutil
import socket
from pathlib import Path

from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.node import NODE

ROOT = Path(__file__).parents[2]
GIVEN = ROOT / "deploy" / "mosquitto"
LOGINS = {
    NODE: "node-secret",
    "room-215": "other-secret",
    "guard-desk": "desk-secret",
    "door-desk": "tool-secret",
    "gate": "gate-secret",
    "branch-mitte": "bridge-secret",
}
"""Two nodes; a monitor and a tool that the given list of rights names, and a monitor that it doesn't; a bridge."""


class ClosedBroker(Broker):
    """A mosquitto with Debian's own main file, and the given ones beside it. ``ca_file`` signed its certificate."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, passwords=LOGINS)
        self.ca_file = directory / "alarm-node.ca.pem"
        pair = Authority(self.ca_file).issue("broker", directory, "127.0.0.1")
        shutil.copy(pair.certificate, directory / "alarm-node.pem")
        shutil.copy(pair.key, directory / "alarm-node.key")
        shutil.copy(directory / "passwords", directory / "alarm-node.passwd")
        shutil.copy(GIVEN / "alarm-node.acl", directory)
        (directory / "alarm-node.acl").chmod(0o600)
        given = (GIVEN / "alarm-node.conf").read_text(encoding="utf-8")
        (directory / "conf.d").mkdir(exist_ok=True)
        (directory / "conf.d" / "alarm-node.conf").write_text(
            given.replace("/etc/mosquitto/", f"{directory}/").replace(
                "listener 8883\n", f"listener {self.port} 127.0.0.1\n"
            ),
            encoding="utf-8",
        )
        self._config.write_text(
            f"persistence true\npersistence_location {directory}/\nuser root\ninclude_dir {directory}/conf.d\n",
            encoding="utf-8",
        )

    def bridge(self, central: "ClosedBroker", protocol: str = "mqttv50") -> None:
        """Have the given bridge to another broker from the next start on, over this version of MQTT."""
        given = (GIVEN / "alarm-bridge.conf").read_text(encoding="utf-8")
        for before, after in (
            ("central.example:8883", f"127.0.0.1:{central.port}"),
            ("write-it-here-and-chmod-600", LOGINS["branch-mitte"]),
            ("/etc/mosquitto/alarm-node.ca.pem", str(central.ca_file)),
            ("bridge_protocol_version mqttv50", f"bridge_protocol_version {protocol}"),
        ):
            assert before in given
            given = given.replace(before, after)
        (self.ca_file.parent / "conf.d" / "alarm-bridge.conf").write_text(given, encoding="utf-8")

    def _answers(self) -> bool:
        """Whether it listens: it answers in TLS alone."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionError:
            return False
        return True
