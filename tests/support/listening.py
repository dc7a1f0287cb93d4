"""Whoever listens to a monitor's link in a test."""

import threading

from node.monitor.core.monitor_codec import FromNode


class Listening:
    """What a link has told."""

    def __init__(self) -> None:
        self.heard: list[FromNode] = []
        self.ready = threading.Event()
        self.ups = 0
        self.complaints: list[str] = []
        self.files_seen: list[str] = []

    def up(self, broker: str) -> None:
        """As link.Listener."""
        self.ups += 1
        self.ready.set()

    def down(self, broker: str, problem: str) -> None:
        """As link.Listener."""
        self.complaints.append(problem)

    def files(self, broker: str, problem: str) -> None:
        """As link.Listener."""
        self.files_seen.append(problem)

    def said(self, broker: str, heard: FromNode, *, retained: bool) -> None:
        """As link.Listener."""
        self.heard.append(heard)

    def stolen(self, broker: str) -> None:
        """As link.Listener."""
        self.complaints.append("stolen")

    def refused(self, broker: str, topic: str, code: int) -> None:
        """As link.Listener."""
        self.complaints.append(f"{topic} 0x{code:02X}")

    def malformed(self, broker: str, topic: str, reason: str) -> None:
        """As link.Listener."""
        self.complaints.append(reason)

    def dropped(self, broker: str, count: int) -> None:
        """As link.Listener."""
        self.complaints.append(f"{count} dropped")
