"""Why a session couldn't begin: in words for the log, and as the fault that tells the next step."""

import errno
import socket
import ssl
from types import MappingProxyType

from paho.mqtt.reasoncodes import ReasonCode

from node.access.tls import HandshakeCutError, HandshakeSilentError
from node.errors import (
    BROKER_EXPIRED,
    BROKER_MISNAMED,
    BROKER_TOO_EARLY,
    BROKER_UNTRUSTED,
    LOGIN_REFUSED,
    NAME_NOT_FOUND,
    NO_ROUTE,
    TLS_REFUSED,
    FaultKind,
)

TCP_CONNECT_S = 5.0

_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})

_VERIFY = MappingProxyType(
    {
        9: BROKER_TOO_EARLY,
        10: BROKER_EXPIRED,
        62: BROKER_MISNAMED,
        64: BROKER_MISNAMED,
    }
)
"""OpenSSL's X509_V_ERR_…; all others come to an authority that we don't have."""

_CERTIFICATE_ALERTS = (
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_CERTIFICATE_",
    "ALERT_UNKNOWN_CA",
    "ALERT_ACCESS_DENIED",
    "ALERT_DECRYPT_ERROR",
)
"""What brokers answer to a client's certificate, or to the lack of one, after OpenSSL's SSLV3_, TLSV1_ or TLSV13_."""

_LOGIN_CODES = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK: client id not valid, bad user name or password, not authorised, banned, bad authentication method."""


def told(failure: OSError | ValueError) -> tuple[str, FaultKind | None]:
    """Why no connection came about."""
    match failure:
        case HandshakeSilentError():
            return str(failure), None
        case HandshakeCutError():
            return str(failure), TLS_REFUSED
        case TimeoutError():
            return f"no connection within {TCP_CONNECT_S:g} s", None
        case ssl.SSLCertVerificationError():
            words = f"the broker's certificate isn't accepted: {failure.verify_message}"
            return words, _VERIFY.get(failure.verify_code, BROKER_UNTRUSTED)
        case ssl.SSLError():
            return broken(failure)
        case socket.gaierror() | UnicodeError():
            return f"name not found: {getattr(failure, 'strerror', None) or failure}".lower(), NAME_NOT_FOUND
        case OSError(errno=number) if number in _NO_ROUTE:
            return _words(failure), NO_ROUTE
    return _words(failure), None


def broken(failure: ssl.SSLError) -> tuple[str, FaultKind]:
    """Why TLS ended before a session was up."""
    reason = failure.reason or "unknown"
    words = f"TLS: {reason.lower().replace('_', ' ')}"
    return words, LOGIN_REFUSED if any(alert in reason for alert in _CERTIFICATE_ALERTS) else TLS_REFUSED


def refused(code: ReasonCode) -> tuple[str, FaultKind | None]:
    """Why the broker refuses the client, by CONNACK's reason code."""
    return f"refused: {named(code)}", LOGIN_REFUSED if code.value in _LOGIN_CODES else None


def named(code: ReasonCode) -> str:
    """A reason code for people."""
    return f"{str(code).lower().replace('authorized', 'authorised')} (0x{code.value:02X})"


def _words(failure: OSError | ValueError) -> str:
    return (getattr(failure, "strerror", None) or str(failure)).lower()
