"""A TCP proxy before a broker: a path that is slow, or that swallows the answers."""

import asyncio

from tests.support.relay import Relay


class Proxy(Relay):
    """Relays ``port`` to ``target_port``; every byte takes ``delay_s`` in either direction."""

    def __init__(self, target_port: int, delay_s: float = 0.0) -> None:
        super().__init__(target_port)
        self._delay_s = delay_s
        self._connections = 0
        self._swallowed = 0

    def swallow_answers(self) -> None:
        """From now on nothing more comes back on the connections that there are."""
        self._swallowed = self._connections

    async def connected(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        """As Relay."""
        self._connections += 1
        number = self._connections
        try:
            broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            client_out.close()
            return
        try:
            await asyncio.gather(self._relay(client_in, broker_out, 0), self._relay(broker_in, client_out, number))
        finally:
            client_out.close()
            broker_out.close()

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers_to: int) -> None:
        """Until the source ends; ``answers_to`` numbers the connection whose answers these are, 0 for questions."""
        try:
            while data := await source.read(65_536):
                if not 0 < answers_to <= self._swallowed:
                    self._loop.call_later(self._delay_s, sink.write, data)
        except ConnectionError:
            pass
        await asyncio.sleep(self._delay_s)
        sink.close()
