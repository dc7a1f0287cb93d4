"""Deliberate defects of the record."""

from collections.abc import Callable
from typing import Any


def _synchronous_off() -> None:
    """The record isn't synced: SQLite says "stored" once the kernel has it."""
    from node.io.record import record_file  # noqa: PLC0415

    set_pragma = record_file._set_pragma  # noqa: SLF001

    def without_sync(connection: Any, name: str, value: str, wanted: str | int) -> None:
        off = name == "synchronous"
        set_pragma(connection, name, "OFF" if off else value, 0 if off else wanted)

    record_file._set_pragma = without_sync  # noqa: SLF001


DEFECTS: dict[str, Callable[[], None]] = {"synchronous-off": _synchronous_off}
"""What switches each of them on, by its name."""
