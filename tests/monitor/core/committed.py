"""A history as batch.py describes it, in memory: what is committed, and what a start would remember of it."""

from msgspec.structs import replace

from node.monitor.core.decisions.batch import Batch, Remembered, Stored
from node.monitor.core.incidents.known.merge import merge
from node.monitor.core.model.records import (
    Button,
    EventKey,
    Finding,
    FindingKey,
    HeardEvent,
    IncidentKey,
    IncidentRecord,
    NodeKey,
    NodeRecord,
    Notice,
    NoticeKind,
    Pause,
    Tally,
)
from node.monitor.core.nodes.events.sequence import BOOTS_KEPT, merged


class Committed:
    """What is on the disk."""

    def __init__(self) -> None:
        self.events: dict[EventKey, HeardEvent] = {}
        self.tallies: dict[tuple[NodeKey, str], list[tuple[int, int]]] = {}
        self.nodes: dict[NodeKey, NodeRecord] = {}
        self.incidents: dict[IncidentKey, IncidentRecord] = {}
        self.findings: dict[FindingKey, Finding] = {}
        self.pauses: dict[NodeKey, Pause] = {}
        self.buttons: dict[tuple[NodeKey, str], Button] = {}
        self.notices: dict[str, Notice] = {}

    def store(self, batch: Batch) -> Stored:
        """Commit it; what a hub needs to know of that."""
        self.events.update({each.key: each for each in batch.events if each.key not in self.events})
        for tally in batch.tallies:
            there = self.tallies.get((tally.node, tally.boot), [])
            if tally.ranges:
                self.tallies[tally.node, tally.boot] = merged([*there, *tally.ranges])
        asked = [(each.node, each.boot) for each in batch.tallies if not each.ranges]
        for node in batch.nodes:
            known = self.nodes.get(node.node)
            self.nodes[node.node] = node if known is None else replace(known, boot=node.boot, period_s=node.period_s)
        for flip in batch.flips:
            self.nodes[flip.node] = replace(self.nodes[flip.node], status=flip.after, reason=flip.reason)
        for record in batch.incidents:
            there_is = self.incidents.get(record.key)
            self.incidents[record.key] = record if there_is is None else merge(there_is, record)
        lost = {(NoticeKind.FINDING, each.key) for each in batch.raised if each.key in self.findings}
        self.findings.update({each.key: each for each in batch.raised if each.key not in self.findings})
        for key, _ in batch.cleared:
            if self.findings.pop(key, None) is None:
                lost.add((NoticeKind.CLEARED, key))
        self.pauses.update({each.node: each for each in batch.pauses})
        for ended, _ in batch.pause_ends:
            self.pauses.pop(ended, None)
        self.buttons.update({(each.node, each.input): each for each in batch.buttons})
        for notice in batch.notices:
            if notice.key not in self.notices and (notice.kind, notice.finding) not in lost and self._is_wanted(notice):
                self.notices[notice.key] = notice
        about = dict.fromkeys(each.key for each in batch.incidents)
        incidents = tuple(self.incidents[key] for key in about)
        return Stored(
            events=tuple(each.key for each in batch.events),
            tallies=tuple(self._tally(*key) for key in asked),
            incidents=incidents,
        )

    def prune(self) -> None:
        """As retention.py: of the tallies those of the newest boots stay, and that of the boot now."""
        self.tallies = {(each.node, each.boot): self.tallies[each.node, each.boot] for each in self._newest()}

    def _tally(self, node: NodeKey, boot: str) -> Tally:
        return Tally(node=node, boot=boot, ranges=tuple(self.tallies.get((node, boot), ())))

    def _newest(self) -> list[Tally]:
        """As newest_tallies in startup.py."""
        kept: list[Tally] = []
        for node in dict.fromkeys(node for node, _ in self.tallies):
            boots = [boot for of, boot in self.tallies if of == node]
            now = self.nodes[node].boot if node in self.nodes else ""
            chosen = [boot for boot in boots if boot in boots[-BOOTS_KEPT:] or boot == now]
            kept += [self._tally(node, boot) for boot in sorted(chosen, key=now.__eq__)]
        return kept

    def _is_wanted(self, notice: Notice) -> bool:
        record = self.incidents.get(IncidentKey(notice.site, notice.node, notice.incident))
        if record is None:
            return True
        if notice.kind is NoticeKind.RESET:
            return record.reset_utc is not None
        return not (notice.kind is NoticeKind.ALARM and notice.level and (record.is_answered or record.reset_utc))

    def tell(self, notice: Notice) -> None:
        """A target has taken a message of this notice, and that is settled."""
        key = IncidentKey(notice.site, notice.node, notice.incident)
        there = self.incidents.get(key)
        if there is not None and notice.presses > there.told_presses:
            self.incidents[key] = replace(there, told_presses=notice.presses, told_utc=notice.at_utc)

    def remember(self) -> Remembered:
        """As History.remember."""
        records = self.incidents.values()
        return Remembered(
            nodes=tuple(self.nodes.values()),
            incidents=tuple(each for each in records if each.reset_utc is None),
            closed=tuple((each.key, each.presses) for each in records if each.reset_utc is not None),
            findings=tuple(self.findings.values()),
            tallies=tuple(self._newest()),
            buttons=tuple(self.buttons.values()),
            pauses=tuple(self.pauses.values()),
        )
