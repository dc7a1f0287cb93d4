"""How a broker lets us in: TLS, name and password; and in words, why it doesn't."""

import ssl

from paho.mqtt.client import Client
from paho.mqtt.reasoncodes import ReasonCode

from node.config.brokers import Broker, Tls, read_password
from node.monitor.findings import LOGIN_REFUSED

_LOGIN = (0x86, 0x87)
"""Bad user name or password, not authorised: mosquitto says the second for both."""


def prepare(client: Client, broker: Broker) -> None:
    """Give a client what the broker wants to see: TLS, name and password. Raises OSError and ValueError."""
    if broker.tls is not None:
        client.tls_set_context(_context(broker.tls))
    if broker.login is not None:
        secret = broker.login.password_file
        password = None if secret is None else read_password(secret).decode("utf-8", "surrogateescape")
        client.username_pw_set(broker.login.username, password)


def why(problem: Exception) -> str:
    """What went wrong, without the number that the system has for it."""
    said = problem.strerror if isinstance(problem, OSError) and not isinstance(problem, ssl.SSLError) else None
    return said or str(problem) or type(problem).__name__


def refusal(code: ReasonCode) -> str:
    """Why a broker doesn't let us in."""
    return LOGIN_REFUSED if code.value in _LOGIN else f"refused: {code}"


def _context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later; the broker's certificate is verified, and is for the host that was asked for."""
    context = ssl.create_default_context(cafile=str(tls.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate_file is not None:
        context.load_cert_chain(str(tls.certificate_file), None if tls.key_file is None else str(tls.key_file))
    return context
