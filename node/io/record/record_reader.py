"""The record for people and tools: read from its beginning, with or without its writer running."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from msgspec import Struct

from node.core.model import Key
from node.errors import StateDirectoryError
from node.io.record.record_file import (
    EXPECTED,
    FILE_NAME,
    UnusableError,
    is_damage,
    open_to_read,
    reason_of,
    version_of,
)
from node.io.record.record_schema import SNAPSHOT

_PAGE = 500
_LOG = """SELECT id, boot, seq, alarm, at, kernel_boot, body, received_by, received_at_utc
    FROM events LEFT JOIN receipts USING (boot, seq) WHERE id > ? ORDER BY id LIMIT ?"""
_STEPS = "SELECT step, at, kernel_boot FROM steps WHERE boot = ? AND seq = ? ORDER BY kernel_boot != ?, at"


class LogRow(Struct, frozen=True):
    """An event as a reader sees it; ``received_by`` and ``received_at_utc`` are None while nobody holds it.

    Fields that a bad card has garbled are returned as they are: a field may be of any type. ``steps``: how long after
    the event its call reached each step (seconds), None if the machine was booted in between.
    """

    key: Key
    alarm: bool
    at: float
    kernel_boot: str
    body: bytes
    received_by: str | None
    received_at_utc: float | None
    steps: tuple[tuple[str, float | None], ...] = ()


def read_log(directory: Path, wait: Callable[[], None] | None = None) -> Iterator[LogRow]:
    """Everything the record holds, oldest first; the record may be in use meanwhile. Raises StateDirectoryError.

    With ``wait``, it goes on with later events, and calls ``wait`` whenever it has returned all. Who holds an event,
    and how far its call has got, is as it was when the event was read.
    """
    path = directory / FILE_NAME
    as_its_user = "run this as root (sudo) or as the user that the node runs as"
    try:
        with closing(open_to_read(path)) as connection:
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
            last = 0
            # A page at a time: a reader that stays in one query prevents the checkpoint of the writer's log.
            while True:
                page = connection.execute(_LOG, (last, _PAGE)).fetchall()
                for _, boot, seq, alarm, at, kernel_boot, body, by, by_utc in page:
                    steps = _steps(connection, boot, seq, at, kernel_boot) if alarm else ()
                    told = isinstance(by, str) and isinstance(by_utc, float)
                    holder, since = (by, by_utc) if told else (None, None)
                    yield LogRow(Key(boot, seq), bool(alarm), at, kernel_boot, body, holder, since, steps)
                if page:
                    last = page[-1][0]
                elif wait is None:
                    return
                else:
                    wait()
    except (FileNotFoundError, NotADirectoryError) as failure:
        raise StateDirectoryError(
            f"there is no record in {directory}", "check [node] state_directory, or start the node once"
        ) from failure
    except UnusableError as failure:
        raise StateDirectoryError(f"{path} {failure}", "use the version of alarm-node that wrote it") from failure
    except EXPECTED as failure:
        raise StateDirectoryError(
            f"{path} can't be read ({reason_of(failure)})",
            "restart the node: it keeps a damaged record and begins another" if is_damage(failure) else as_its_user,
        ) from failure


def read_snapshot(directory: Path) -> bytes | None:
    """The snapshot that the record in this directory holds, or None: there is none, or it can't be read."""
    try:
        with closing(open_to_read(directory / FILE_NAME)) as connection:
            found = connection.execute(SNAPSHOT).fetchone()
    except (OSError, UnusableError, *EXPECTED):
        return None
    return found[0] if found and isinstance(found[0], bytes) else None


def _steps(
    connection: Connection, boot: str, seq: int, pressed: float, kernel_boot: str
) -> tuple[tuple[str, float | None], ...]:
    if version_of(connection) == 1 or not isinstance(pressed, float):
        return ()
    found = connection.execute(_STEPS, (boot, seq, kernel_boot))
    return tuple(
        (step, at - pressed if kernel == kernel_boot and isinstance(at, float) else None) for step, at, kernel in found
    )
