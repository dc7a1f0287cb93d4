"""The sockets of systemd: each message is one datagram. Sending waits while the reader has no room.

systemd-python's own senders hold the interpreter's lock while they wait: a journal that hung on a dead SD card stopped
every thread of the process. Python's sockets let the others run (HAZARDS.md H78).
"""

import socket
import struct
from collections.abc import Mapping

JOURNAL = "/run/systemd/journal/socket"

VALUE_MAX = 32_000
"""How many bytes of a field the journal is told. Three fields of an entry can be so long (a message, a traceback and
its exception), and one datagram may have 208 KiB (net.core.wmem_default).
"""


def send(address: str, message: bytes) -> None:
    """Send one message to the socket at ``address``; a leading "@" stands for the abstract name space (sd_notify(3)).

    Raises OSError if nobody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, f"\0{address[1:]}" if address.startswith("@") else address)


def journal_entry(fields: Mapping[str, object]) -> bytes:
    """An entry in the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): each value with its length."""
    entry = bytearray()
    for name, value in fields.items():
        data = str(value).encode("utf-8", "replace")[:VALUE_MAX]
        entry += name.encode("ascii") + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return bytes(entry)
