"""Ends a session without its will: sends DISCONNECT, and waits until the broker closes the connection.

paho closes the socket right after DISCONNECT. If something is unread then, the kernel sends a reset, which can overtake
DISCONNECT at the broker: then the will says that we are lost. A second descriptor keeps the connection open until all
is read.
"""

import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress

from node.io.mqtt.link_queue import LinkQueue
from node.io.mqtt.session.broker_socket import BrokerSocket
from node.io.mqtt.session.paho_client import PahoClient

GOODBYE_S = 1.0
"""How long the goodbye may take."""


def say_goodbye(
    client: PahoClient, broker_socket: BrokerSocket, link_queue: LinkQueue, clock: Callable[[], float]
) -> None:
    """Send DISCONNECT on the open socket, and read to the end of the connection, for at most ``GOODBYE_S``."""
    opened = broker_socket.opened
    if opened is None:
        return
    until = clock() + GOODBYE_S
    with socket.socket(fileno=os.dup(opened.fileno())) as kept:
        client.disconnect()
        broker_socket.watch(selectors.EVENT_WRITE)
        while client.socket() is not None and clock() < until:
            if link_queue.wait(until) & selectors.EVENT_WRITE:
                client.loop_write()
        with suppress(OSError):
            kept.shutdown(socket.SHUT_WR)
            unread = True
            while unread and clock() < until:
                kept.settimeout(max(0.001, until - clock()))
                unread = bool(kept.recv(4096))
