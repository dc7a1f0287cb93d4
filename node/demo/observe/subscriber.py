"""A subscriber that sees everything that passes at the broker, and says nothing.

Threads: ``subscriber`` connects, with a client of its own for each connection; paho's tells what comes.
"""

import threading
import time
from collections.abc import Callable

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from node.demo.observe.observations import BrokerMessage, Observation, Subscribed, decode

_RETRY_S = 0.1


class Subscriber:
    """Hears all below the topic ``branch``."""

    def __init__(self, branch: str, port: int, put: Callable[[Observation], None]) -> None:
        self._branch = branch
        self._port = port
        self._put = put
        self._closing = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="subscriber", daemon=True)

    def start(self) -> None:
        """Connect as soon as there is a broker, again and again."""
        self._thread.start()

    def close(self) -> None:
        """Leave; returns when the connection is closed."""
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._closing:
                return
            client = self._new_client()
            try:
                client.connect("127.0.0.1", self._port)
            except OSError:
                self._wake.wait(_RETRY_S)
                continue
            client.loop_start()
            self._wake.wait()
            client.disconnect()
            client.loop_stop()

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            "subscriber",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: object, _code: ReasonCode, _properties: object
    ) -> None:
        # What the node publishes as retained is to be seen as retained, so that nobody has to believe it.
        client.subscribe(f"{self._branch}/#", options=SubscribeOptions(qos=1, retainAsPublished=True))

    def _on_subscribe(self, *_: object) -> None:
        self._put(Subscribed(time.monotonic()))

    def _on_disconnect(self, *_: object) -> None:
        self._wake.set()

    def _on_message(self, _client: object, _data: object, received: MQTTMessage) -> None:
        payload = bytes(received.payload)
        self._put(BrokerMessage(time.monotonic(), received.topic, payload, decode(received.topic, payload)))
