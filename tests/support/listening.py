"""A ``Listener`` of a monitor's link (node/monitor/service/links/broker_link.py) that keeps what it is told."""

import threading

from node.monitor.core.decisions.monitor_codec import FromNode


class Listening:
    """What a link has told."""

    def __init__(self) -> None:
        self.heard: list[FromNode] = []
        self.ready = threading.Event()
        self.ups = 0
        self.complaints: list[str] = []
        self.files_seen: list[str] = []

    def up(self, broker: str) -> None:
        """The broker is reached."""
        self.ups += 1
        self.ready.set()

    def down(self, broker: str, problem: str) -> None:
        """The session is over, or could not begin."""
        self.complaints.append(problem)

    def files(self, broker: str, problem: str) -> None:
        """What is wrong with the files of login and TLS; empty when nothing is."""
        self.files_seen.append(problem)

    def said(self, broker: str, heard: FromNode, *, retained: bool) -> None:
        """A message of a node."""
        self.heard.append(heard)

    def stolen(self, broker: str) -> None:
        """Another client uses the same client id."""
        self.complaints.append("stolen")

    def refused(self, broker: str, topic: str, code: int) -> None:
        """The broker refused a publish or a subscription."""
        self.complaints.append(f"{topic} 0x{code:02X}")

    def malformed(self, broker: str, topic: str, reason: str) -> None:
        """A message that could not be read."""
        self.complaints.append(reason)

    def dropped(self, broker: str, count: int) -> None:
        """Messages for which there was no room."""
        self.complaints.append(f"{count} dropped")
