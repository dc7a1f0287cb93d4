"""A process that tells one target what waits in a history, until it is killed: ``python -m tests.support.telling``."""

import sys
import threading

from node.monitor.core.model.monitor_settings import Target
from node.monitor.history.history import History
from node.monitor.notify.teller import Teller

MONITOR = "guard-desk"


def main(history_url: str, target_url: str) -> None:
    """Tell."""
    Teller(MONITOR, History(history_url).outbox, [Target("desk", target_url)], lambda _: None).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
