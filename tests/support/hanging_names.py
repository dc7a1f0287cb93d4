"""``alarm-monitor`` on a machine whose name server doesn't answer for as long as a file is there.

    python -m tests.support.hanging_names FILE run --config monitor.toml

The one name that it is asked for then is NAME, which else stands for this machine; all others are found.
"""

import socket
import sys
import time
from pathlib import Path
from typing import Any

from node.monitor.cli.main import main as alarm_monitor

NAME = "history.example"
_LOOK_S = 0.05


def main() -> int:
    """Be alarm-monitor."""
    file, ask = Path(sys.argv[1]), socket.getaddrinfo

    def hang(host: Any, *arguments: Any, **keywords: Any) -> Any:
        while host == NAME and file.exists():
            time.sleep(_LOOK_S)
        return ask("127.0.0.1" if host == NAME else host, *arguments, **keywords)

    socket.getaddrinfo = hang
    return alarm_monitor(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
