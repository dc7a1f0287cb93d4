"""Messages and their answers as packets of MQTT 5. One read of the socket may bring hundreds of them.

paho reads each packet with three or four calls of the system, and decodes it step by step. At thousands of messages a
second that is most of a monitor's work. What paho does for a message that is sent takes as long as the decision to send
it: it keeps each one, to send it again by itself, which a link never wants (link.py, rule 2).
"""

from typing import NamedTuple

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PUBLISH, PUBACK = 0x30, 0x40
READ_BYTES = 64 * 1024
_LENGTH_BYTES = 4
_QOS = 0b0110
_QOS_1 = 0b0010
_EXPIRY = b"\x05\x02"  # five bytes of properties: the message expiry
_QOS_0_OR_1 = (0b0000, 0b0010)
_RETAINED = 0b0001


class MalformedError(ValueError):
    """What the broker sent is no packet that it may send. Nothing after it can be read."""


class Publish(NamedTuple):
    """A PUBLISH. ``mid``: the two bytes by which it is answered, empty at QoS 0.

    ``properties``: as they came, with their length; empty if there are none.
    """

    topic: bytes
    payload: bytes
    retained: bool
    mid: bytes
    properties: bytes

    @property
    def expiry_s(self) -> float | None:
        """The message expiry, None if there is none. Raises whatever is wrong with the properties."""
        if not self.properties:
            return None
        read = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        read.unpack(self.properties)  # type: ignore[no-untyped-call]
        return getattr(read, "MessageExpiryInterval", None)


class Packets:
    """``add`` what came, and ``take`` one packet after the other. ``largest``: how many bytes a packet may have."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._bytes = b""
        self._start = 0
        self._body = 0
        self._end = 0

    def add(self, more: bytes) -> None:
        """Add what was read from the socket. Raises MalformedError."""
        self._bytes = self._bytes[self._start :] + more
        self._start = 0
        self._find()

    @property
    def is_whole(self) -> bool:
        """Whether a whole packet is there."""
        return self._end > 0

    def take(self) -> tuple[bytes, int]:
        """The next packet, and where its body begins. Only if ``is_whole``. Raises MalformedError for the one after."""
        packet, body = self._bytes[self._start : self._end], self._body - self._start
        self._start = self._end
        self._find()
        return packet, body

    def _find(self) -> None:
        """Find where the next packet ends; 0 if it isn't whole."""
        self._end = 0
        try:
            size, self._body = _number(self._bytes, self._start + 1)
        except IndexError:
            return
        end = self._body + size
        if end - self._start > self._largest:
            raise MalformedError(f"a packet of {size} bytes")
        if end <= len(self._bytes):
            self._end = end


def publish(packet: bytes, body: int) -> Publish:
    """Read a PUBLISH whose body begins there. Raises MalformedError."""
    qos = packet[0] & _QOS
    try:
        topic = body + 2
        topic_end = topic + (packet[body] << 8 | packet[body + 1])
        properties = topic_end + 2 if qos else topic_end
        size, at = _number(packet, properties)
    except IndexError as short:
        raise MalformedError("a PUBLISH that ends too soon") from short
    payload = at + size
    if payload > len(packet) or qos not in _QOS_0_OR_1:
        raise MalformedError("a PUBLISH that isn't valid")
    return Publish(
        packet[topic:topic_end],
        packet[payload:],
        packet[0] & _RETAINED == _RETAINED,
        packet[topic_end:properties],
        packet[properties:payload] if size else b"",
    )


def to_publish(topic: str, payload: bytes, mid: int, *, retain: bool, expiry_s: int | None) -> bytes:
    """A PUBLISH at QoS 1 with the packet id ``mid``. Raises whatever is wrong with topic or payload."""
    if not topic or "+" in topic or "#" in topic:
        raise ValueError(f"no message has the topic {topic!r}")
    named = topic.encode()
    properties = b"\x00" if expiry_s is None else _EXPIRY + expiry_s.to_bytes(4, "big")
    body = b"".join((len(named).to_bytes(2, "big"), named, mid.to_bytes(2, "big"), properties, payload))
    return bytes((PUBLISH | _QOS_1 | retain,)) + _coded(len(body)) + body


def puback(packet: bytes, body: int) -> tuple[int, int]:
    """Read a PUBACK whose body begins there: the packet id, and the reason code. Raises MalformedError."""
    if len(packet) < body + 2:
        raise MalformedError("a PUBACK that ends too soon")
    return int.from_bytes(packet[body : body + 2], "big"), packet[body + 2] if len(packet) > body + 2 else 0


def _coded(number: int) -> bytes:
    coded = bytearray()
    while number >= 0x80:
        coded.append(number & 0x7F | 0x80)
        number >>= 7
    coded.append(number)
    return bytes(coded)


def _number(held: bytes, at: int) -> tuple[int, int]:
    """The number of variable length at this place, and where it ends. Raises IndexError, MalformedError."""
    number = held[at]
    if number < 0x80:
        return number, at + 1
    number &= 0x7F
    for place in range(1, _LENGTH_BYTES):
        digit = held[at + place]
        number |= (digit & 0x7F) << (7 * place)
        if digit < 0x80:
            return number, at + place + 1
    raise MalformedError("a length of more than four bytes")
