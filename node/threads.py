"""Threads that `ps -T` and `top -H` show by their names: Python tells the kernel no name before 3.14."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_NAME_BYTES = 15
"""What the kernel keeps of a name (TASK_COMM_LEN in proc_pid_comm(5), without its end)."""


def new_thread(name: str, work: Callable[..., object], *arguments: object) -> threading.Thread:
    """A thread that calls ``work`` with these arguments once it is started; it doesn't keep the process alive."""
    return threading.Thread(target=_run, args=(name, work, arguments), name=name, daemon=True)


def _run(name: str, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    # By /proc: prctl(PR_SET_NAME) would take ctypes, which not every thread's process has a use for.
    with suppress(OSError):
        comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
        comm.write_bytes(name.encode(errors="replace")[:_NAME_BYTES])
    work(*arguments)
