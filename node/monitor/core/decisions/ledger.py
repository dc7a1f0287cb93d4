"""Collects what one turn of the hub decides: what the history commits at once, and what is sent to nodes and people.

The open findings are kept here, too. A finding is raised only if it wasn't open, and cleared only if it was, so that
none is told twice.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from msgspec import field
from msgspec.structs import replace

from node.errors.severity import Severity
from node.monitor.core.decisions.batch import Batch
from node.monitor.core.model.catalogue import SUPERVISION, kind_of
from node.monitor.core.model.records import (
    EventKey,
    Finding,
    FindingKey,
    NodeKey,
    Notice,
    NoticeKind,
)
from node.monitor.core.model.requests import Answer
from node.protocol.monitor_messages import ReceiptKind
from node.sanitize import plain as shown


class Moment(NamedTuple):
    """The present: ``at`` is by the monotonic clock and decides; ``utc`` is only a label."""

    at: float
    utc: datetime


CLOCK_SET = datetime(2020, 1, 1, tzinfo=UTC)
"""An earlier time means that the clock was never set: machines without a battery begin in 1970."""


CLOCK_STEP = timedelta(minutes=1)
"""A smaller change is a correction of the clock, not a step."""


def ends_utc(now: Moment, ends: float, label: datetime) -> datetime:
    """When something ends: the time that was announced when it began, unless the clock was set since."""
    counted = now.utc + timedelta(seconds=ends - now.at)
    return label if abs(counted - label) < CLOCK_STEP else counted


def counted_from(now: Moment, label: datetime) -> datetime:
    """The date from which days are counted: the label, or now if the label's clock wasn't set or was ahead."""
    return label if CLOCK_SET <= label <= now.utc or now.utc < CLOCK_SET else now.utc


class SendReceipt(NamedTuple):
    """Tell a node that this event is held, or that people were told of it."""

    event: EventKey
    kind: ReceiptKind


class SendCommand(NamedTuple):
    """Ask a node for something. ``arguments`` are those of PROTOCOL.md 9.3."""

    node: NodeKey
    id: str
    boot: str
    by: str
    action: str
    arguments: dict[str, Any]


class ClearTopics(NamedTuple):
    """Remove what the brokers retain of a node that was forgotten."""

    node: NodeKey


class TellTest(NamedTuple):
    """Send this target a test message."""

    target: str


class Respond(NamedTuple):
    """Answer the request that came as ``number``."""

    number: int
    answer: Answer


Say = SendReceipt | SendCommand | ClearTopics | TellTest | Respond


class Decisions(Batch, kw_only=True):
    """``says`` go out at once. The batch is committed as a whole, and what depends on it follows after that."""

    says: list[Say] = field(default_factory=list)

    @property
    def to_store(self) -> bool:
        """Whether there is anything for the history."""
        return any(getattr(self, name) for name in Batch.__struct_fields__)


def plain(text: str | None, length: int = 63) -> str:
    """A text of a node, fit to be stored and shown: cut to ``length``, without what a database refuses (NUL)."""
    return shown((text or "")[:length])


def lasting(for_s: float) -> str:
    """A duration in whole units that are written the same in every language."""
    for unit, unit_s in (("d", 86400.0), ("h", 3600.0)):
        if for_s >= 2 * unit_s and for_s % unit_s < 1.0:
            return f"{for_s // unit_s:g} {unit}"
    return f"{for_s / 60:.0f} min"


class Ledger:
    """The findings that are open. This turn's decisions go to ``out``."""

    def __init__(self, known: Iterable[Finding] = ()) -> None:
        self.open: dict[FindingKey, Finding] = {each.key: each for each in known}
        self.out = Decisions()

    def raise_finding(
        self,
        now: Moment,
        key: FindingKey,
        *,
        count: int | None = None,
        detail: str = "",
        tell: bool = True,
        anew: bool = False,
    ) -> None:
        """Raise a finding. It is told once, when it begins; a new count is only shown. ``anew``: tell a new detail."""
        known = self.open.get(key)
        if known is not None:
            if (known.count, known.detail) != (count, detail):
                self.open[key] = Finding(
                    key=key, severity=known.severity, since_utc=known.since_utc, count=count, detail=detail
                )
                if anew:
                    self.out.notices.append(
                        _notice(NoticeKind.FINDING, replace(self.open[key], since_utc=now.utc), now.utc)
                    )
            return
        finding = Finding(key=key, severity=kind_of(key.code).severity, since_utc=now.utc, count=count, detail=detail)
        self.open[key] = finding
        self.out.raised.append(finding)
        if tell and (finding.severity is not Severity.NOTICE or key.code in SUPERVISION):
            self.out.notices.append(_notice(NoticeKind.FINDING, finding, now.utc))

    def clear(self, now: Moment, key: FindingKey, *, tell: bool = True) -> None:
        """Clear a finding if it is open."""
        finding = self.open.pop(key, None)
        if finding is not None:
            self.out.cleared.append((key, now.utc))
            if tell and (finding.severity is Severity.CRITICAL or key.code in SUPERVISION):
                self.out.notices.append(_notice(NoticeKind.CLEARED, finding, now.utc))

    def take(self) -> Decisions:
        """What was decided since the last call."""
        taken, self.out = self.out, Decisions()
        return taken


def _notice(kind: NoticeKind, finding: Finding, at_utc: datetime) -> Notice:
    key = finding.key
    since = f"{finding.since_utc:%Y%m%dT%H%M%S.%f}"
    return Notice(
        key=f"{kind}:{key.code}:{key.site}/{key.node}:{key.subject}:{since}",
        kind=kind,
        site=key.site,
        node=key.node,
        at_utc=at_utc,
        finding=key,
        severity=finding.severity,
        count=finding.count,
        detail=finding.detail,
        gather=True,
    )
