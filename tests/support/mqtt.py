"""An MQTT 5 client for tests: it keeps all that it receives, and a test waits for what it expects."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

TIMEOUT_S = 20.0


def trusting(ca_file: Path) -> ssl.SSLContext:
    """As the node does. From Python 3.13 on the default refuses a certificate that names no key of its authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_file)
    return context


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came; ``properties`` by paho's names (``MessageExpiryInterval``), ``at`` monotonic seconds."""

    topic: str
    payload: bytes
    retain: bool
    properties: dict[str, Any]
    at: float


class Client:
    """A client that is connected from entering it as a context to leaving it; it doesn't reconnect.

    ``subscribe``: topic filters, granted before the context begins. ``will``: topic, payload and retain. ``ca_file``:
    it talks TLS, with a broker whose certificate is by this authority.
    ``on_received`` is told each message on the client's own thread, where it may ``send`` but not wait.
    """

    def __init__(
        self,
        port: int,
        client_id: str = "",
        *,
        subscribe: Iterable[str] = (),
        user: str | None = None,
        password: str | None = None,
        will: tuple[str, bytes, bool] | None = None,
        on_received: Callable[[Received], None] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._port = port
        self._on_received = on_received
        self._filters = tuple(subscribe)
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._expected: set[int] = set()
        self._answers: dict[int, int] = {}
        self._connected = self._ended = False
        self._client = PahoClient(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        if ca_file is not None:
            self._client.tls_set_context(trusting(ca_file))
        if user is not None:
            self._client.username_pw_set(user, password)
        if will is not None:
            self._client.will_set(will[0], will[1], qos=1, retain=will[2])

    @property
    def received(self) -> list[Received]:
        """All messages so far, in their order."""
        with self._changed:
            return list(self._received)

    def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1, and wait for SUBACK."""
        rc, mid = self._client.subscribe([(each, SubscribeOptions(qos=1)) for each in filters])
        assert rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        assert mid is not None
        self._answer(mid)

    def unsubscribe(self, *filters: str) -> None:
        """Hear no more of these, and wait for UNSUBACK."""
        rc, mid = self._client.unsubscribe(list(filters))
        assert rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        assert mid is not None
        self._answer(mid)

    def publish(
        self, topic: str, payload: bytes | str, *, retain: bool = False, expiry_s: int | None = None, **properties: Any
    ) -> int:
        """Publish at QoS 1, and wait for PUBACK; its reason code. ``properties`` by paho's names."""
        return self._answer(self.send(topic, payload, retain=retain, expiry_s=expiry_s, **properties))

    def send(
        self, topic: str, payload: bytes | str, *, retain: bool = False, expiry_s: int | None = None, **properties: Any
    ) -> int:
        """Publish at QoS 1 without waiting; the packet's id."""
        if expiry_s is not None:
            properties["MessageExpiryInterval"] = expiry_s
        packed = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, value in properties.items():
            setattr(packed, name, value)
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=packed).mid

    def expect(self, predicate: Callable[[Received], bool], timeout_s: float = TIMEOUT_S) -> Received:
        """The oldest message that fits and that no earlier call has returned; waits for it."""

        def found() -> int | None:
            for number, message in enumerate(self._received):
                if number not in self._expected and predicate(message):
                    return number
            return None

        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, timeout_s):
                raise AssertionError(f"nothing of {len(self._received)} messages fits: {self._received[-20:]}")
            number = cast(int, found())
            self._expected.add(number)
            return self._received[number]

    def expect_topic(self, topic: str, timeout_s: float = TIMEOUT_S) -> Received:
        """As ``expect``, of this topic."""
        return self.expect(lambda message: message.topic == topic, timeout_s)

    def wait_until_ended(self, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until the broker or the network has ended the connection."""
        self._wait(lambda: self._ended, "the connection's end", timeout_s)

    def cut(self) -> None:
        """End the connection as a power cut would, so that the will is published."""
        raw = cast(socket.socket, self._client.socket())
        raw.shutdown(socket.SHUT_RDWR)
        self.wait_until_ended()

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port, keepalive=60, clean_start=True)
        self._client.loop_start()
        try:
            self._wait(lambda: self._connected, "CONNACK", TIMEOUT_S)
            if self._filters:
                self.subscribe(*self._filters)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._client.disconnect()
        with suppress(AttributeError):  # paho looks at its thread twice, which may have ended in between
            self._client.loop_stop()

    def _answer(self, mid: int) -> int:
        self._wait(lambda: mid in self._answers, "the answer", TIMEOUT_S)
        with self._changed:
            return self._answers.pop(mid)

    def _wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), f"{what} didn't come within {timeout_s:g} s"

    def _on_connect(
        self, _client: object, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            self._connected = not code.is_failure
            self._changed.notify_all()

    def _on_disconnect(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _on_subscribe(
        self, _client: object, _data: object, mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        with self._changed:
            self._answers[mid] = max(code.value for code in codes)
            self._changed.notify_all()

    def _on_publish(self, _client: object, _data: object, mid: int, code: ReasonCode, _properties: object) -> None:
        with self._changed:
            self._answers[mid] = code.value
            self._changed.notify_all()

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        properties = message.properties.json() if message.properties is not None else {}  # type: ignore[no-untyped-call]
        received = Received(message.topic, bytes(message.payload), message.retain, properties, time.monotonic())
        with self._changed:
            self._received.append(received)
            self._changed.notify_all()
        if self._on_received is not None:
            self._on_received(received)
