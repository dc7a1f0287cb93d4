"""A client that publishes as fast as a broker takes it: bytes on a socket, many in flight, without waiting for each."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

TIMEOUT_S = 60.0

_CONNECT = b"\x10\x12\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x05flood"
_PUBACK_SIZES = (4, 6)


@dataclass(frozen=True, slots=True)
class Packet:
    """A message as it will be published, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None

    def encoded(self, mid: int) -> bytes:
        """As an MQTT 5 PUBLISH with this packet id."""
        topic = self.topic.encode()
        properties = b"" if self.expiry_s is None else b"\x02" + self.expiry_s.to_bytes(4, "big")
        body = len(topic).to_bytes(2, "big") + topic + mid.to_bytes(2, "big")
        body += bytes([len(properties)]) + properties + self.payload
        return bytes([0x32 | self.retain]) + coded_length(len(body)) + body


class Flood:
    """Connected from entering it as a context to leaving it. The broker must allow as many in flight as are poured."""

    def __init__(self, port: int) -> None:
        self._port = port

    def pour(self, packets: Iterable[Packet]) -> None:
        """Publish all of them, and return when the broker has them."""
        sent = [packet.encoded(mid) for mid, packet in enumerate(packets, 1)]
        self._socket.sendall(b"".join(sent))
        for _ in sent:
            answer = self._exactly(2)
            assert answer[0] == 0x40, f"no PUBACK but {answer!r}"
            body = self._exactly(answer[1])
            assert len(body) < 3 or body[2] < 0x80, f"refused: {body!r}"

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S)
        self._reader = self._socket.makefile("rb")
        self._socket.sendall(_CONNECT)
        answer = self._exactly(2)
        assert answer[0] == 0x20, f"no CONNACK but {answer!r}"
        assert self._exactly(answer[1])[1] == 0, "refused"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        got = self._reader.read(count)
        assert len(got) == count, "the broker has hung up"
        return got


def coded_length(size: int) -> bytes:
    """A length as MQTT codes it: seven bits a byte, the least first."""
    coded = bytearray()
    while size > 0x7F:
        coded.append(size & 0x7F | 0x80)
        size >>= 7
    coded.append(size)
    return bytes(coded)
