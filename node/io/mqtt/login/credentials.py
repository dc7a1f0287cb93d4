"""How a client proves who it is, and checks its broker: TLS files that may be renewed at any time, and a login.

The node and the monitor use the same.

1. Files are checked when a session begins, and once a minute while it lasts; they are read when one has changed. So a
   renewed file is used without a restart, and a disk that stalls later holds nothing up.
2. If files can't be read or don't fit together (a certificate without its key in the midst of a renewal, a card that
   dies), that is reported, and what was read before is still used.
3. The content of a key or password file is never logged or shown.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from node.config.brokers import Login, Tls, is_secret_name, read_password
from node.config.files import Kept

if TYPE_CHECKING:
    from paho.mqtt.client import Client

    from node.io.mqtt.login.tls import TlsContext

NODE, AUTHORITY, BROKER = "node", "authority", "broker"
"""The owners of certificates."""

Seen = tuple[Mapping[str, float], bool]
"""When the certificates expire (wall clock, seconds), by owner; and whether all files are in order."""

log = logging.getLogger(__name__)


class _Proof(Struct, frozen=True):
    """What the files held: files that belong together are read together."""

    password: bytes | None
    context: "TlsContext | None"
    authorities: list[Mapping[str, Any]]
    own_ends: float | None


class Credentials:
    """The credentials of one client, kept across its sessions. Before the first ``look`` nothing is known.

    ``problem``: which file can't be used at the moment, and why; empty if all are in order.
    """

    def __init__(self, name: str, tls: Tls | None = None, login: Login | None = None) -> None:
        self._name = name
        self._tls = tls
        self._username = None if login is None else login.username
        self._password_file = None if login is None else login.password_file
        self.problem = ""
        self._kept = Kept(list(self._files().values()), self._read)
        self._broker: Mapping[str, Any] | None = None
        self._told: tuple[Seen, str] = (({}, True), "")

    @property
    def ready(self) -> bool:
        """Whether there is enough to connect with."""
        return self._kept.value is not None

    def look(self) -> None:
        """Read the files if one of them has changed, or couldn't be used the last time."""
        before = self.problem
        self._kept.look()
        self.problem = self._named(self._kept.problem)
        if self.problem and self.problem != before:
            log.warning("link %s: credentials can't be used: %s", self._name, self.problem)
        elif before and not self.problem:
            log.info("link %s: credentials can be used again", self._name)

    def broker_showed(self, certificate: Mapping[str, Any]) -> None:
        """The broker has shown this certificate, as ``getpeercert`` returns it, and it was accepted."""
        self._broker = certificate

    def apply_to(self, client: "Client", handshake_s: float) -> None:
        """Let this client, not yet connected, use what was read last; ``handshake_s`` limits the TLS handshake."""
        proof = self._kept.value
        if proof is None:
            return
        if proof.context is not None:
            proof.context.handshake_s = handshake_s
            client.tls_set_context(proof.context)
        if self._username is not None:
            client.username_pw_set(self._username, proof.password)  # type: ignore[arg-type] # it takes bytes as they are

    def changes(self) -> Seen | None:
        """What is known now, if it differs from what the last call returned; otherwise None."""
        proof = self._kept.value
        own_ends = None if proof is None else proof.own_ends
        broker_ends = None if self._broker is None else _ends(self._broker)
        ends = {NODE: own_ends, AUTHORITY: self._authority_ends(proof), BROKER: broker_ends}
        seen = {whose: end for whose, end in ends.items() if end is not None}, not self.problem
        if (seen, self.problem) == self._told:
            return None
        self._told = seen, self.problem
        return seen

    def _files(self) -> Mapping[str, Path]:
        """The files by their key in the configuration."""
        tls = self._tls
        keys = ("ca_file", "certificate_file", "key_file")
        named = {} if tls is None else dict(zip(keys, (tls.ca_file, tls.certificate_file, tls.key_file), strict=True))
        return {key: path for key, path in {**named, "password_file": self._password_file}.items() if path is not None}

    def _named(self, problem: str) -> str:
        """The problem of a file, which begins with its path: also with its key, and without a path that is a secret."""
        for key, path in self._files().items():
            if problem.startswith(f"{path} "):
                hidden = not self.ready and is_secret_name(key, path)
                return f"{key}{problem.removeprefix(str(path))}" if hidden else f"{key} {problem}"
        return problem

    def _read(self) -> _Proof:
        """Read all files, or raise for any of them."""
        password = None if self._password_file is None else read_password(self._password_file)
        if self._tls is None:
            return _Proof(password, None, [], None)
        # ssl takes 5 ms of the start and 4 MB, which a node without TLS saves.
        from node.io.mqtt.login import tls_files  # noqa: PLC0415

        context, own_ends = tls_files.context(self._tls)
        return _Proof(password, context, tls_files.authorities(context), own_ends)

    def _authority_ends(self, proof: _Proof | None) -> float | None:
        """When the authority expires that signed the broker's certificate.

        If that is none of ours (an intermediate one signed it, or no broker has shown a certificate so far), the last
        expiry of all our authorities counts: a file with every public authority always has one that is about to expire,
        and nobody has to do anything about it.
        """
        authorities = [] if proof is None else proof.authorities
        issuer = None if self._broker is None else self._broker["issuer"]
        signers = [each for each in authorities if each["subject"] == issuer]
        ends = (_ends(each) for each in signers or authorities)
        return max((end for end in ends if end is not None), default=None)


def _ends(certificate: Mapping[str, Any]) -> float | None:
    """When a certificate expires that TLS has shown: seconds since 1970, None if that can't be read."""
    from node.io.mqtt.login import tls_files  # noqa: PLC0415 - who has such a certificate has it already

    return tls_files.ends(certificate)
