"""What Python doesn't tell the kernel of threads: their names, for `ps -T` and `top -H`, and who must wake on time."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_NAME_BYTES = 15
"""What the kernel keeps of a name (TASK_COMM_LEN in proc_pid_comm(5), without its end)."""


_SLACK_NS = 1_000
"""The kernel wakes a thread up to 50,000 ns later than it asked for, to wake others with it (prctl(2))."""


def wake_on_time() -> None:
    """Have the calling thread woken when it asked for that, and not a little later, where the kernel lets it.

    The same holds for threads that it makes later (prctl(2)).
    """
    with suppress(OSError):
        Path(f"/proc/{threading.get_native_id()}/timerslack_ns").write_text(str(_SLACK_NS), encoding="ascii")


def new_thread(name: str, work: Callable[..., object], *arguments: object) -> threading.Thread:
    """A thread that calls ``work`` with these arguments once it is started; it doesn't keep the process alive."""
    return threading.Thread(target=_run, args=(name, work, arguments), name=name, daemon=True)


def _run(name: str, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    # By /proc: prctl(PR_SET_NAME) would take ctypes, which not every thread's process has a use for.
    with suppress(OSError):
        comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
        comm.write_bytes(name.encode(errors="replace")[:_NAME_BYTES])
    work(*arguments)
