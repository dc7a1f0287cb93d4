"""A subscriber that sees everything that passes at the broker, and says nothing.

Threads: ``onlooker`` connects (a client of its own for each connection) and beats, where there is a reason to; paho's
tells what comes.
"""

import threading
import time
from collections.abc import Callable

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from node.demo.seen import Heard, Seen, Watching, understand

BEAT_S = 5.0
_RETRY_S = 0.1


class Onlooker:
    """Hears all below the topic ``branch``. Whoever takes part, too, overrides the methods that do nothing here."""

    def __init__(self, branch: str, port: int, put: Callable[[Seen], None], client_id: str = "onlooker") -> None:
        self._branch = branch
        self._port = port
        self._put = put
        self._client_id = client_id
        self._client: Client | None = None
        self._ended = self._closing = False
        self._nudge = threading.Event()
        self._thread = threading.Thread(target=self._run, name=client_id, daemon=True)

    def start(self) -> None:
        """Connect as soon as there is a broker, again and again."""
        self._thread.start()

    def close(self) -> None:
        """Leave; returns when the connection is closed."""
        self._closing = True
        self._nudge.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _prepare(self, client: Client) -> None:
        """Before a client connects."""

    def _subscribed(self) -> None:
        """From here on everything is heard."""

    def _heard(self, heard: Heard) -> None:
        """Something was said."""

    def _beat(self) -> None:
        """``BEAT_S`` more have passed."""

    def _run(self) -> None:
        while not self._closing:
            client = self._new_client()
            try:
                client.connect("127.0.0.1", self._port)
            except OSError:
                self._nudge.clear()
                self._nudge.wait(_RETRY_S)
                continue
            client.loop_start()
            self._attend()
            client.disconnect()
            client.loop_stop()
            self._client = None

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        self._ended = False
        self._prepare(client)
        return client

    def _attend(self) -> None:
        """Beat until the connection ends."""
        due = time.monotonic() + BEAT_S
        while not (self._ended or self._closing):
            self._nudge.wait(max(0.0, due - time.monotonic()))
            self._nudge.clear()
            if time.monotonic() >= due:
                due += BEAT_S
                self._beat()

    def _on_connect(
        self, client: Client, _data: object, _flags: object, _code: ReasonCode, _properties: object
    ) -> None:
        # What the node publishes as retained is to be seen as retained, so that nobody has to believe it.
        client.subscribe(f"{self._branch}/#", options=SubscribeOptions(qos=1, retainAsPublished=True))

    def _on_subscribe(self, client: Client, *_: object) -> None:
        self._client = client
        self._put(Watching(time.monotonic()))
        self._subscribed()

    def _on_disconnect(self, *_: object) -> None:
        self._ended = True
        self._nudge.set()

    def _on_message(self, _client: object, _data: object, received: MQTTMessage) -> None:
        payload = bytes(received.payload)
        heard = Heard(time.monotonic(), received.topic, payload, understand(received.topic, payload))
        self._put(heard)
        self._heard(heard)
