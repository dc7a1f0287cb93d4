"""Reads the files of TLS: the authorities that a client trusts, and its own certificate and key."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node.config.brokers import Tls
from node.config.files import FileError, content
from node.io.mqtt.login import x509
from node.io.mqtt.login.tls import TlsContext


def context(tls: Tls) -> tuple[TlsContext, float | None]:
    """A context with what these files hold, and when our own certificate expires. Raises FileError, OSError."""
    made, own_ends = TlsContext(), None
    _trust(made, tls.ca_file, content(tls.ca_file))
    if tls.certificate_file is not None and tls.key_file is not None:
        own_ends = _show(made, tls.certificate_file, tls.key_file)
    return made, own_ends


def authorities(context: TlsContext) -> list[Mapping[str, Any]]:
    """The authorities that it trusts, as ``getpeercert`` shows a certificate."""
    try:
        return list(context.get_ca_certs())
    except (ssl.SSLError, ValueError):
        return []  # the dates are only information: connect without them


def ends(certificate: Mapping[str, Any]) -> float | None:
    """When this certificate of a peer or an authority expires: seconds since 1970, None if that can't be read."""
    try:
        return ssl.cert_time_to_seconds(certificate["notAfter"])
    except ValueError:
        return None


def _trust(context: TlsContext, path: Path, pem: bytes) -> None:
    try:
        context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as failure:
        raise FileError(path, "holds no certificate in PEM, or one that isn't whole") from failure


def _show(context: TlsContext, certificate: Path, key: Path) -> float | None:
    """Let the context show this certificate to the broker; returns when it expires (wall clock, seconds)."""
    pem, secret = content(certificate), content(key)
    _trust(TlsContext(), certificate, pem)  # for a pair, OpenSSL doesn't say which file is unreadable
    if b"ENCRYPTED" in secret:
        raise FileError(key, "is encrypted, and nobody is there to type its passphrase: store it without one")
    try:
        # Without a password OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as failure:
        if failure.reason == "KEY_VALUES_MISMATCH":
            raise FileError(key, f"isn't the key of {certificate}") from failure
        raise FileError(key, f"holds no whole key in PEM that OpenSSL takes with {certificate}") from failure
    except (OSError, ValueError) as failure:
        raise FileError(key, f"and {certificate} can't be read") from failure
    return x509.ends_utc(pem.decode("ascii", "ignore"))
