"""``alarm-monitor`` with a thread that dies by what nobody thought of, once a file names it.

    python -m tests.support.dying FILE run --config monitor.toml

The thread whose name FILE holds gets a SystemExit, wherever it is by then. Who only waits for hours wakes often here.
"""

import ctypes
import sys
import threading
import time
from pathlib import Path

from node.monitor.cli.main import main as alarm_monitor
from node.monitor.service.upkeep import file_watch, pruning

_LOOK_S = 0.02


def _kill(name: str) -> bool:
    """Whether there is such a thread; it dies when it does something next."""
    found = [each.ident for each in threading.enumerate() if each.name == name and each.ident is not None]
    for ident in found:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(SystemExit))
    return bool(found)


def _watch(file: Path) -> None:
    while not (file.exists() and _kill(file.read_text(encoding="utf-8"))):
        time.sleep(_LOOK_S)
    file.unlink()


def main() -> int:
    """Be alarm-monitor."""
    pruning.PRUNE_S = file_watch.LOOK_S = 1.0
    threading.Thread(target=_watch, args=(Path(sys.argv[1]),), daemon=True).start()
    return alarm_monitor(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
