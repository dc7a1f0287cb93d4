"""The one subscriber of the bench, in a process of its own: ``python -m tests.bench.press.subscriber PORT``.

It subscribes to all topics at QoS 1, and prints a line for each message: the instant at which it had its bytes
(monotonic seconds), the topic and the payload. The line ``ready`` comes first. After that it says of each event of a
node that it is held, and that people were told. It reads the socket itself, so that the figures hold as little of a
client library as possible.
"""

import json
import socket
import sys
import time
from collections.abc import Iterator

from node.io.mqtt.session.packets import to_publish
from tests.support.desk import RECEIPT_KINDS, receipt

CONNECT = b"\x10\x17\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x0asubscriber"
SUBSCRIBE = b"\x82\x07\x00\x01\x00\x00\x01#\x01"
SUBACK, PUBLISH, PUBACK = 0x90, 0x30, b"\x40\x02"


def main() -> None:
    """Print until the broker hangs up."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(CONNECT + SUBSCRIBE)
        for at, kind, body in _packets(connection):
            if kind & 0xF0 == SUBACK:
                print("ready", flush=True)
            elif kind & 0xF0 == PUBLISH:
                connection.sendall(b"".join(_told(at, kind, body)))


def _packets(connection: socket.socket) -> Iterator[tuple[float, int, bytes]]:
    """When it came, its first byte, and what follows its length."""
    unread = b""
    while got := connection.recv(65_536):
        at = time.monotonic()
        unread += got
        while (whole := _whole(unread)) is not None:
            start, end = whole
            yield at, unread[0], unread[start:end]
            unread = unread[end:]


def _whole(unread: bytes) -> tuple[int, int] | None:
    """Where the body of the first packet begins and ends, if all of it is there."""
    size, start = _length(unread, 1)
    return (start, start + size) if start and len(unread) >= start + size else None


def _length(coded: bytes, place: int) -> tuple[int, int]:
    """A length as MQTT codes it, and the place behind it; 0 and 0 where it isn't there as a whole."""
    size = 0
    for shift, byte in enumerate(coded[place : place + 4]):
        size |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return size, place + shift + 1
    return 0, 0


def _told(at: float, kind: int, body: bytes) -> Iterator[bytes]:
    """Print the message; its PUBACK where it wants one, and the receipts of an event."""
    place = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:place].decode()
    if kind & 0x06:
        yield PUBACK + body[place : place + 2]
        place += 2
    size, place = _length(body, place)
    payload = body[place + size :]
    print(f"{at:.6f}", topic, payload.decode(errors="replace"), flush=True)
    if topic.endswith("/event"):
        for mid, each in enumerate(RECEIPT_KINDS, start=1):
            said = json.dumps(receipt(json.loads(payload), each)).encode()
            yield to_publish(topic.removesuffix("event") + "receipt", said, mid, retain=False, expiry_s=None)


if __name__ == "__main__":
    main()
