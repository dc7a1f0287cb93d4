"""Brokers with certificates, and what a node needs for them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node.config import Tls
from tests.support import broker as brokers
from tests.support.broker import Broker
from tests.support.certificates import Authority, Pair

LOOPBACK = "127.0.0.1"


def secure_broker(
    directory: Path, authority: Authority, *, clients: bool = False, passwords: Mapping[str, str] | None = None
) -> Broker:
    """A mosquitto with a good certificate; ``clients``: they need one too, by the same authority."""
    pair = authority.issue("broker", directory, LOOPBACK)
    shown = brokers.Tls(pair, authority.file if clients else None)
    return Broker(directory / "secure", tls=shown, passwords=passwords, anonymous=passwords is None)


def tls_of(authority: Authority, pair: Pair | None = None) -> Tls:
    """What a link trusts, and what it shows."""
    return Tls(authority.file) if pair is None else Tls(authority.file, pair.certificate, pair.key)


def in_days(days: float) -> float:
    """Wall clock, in seconds."""
    return (datetime.now(UTC) + timedelta(days=days)).timestamp()
