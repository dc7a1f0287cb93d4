"""When certificates expire. The standard library tells this for a peer's and an authority's certificate, not for ours.

    Certificate { TBSCertificate { [version], serial, algorithm, issuer, Validity { not before, not after }, … } … }

OpenSSL has accepted the file before it is read here. If OpenSSL accepts a certificate that this module can't read, the
certificate has no date, and the link connects all the same.
"""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION = 0xA0
_UTC_TIME = 0x17


def ends_utc(pem: str) -> float | None:
    """The instant (wall clock, seconds) at which the first of these certificates expires; None if none can be read."""
    try:
        return min((_end(ssl.PEM_cert_to_DER_cert(each)) for each in _PEM.findall(pem)), default=None)
    except (ValueError, IndexError):
        return None


def _end(certificate: bytes) -> float:
    (_, body), *_ = _elements(certificate)
    (_, signed), *_ = _elements(body)
    fields = [content for tag, content in _elements(signed) if tag != _VERSION]
    _, (tag, end) = _elements(fields[3])
    # Years of two digits mean 1950 to 2049 (RFC 5280).
    century = b"" if tag != _UTC_TIME else b"19" if end >= b"5" else b"20"
    return datetime.strptime((century + end).decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """DER's elements in order: (tag, content)."""
    at = 0
    while at < len(content):
        tag, length, start = content[at], content[at + 1], at + 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[at + 2 : start])
        at = start + length
        yield tag, content[start:at]
