"""Why a session couldn't begin: in words for the log, and as the fault that names the next step."""

import errno
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from node.errors.faults import (
    BROKER_EXPIRED,
    BROKER_LIMIT,
    BROKER_MISNAMED,
    BROKER_TOO_EARLY,
    BROKER_UNTRUSTED,
    LOGIN_REFUSED,
    NAME_NOT_FOUND,
    NO_ROUTE,
    TLS_REFUSED,
    FaultKind,
)
from node.errors.reason_codes import REFUSALS

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
"""OpenSSL's X509_V_ERR_…; all other codes mean that we don't have the authority."""

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


class HandshakeSilentError(OSError):
    """The broker accepted the connection and sent no TLS answer."""


class HandshakeCutError(OSError):
    """The broker accepted the connection and closed it without any TLS message."""


@runtime_checkable
class TlsError(Protocol):
    """An ``ssl.SSLError``. A node without TLS doesn't import ssl."""

    library: str
    reason: str


@runtime_checkable
class CertificateError(TlsError, Protocol):
    """An ``ssl.SSLCertVerificationError``."""

    verify_code: int
    verify_message: str


def told(failure: OSError | ValueError) -> tuple[str, FaultKind | None]:
    """Why no connection could be made."""
    match failure:
        case HandshakeSilentError():
            return str(failure), None
        case HandshakeCutError():
            return str(failure), TLS_REFUSED
        case TimeoutError():
            return f"no connection within {TCP_CONNECT_S:g} s", None
        case CertificateError():
            words = f"the broker's certificate isn't accepted: {failure.verify_message}"
            return words, _VERIFY.get(failure.verify_code, BROKER_UNTRUSTED)
        case TlsError():
            return broken(failure)
        case socket.gaierror() | UnicodeError():
            return f"name not found: {getattr(failure, 'strerror', None) or failure}".lower(), NAME_NOT_FOUND
        case OSError(errno=number) if number in _NO_ROUTE:
            return _words(failure), NO_ROUTE
    return _words(failure), None


def broken(failure: TlsError) -> tuple[str, FaultKind]:
    """Why TLS ended before a session was up."""
    reason = failure.reason or "unknown"
    words = f"TLS: {reason.lower().replace('_', ' ')}"
    return words, LOGIN_REFUSED if any(alert in reason for alert in _CERTIFICATE_ALERTS) else TLS_REFUSED


def refused(code: ReasonCode) -> tuple[str, FaultKind]:
    """Why the broker refuses the client, by CONNACK's reason code."""
    kind = LOGIN_REFUSED if code.value in _LOGIN_CODES else REFUSALS.get(code.value, BROKER_LIMIT)
    return f"refused: {named(code)}", kind


def ended(code: ReasonCode) -> tuple[str, FaultKind | None]:
    """Why the broker ended a session that was up, by DISCONNECT's reason code."""
    kind = LOGIN_REFUSED if code.value in _LOGIN_CODES else REFUSALS.get(code.value)
    return f"ended by the broker: {named(code)}", kind


def named(code: ReasonCode) -> str:
    """A reason code for people."""
    return f"{str(code).lower().replace('authorized', 'authorised')} (0x{code.value:02X})"


def _with_every_code(names: Mapping[int, Mapping[str, list[int]]]) -> Mapping[int, Mapping[str, list[int]]]:
    """Paho's names of reason codes, with each code allowed in every packet that answers.

    If MQTT doesn't allow a code in a packet, paho treats it as a protocol error and ends the session. mosquitto answers
    PUBLISH with such a code (0x95) if message_size_limit is less: after a heartbeat that is too long, no alarm would
    leave.
    """
    answers = (PacketTypes.CONNACK, PacketTypes.PUBACK, PacketTypes.SUBACK, PacketTypes.DISCONNECT)
    every = {code: {name: list(packets) for name, packets in known.items()} for code, known in names.items()}
    for code in range(0x80, 0x100):
        known = every.setdefault(code, {f"reason {code}": []})
        first = next(iter(known.values()))
        first += [packet for packet in answers if not any(packet in packets for packets in known.values())]
    return every


ReasonCode.names = dict(_with_every_code(ReasonCode.names))


def _words(failure: OSError | ValueError) -> str:
    return (getattr(failure, "strerror", None) or str(failure)).lower()
