"""What a link and its broker prove themselves with: TLS by files that may be renewed at any time, and a login.

1. Files are looked at when a session begins, and once a minute while it lasts; they are read when one has changed. So
   what was renewed is taken without a restart, and a disk that stalls later has nothing to hold up.
2. What can't be read or doesn't fit together (a certificate without its key in the midst of a renewal, a card that
   dies) is told, and what was read before is used on.
3. Nothing that a key or password file holds is ever logged or shown.
"""

import logging
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client

from node.config.brokers import Login, PasswordError, Tls, read_password
from node.link import x509
from node.link.tls import TlsContext

NODE, AUTHORITY, BROKER = "node", "authority", "broker"
"""Whose certificate it is."""

Seen = tuple[Mapping[str, float], bool]
"""When the certificates expire (wall clock, seconds), by whose they are; and whether all files are in order."""

_TICK_NS = 1_000_000_000

log = logging.getLogger(__name__)


class UnusableError(Exception):
    """A file can't be used; the text says which and why."""


class Credentials:
    """Of one link; they outlive its sessions. Until ``look`` was called nothing is known.

    ``ready``: there is something to connect with. ``problem``: which file can't be used as it is, and why; empty where
    all are in order.
    """

    def __init__(self, name: str, tls: Tls | None = None, login: Login | None = None) -> None:
        self.ready = False
        self.problem = ""
        self._name = name
        self._tls = tls
        self._context: TlsContext | None = None
        self._username = None if login is None else login.username
        self._password: bytes | None = None
        self._password_file = None if login is None else login.password_file
        self._stamps: list[tuple[int, ...]] | None = None
        self._authorities: list[Mapping[str, Any]] = []
        self._node_ends: float | None = None
        self._broker: Mapping[str, Any] | None = None
        self._told: Seen = ({}, True)

    def look(self) -> None:
        """Read the files if one of them has changed, or couldn't be used the last time."""
        try:
            now_ns = time.time_ns()
            stamps = [_stamp(path) for path in self._paths()]
            if stamps != self._stamps:
                self._stamps = None
                self._read()
                # Two changes within a tick of the file system's clock would look like one.
                self._stamps = stamps if all(now_ns - changed > _TICK_NS for *_, changed in stamps) else None
            problem = ""
        except UnusableError as unusable:
            problem = str(unusable)
        if problem and problem != self.problem:
            log.warning("link %s: credentials can't be used: %s", self._name, problem)
        elif self.problem and not problem:
            log.info("link %s: credentials can be used again", self._name)
        self.problem = problem

    def meet(self, certificate: Mapping[str, Any]) -> None:
        """The broker has shown this certificate, as ``getpeercert`` gives it, and it was accepted."""
        self._broker = certificate

    def equip(self, client: Client, handshake_s: float) -> None:
        """Let this client, which isn't connected yet, use them; its TLS handshake may take so long."""
        if self._context is not None:
            self._context.handshake_s = handshake_s
            client.tls_set_context(self._context)
        if self._username is not None:
            client.username_pw_set(self._username, self._password)  # type: ignore[arg-type] # it takes bytes as they are

    def news(self) -> Seen | None:
        """What is known now, where that is something else than what this has last told: None where it isn't."""
        ends = {NODE: self._node_ends, AUTHORITY: self._authority_ends(), BROKER: _ends(self._broker)}
        seen = {whose: end for whose, end in ends.items() if end is not None}, not self.problem
        if seen == self._told:
            return None
        self._told = seen
        return seen

    def _paths(self) -> list[Path]:
        tls = self._tls
        named = [] if tls is None else [tls.ca_file, tls.certificate_file, tls.key_file]
        return [path for path in (*named, self._password_file) if path is not None]

    def _read(self) -> None:
        """All of it or nothing: what belongs together is taken together."""
        password = None if self._password_file is None else _password(self._password_file)
        context, node_ends = None, None
        if self._tls is not None:
            context = _trusting(self._tls.ca_file)
            if self._tls.certificate_file is not None and self._tls.key_file is not None:
                node_ends = _show(context, self._tls.certificate_file, self._tls.key_file)
        self._password, self._context, self._node_ends = password, context, node_ends
        self._authorities = [] if context is None else _authorities(context)
        self.ready = True

    def _authority_ends(self) -> float | None:
        """When the authority expires that signed the broker's certificate.

        Where that is none of ours (another one in between, or no broker met so far) it is the last of them all: a file
        with every authority of the world always holds one that is about to expire, and that is nobody's fault.
        """
        issuer = None if self._broker is None else self._broker["issuer"]
        signers = [each for each in self._authorities if each["subject"] == issuer]
        ends = (_ends(each) for each in signers or self._authorities)
        return max((end for end in ends if end is not None), default=None)


def _authorities(context: TlsContext) -> list[Mapping[str, Any]]:
    try:
        return list(context.get_ca_certs())
    except (ssl.SSLError, ValueError):
        return []  # their dates are good to know, and no reason not to connect


def _ends(certificate: Mapping[str, Any] | None) -> float | None:
    try:
        return None if certificate is None else ssl.cert_time_to_seconds(certificate["notAfter"])
    except ValueError:
        return None


def _stamp(path: Path) -> tuple[int, ...]:
    """What differs when a file was changed or replaced."""
    try:
        found = path.stat()
    except OSError as failure:
        raise UnusableError(f"{path}: {failure.strerror}") from failure
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        raise UnusableError(f"{path}: {failure.strerror}") from failure


def _password(path: Path) -> bytes:
    try:
        return read_password(path)
    except OSError as failure:
        raise UnusableError(f"{path}: {failure.strerror}") from failure
    except PasswordError as failure:
        raise UnusableError(f"{path} {failure}") from failure


def _trusting(path: Path) -> TlsContext:
    context = TlsContext()
    try:
        context.load_verify_locations(cadata=_content(path).decode("ascii", "ignore"))
    except ssl.SSLError as failure:
        raise UnusableError(f"{path} holds no certificate in PEM") from failure
    return context


def _show(context: TlsContext, certificate: Path, key: Path) -> float | None:
    """Let the context show this certificate to the broker; returns when it expires (wall clock, seconds)."""
    pem = _content(certificate)
    _content(key)
    try:
        # With no password given OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as failure:
        if failure.reason == "KEY_VALUES_MISMATCH":
            raise UnusableError(f"{key} isn't the key of {certificate}") from failure
        what = "no certificate, or no key without a passphrase, in PEM"
        raise UnusableError(f"{certificate} and {key}: {what}") from failure
    except OSError as failure:
        raise UnusableError(f"{certificate} and {key}: {failure.strerror}") from failure
    return x509.ends_utc(pem.decode("ascii", "ignore"))
