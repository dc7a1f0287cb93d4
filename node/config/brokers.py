"""[[broker]]: where a broker is, and how the node and the broker prove who they are.

1. ``ca_file`` turns on TLS. Without it only loopback is allowed; any other host needs ``insecure = true``, and that is
   a standing fault.
2. A file is an absolute path, or a bare name: then it lies in $CREDENTIALS_DIRECTORY (systemd's LoadCredential=).
3. A file's content is never kept here and never shown: credentials.py reads it at each connection. If a file can't be
   used, that is a fault of its broker, and the node starts all the same.
"""

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from node.config.declarations import allowed, be, key_of, toml
from node.config.files import FileError, content, one_line
from node.config.reader import Rule, Section, Sections, repeated

_FILES = ("ca_file", "certificate_file", "key_file", "password_file")
_CREDENTIALS = "credentials"
"""The directory in which systemd's for each service lie: /run/credentials/alarm-node.service."""

_PASSWORD_MAX = 65_535
"""In bytes: MQTT counts them in a field of two bytes."""


class Tls(Struct, frozen=True):
    """Files in PEM: the authorities that may sign the broker's certificate; optionally our certificate and its key."""

    ca_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None


class Login(Struct, frozen=True):
    """The account at the broker; the file holds the password on its only line."""

    username: str
    password_file: Path | None = None


class Broker(Struct, frozen=True):
    """Where a broker listens. ``name`` is ``host:port``, unique in a node. ``insecure``: plain text over a network."""

    name: str
    host: str
    port: int
    tls: Tls | None = None
    login: Login | None = None
    insecure: bool = False


_Host = Annotated[str, Meta(pattern=r"\A([^\s/:@]+|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[^\s/@]*)\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
File = Annotated[str, Meta(pattern=r"\A(/[^\x00]*|(?!\.\.?\Z)[^/\x00]+)\Z")]
FILE = "an absolute path, or the bare name of a file in $CREDENTIALS_DIRECTORY (systemd's LoadCredential=)"
NAME = "1 to 200 characters on one line"

CaFile = Annotated[File | None, "the authority that signed the broker's certificate; makes it TLS"]
CertificateFile = Annotated[File | None, "our own certificate, instead of a password"]
KeyFile = Annotated[File | None, "the key of that certificate"]
Username = Annotated[Name | None, "the account at the broker, usually our own id"]
PasswordFile = Annotated[File | None, "holds the account's password, alone on one line"]


class BrokerKeys(Struct, frozen=True, kw_only=True):
    """The keys of one [[broker]]."""

    host: Annotated[
        _Host,
        "where the broker is; with TLS a name that its certificate has",
        be('a name or address alone, without spaces, "mqtt://" and port', "127.0.0.1"),
    ]
    port: Annotated[int, be("a whole number from 1 to 65535", 1883, ge=1, le=65535)]
    ca_file: Annotated[CaFile, be(FILE, "/etc/alarm-node/ca.pem")] = None
    certificate_file: Annotated[CertificateFile, be(FILE, "/etc/alarm-node/node.pem")] = None
    key_file: Annotated[KeyFile, be(FILE, "/etc/alarm-node/node.key")] = None
    username: Annotated[Username, be(NAME, "room-214")] = None
    password_file: Annotated[PasswordFile, be(FILE, "/etc/alarm-node/broker.password", secret=True)] = None
    insecure: Annotated[
        bool, "plain text over a network, for a trial only: it stays a fault", be("true or false", True)
    ] = False


def build(section: Section, environ: Mapping[str, str]) -> Broker:
    """Turn a section without problems into the type that the program works with."""
    keys = BrokerKeys(**section.values)
    paths = _paths(section, environ)
    ca, password = paths.get("ca_file"), paths.get("password_file")
    return Broker(
        name=f"{keys.host}:{keys.port}",
        host=keys.host,
        port=keys.port,
        tls=None if ca is None else Tls(ca, paths.get("certificate_file"), paths.get("key_file")),
        login=None if keys.username is None else Login(keys.username, password),
        insecure=ca is None and not is_loopback(keys.host),
    )


def files(broker: Broker) -> dict[str, Path]:
    """The files that a broker names, by their key. A relative path is a bare name: $CREDENTIALS_DIRECTORY isn't set."""
    named: dict[str, Path | None] = {}
    if broker.tls is not None:
        named |= {
            "ca_file": broker.tls.ca_file,
            "certificate_file": broker.tls.certificate_file,
            "key_file": broker.tls.key_file,
        }
    if broker.login is not None:
        named["password_file"] = broker.login.password_file
    return {key: path for key, path in named.items() if path is not None}


def is_secret_name(key: str, path: Path) -> bool:
    """Whether this path must not be shown: there is no such file, and somebody may have written the password itself.

    A path whose directory is there is a path.
    """
    if key != "password_file" or os.path.lexists(path):
        return False
    where = path.parent
    return not path.is_absolute() or len(where.parts) == 1 or _CREDENTIALS in where.parts or not where.is_dir()


def why_unusable(key: str, path: Path) -> str:
    """Why this account can't use the file of this key, and what to do; empty if nothing is wrong with it.

    The content of certificates and keys isn't checked here: errors in it show when they are used.
    """
    try:
        if key == "password_file":
            read_password(path)
        else:
            content(path)
    except FileError as unusable:
        return unusable.reason
    return ""


def read_password(path: Path) -> bytes:
    """The password on the file's only line. Raises FileError."""
    password = one_line(path, "password")
    if len(password) > _PASSWORD_MAX:
        raise FileError(path, f"is too long: MQTT takes {_PASSWORD_MAX} bytes")
    return password


def _paths(section: Section, environ: Mapping[str, str]) -> dict[str, Path]:
    named = {key: section.values[key] for key in _FILES if section.values.get(key) is not None}
    return {key: Path(environ.get("CREDENTIALS_DIRECTORY", ""), written) for key, written in named.items()}


def is_loopback(host: str) -> bool:
    """Whether messages to this host stay on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return re.fullmatch(r"localhost\.?", host, re.IGNORECASE) is not None


def _are_different(sections: Sections) -> Iterator[str]:
    # Two links to one broker have the same client id: each would end the other's session, for ever.
    whole = [section for section in sections["broker"] if section.values.keys() >= {"host", "port"}]
    addresses = [(each.place, f"{each.values['host']}:{each.values['port']}".lower()) for each in whole]
    for place, address, owner in repeated(addresses):
        yield f"{place} host and port: {address} is {owner} already: leave one of them out"


def _are_encrypted_or_say_so(sections: Sections) -> Iterator[str]:
    for section in sections["broker"]:
        match section.values:
            case {"host": str(host), "ca_file": None, "insecure": False} if not is_loopback(host):
                yield (
                    f"{section.place} ca_file is missing: {toml(host)} is reached over a network, where plain text can "
                    f"be read, forged and held back: it {allowed(key_of(BrokerKeys, 'ca_file'))} (TLS is usually on "
                    "port 8883); or write insecure = true, which stays a fault"
                )
            case {"ca_file": str(), "insecure": True}:
                yield f"{section.place} insecure = true: contradicts ca_file: leave one of them out"


def _go_together(sections: Sections) -> Iterator[str]:
    for section in sections["broker"]:
        for name, needed in _NEEDS:
            if section.values.get(name) is not None and section.values.get(needed, "") is None:
                wanted = allowed(key_of(BrokerKeys, needed))
                yield f"{section.place} {needed} is missing: where there is {name} it {wanted}"


_NEEDS = (
    ("certificate_file", "ca_file"),
    ("certificate_file", "key_file"),
    ("key_file", "certificate_file"),
    ("password_file", "username"),
)

RULES: tuple[Rule, ...] = (_are_different, _are_encrypted_or_say_so, _go_together)
