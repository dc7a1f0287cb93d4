"""Certificates for tests: authorities and what they sign, made anew in a moment, in PEM files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


_NOTHING = dict.fromkeys(
    ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
)
_SIGNS = x509.KeyUsage(key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False, **_NOTHING)
"""What an authority's key is for."""


class Authority:
    """Signs certificates. Its own is good until ``days`` from now, since a day at least; ``file`` holds it.

    ``pretends``: what it signs names the key of this other authority.
    """

    def __init__(
        self, file: Path, name: str = "test authority", days: float = 3_650.0, *, pretends: "Authority | None" = None
    ) -> None:
        self.file = file
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._named: ec.EllipticCurvePublicKey = self._key.public_key() if pretends is None else pretends._named  # noqa: SLF001
        self._name = _name(name)
        self._serial = 1
        builder = self._builder(self._name, self._key.public_key(), min(-1.0, days - 1.0), days)
        named = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(named, critical=False)
            .add_extension(_SIGNS, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        directory: Path,
        *hosts: str,
        begins_days: float = -1.0,
        days: float = 365.0,
        passphrase: str | None = None,
    ) -> Pair:
        """A certificate by this name and for these hosts, good from ``begins_days`` until ``days`` from now.

        Written as ``<name>.pem`` and ``<name>.key``, over what was there.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key.public_key(), begins_days, days)
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._named)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(signer, critical=False)  # Python 3.13 wants it, as RFC 5280 does
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False
            )
        directory.mkdir(parents=True, exist_ok=True)
        pair = Pair(directory / f"{name}.pem", directory / f"{name}.key")
        hiding: KeySerializationEncryption = NoEncryption()
        if passphrase is not None:
            hiding = BestAvailableEncryption(passphrase.encode())
        pair.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hiding))
        pair.key.chmod(0o600)
        return pair

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, begins_days: float, days: float
    ) -> x509.CertificateBuilder:
        self._serial += 1
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(self._serial)
            .not_valid_before(now + timedelta(days=begins_days))
            .not_valid_after(now + timedelta(days=days))
        )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
