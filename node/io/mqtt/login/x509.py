"""When certificates expire: what the standard library tells of a peer's and an authority's, but not of our own.

    Certificate { TBSCertificate { [version], serial, algorithm, issuer, Validity { not before, not after }, … } … }

OpenSSL has taken the file before it comes here. What it took and this can't read has no date: that is no reason not to
connect.
"""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION = 0xA0
_UTC_TIME = 0x17


def ends_utc(pem: str) -> float | None:
    """The instant (wall clock, seconds) at which the first of these certificates expires; None where none is read."""
    try:
        return min((_end(ssl.PEM_cert_to_DER_cert(each)) for each in _PEM.findall(pem)), default=None)
    except (ValueError, IndexError):
        return None


def _end(certificate: bytes) -> float:
    (_, body), *_ = _elements(certificate)
    (_, signed), *_ = _elements(body)
    fields = [content for tag, content in _elements(signed) if tag != _VERSION]
    _, (tag, end) = _elements(fields[3])
    # Years of two digits are those from 1950 to 2049 (RFC 5280).
    century = b"" if tag != _UTC_TIME else b"19" if end >= b"5" else b"20"
    return datetime.strptime((century + end).decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """DER's elements one after the other: (tag, content)."""
    at = 0
    while at < len(content):
        tag, length, start = content[at], content[at + 1], at + 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[at + 2 : start])
        at = start + length
        yield tag, content[start:at]
