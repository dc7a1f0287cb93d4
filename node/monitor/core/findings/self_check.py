"""What a monitor finds about itself: its brokers, its history, its targets, and messages beyond its limits. Pure.

Several monitors may share one history. Each of these findings names its monitor, and a monitor ignores those of others.
A finding from before a restart stays open until the monitor knows that it is over, so that people aren't told twice.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from node.errors import faults
from node.errors.reason_codes import REFUSALS
from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.model.catalogue import (
    API_AWAY,
    BROKER_AWAY,
    BROKER_FORBIDS,
    BROKER_LIMIT,
    BROKER_TOO_OLD,
    CONFIGURATION_UNUSABLE,
    FILE_UNUSABLE,
    FLOOD,
    HISTORY_FAILS,
    HISTORY_IN_MEMORY,
    ISOLATED,
    REFUSED,
    ROSTER_UNUSABLE,
    STOLEN_ID,
    TARGET_FAILS,
    THROWN_OFF,
    UNREACHED,
    FindingKind,
    own_key,
    own_parts,
)
from node.monitor.core.model.records import Finding, FindingKey

BROKER_GRACE_S = 5.0
SHORT_S = 60.0
THROWS = 3
THROWS_S = 300.0
"""So many sessions within so many seconds, each shorter than ``SHORT_S``, mean that a broker throws us off."""

ADDRESSES = frozenset({"api", "commands"})
"""Where the API is served: on the network, and on the socket for this machine's commands."""

SHOWN_S = 60.0
"""How long a flood, a refusal or a stolen id stays a finding after it was last seen."""


@dataclass(slots=True)
class Link:
    """Our connection to a broker. ``since``: when it went up or down. ``thrown``: the ends of its last short ones."""

    name: str
    up: bool
    since: Moment
    problem: str = ""
    kind: FindingKind = BROKER_AWAY
    thrown: tuple[float, ...] = ()


@dataclass(slots=True)
class Target:
    """How deliveries to a target went."""

    failing: bool = False
    problem: str = ""


class SelfCheck:
    """The monitor called ``monitor``, with these brokers and targets. ``history_ok``: the history can be written.

    ``watched``: the targets whose URL is in a file.
    """

    def __init__(
        self,
        ledger: Ledger,
        now: Moment,
        monitor: str,
        brokers: Iterable[str],
        targets: Iterable[str],
        watched: Iterable[str] = (),
    ) -> None:
        self.links = {name: Link(name, False, now) for name in brokers}
        self.targets = {name: Target() for name in targets}
        self.history_ok = True
        self._ledger = ledger
        self._monitor = monitor
        self._watched = frozenset(watched)
        self._shown: dict[FindingKey, float] = {}
        self._restore(now)

    def go_on(self, now: Moment, targets: dict[str, Target], findings: Iterable[Finding]) -> None:
        """Take over the findings from before the history could be read, since only changes of them are reported."""
        self.targets = targets
        for finding in findings:
            key = finding.key
            if not key.site and not key.node and key.code != HISTORY_FAILS.code:
                self._ledger.raise_finding(now, key, detail=finding.detail)

    def link_up(self, now: Moment, broker: str) -> None:
        """A broker is connected."""
        self.links[broker] = Link(broker, True, now, thrown=self.links[broker].thrown)
        self._clear_all_but(now, broker, None)

    def link_down(self, now: Moment, broker: str, problem: str) -> None:
        """A broker isn't connected, or not any more. ``problem`` says why."""
        known = self.links[broker]
        thrown = known.thrown
        if known.up and now.at - known.since.at < SHORT_S:
            thrown = (*(at for at in thrown if now.at - at < THROWS_S), now.at)[-THROWS:]
            if len(thrown) == THROWS:
                self._ledger.raise_finding(now, self._key(THROWN_OFF, broker), detail=problem)
        kind = _BY_FAULT.get(problem.split(" ", maxsplit=1)[0], BROKER_AWAY)
        self._clear_all_but(now, broker, kind)
        self.links[broker] = Link(broker, False, now if known.up else known.since, problem, kind, thrown)

    def file_seen(self, now: Moment, name: str, problem: str) -> None:
        """Note what is wrong with the files of this broker or target; "" if they are in order."""
        self._stand(now, FILE_UNUSABLE, problem, name)

    def roster_seen(self, now: Moment, problem: str) -> None:
        """Note why the roster couldn't be read at the start; "" if it could."""
        self._stand(now, ROSTER_UNUSABLE, problem)

    def configuration_seen(self, now: Moment, problem: str) -> None:
        """Note why the next start couldn't read the configuration; "" if it could."""
        self._stand(now, CONFIGURATION_UNUSABLE, problem)

    def refused(self, now: Moment, broker: str, topic: str, code: int) -> None:
        """A broker refused a message or a subscription of ours on this topic, with this reason code."""
        fault = REFUSALS.get(code)
        kind = REFUSED if fault is None else _BY_FAULT[fault.code]
        self._show(now, kind, broker, f"{topic} (0x{code:02X})")

    def stolen(self, now: Moment, broker: str) -> None:
        """Another client speaks under this monitor's name."""
        self._show(now, STOLEN_ID, broker)

    def flooded(self, now: Moment, what: str) -> None:
        """There was too much of this, so some of it was dropped."""
        self._show(now, FLOOD, what)

    def history_failed(self, now: Moment, reason: str) -> None:
        """The history can't be written."""
        self.history_ok = False
        self._ledger.raise_finding(now, self._key(HISTORY_FAILS), detail=reason)

    def history_works(self, now: Moment) -> None:
        """The history can be written again."""
        self.history_ok = True
        self._ledger.clear(now, self._key(HISTORY_FAILS))

    def address_failed(self, now: Moment, name: str, reason: str) -> None:
        """The API can't be served at one of our addresses."""
        self._ledger.raise_finding(now, self._key(API_AWAY, name), detail=reason)

    def address_works(self, now: Moment, name: str) -> None:
        """The API is served at this address again."""
        self._ledger.clear(now, self._key(API_AWAY, name))

    def history_in_memory(self, now: Moment, directory: str) -> None:
        """The history is in memory, not on a disk."""
        self._ledger.raise_finding(now, self._key(HISTORY_IN_MEMORY), detail=directory)

    def target_failed(self, now: Moment, name: str, reason: str) -> None:
        """A target can't be told."""
        self.targets[name] = Target(failing=True, problem=reason)
        self._ledger.raise_finding(now, self._key(TARGET_FAILS, name), detail=reason)

    def target_works(self, now: Moment, name: str) -> None:
        """A target can be told again."""
        self.targets[name] = Target()
        self._ledger.clear(now, self._key(TARGET_FAILS, name))

    def time_passed(self, now: Moment) -> None:
        """Raise findings for brokers that stay away; clear those that weren't seen for a while."""
        for link in self.links.values():
            lasted_s = now.at - link.since.at
            if not link.up and lasted_s >= BROKER_GRACE_S:
                self._ledger.raise_finding(now, self._key(link.kind, link.name), detail=link.problem)
            elif link.up and lasted_s >= SHORT_S:
                link.thrown = ()
                self._ledger.clear(now, self._key(THROWN_OFF, link.name))
        for key, until in list(self._shown.items()):
            if until <= now.at:
                del self._shown[key]
                self._ledger.clear(now, key)

    def _restore(self, now: Moment) -> None:
        # The monitor reports after each start whether these findings still hold, so they stay open until then.
        kept: dict[str, Collection[str]] = {
            **{kind.code: self.links.keys() for kind in (*_OF_LINKS, THROWN_OFF)},
            FILE_UNUSABLE.code: self.links.keys() | self._watched,
            ROSTER_UNUSABLE.code: ("",),
            API_AWAY.code: ADDRESSES,
            CONFIGURATION_UNUSABLE.code: ("",),
        }
        for key in [each for each in self._ledger.open if not each.site and not each.node]:
            whose, name = own_parts(key)
            if whose != self._monitor:
                del self._ledger.open[key]
            elif key.code in (UNREACHED.code, ISOLATED.code) or name in kept.get(key.code, ()):
                continue
            elif key.code in _SHOWN:
                self._shown[key] = now.at + SHOWN_S
            else:  # the history could be read just now; targets may have been mended for this start
                self._ledger.clear(now, key, tell=key.code == HISTORY_FAILS.code)

    def _stand(self, now: Moment, kind: FindingKind, problem: str, name: str = "") -> None:
        if problem:
            self._ledger.raise_finding(now, self._key(kind, name), detail=problem)
        else:
            self._ledger.clear(now, self._key(kind, name))

    def _clear_all_but(self, now: Moment, broker: str, kept: FindingKind | None) -> None:
        """Keep at most one finding that says why a broker isn't reached, even if the reason changes."""
        for kind in _OF_LINKS:
            key = self._key(kind, broker)
            if kind is not kept and key not in self._shown:
                self._ledger.clear(now, key)

    def _key(self, kind: FindingKind, name: str = "") -> FindingKey:
        return own_key(kind, self._monitor, name)

    def _show(self, now: Moment, kind: FindingKind, name: str, detail: str = "") -> None:
        key = self._key(kind, name)
        self._shown[key] = now.at + SHOWN_S
        self._ledger.raise_finding(now, key, detail=detail)


_BY_FAULT = {
    faults.BROKER_TOO_OLD.code: BROKER_TOO_OLD,
    faults.BROKER_FORBIDS.code: BROKER_FORBIDS,
    faults.MESSAGE_TOO_LARGE.code: BROKER_LIMIT,
    faults.BROKER_LIMIT.code: BROKER_LIMIT,
}
"""Findings about a broker's own limits, by the node's fault of the same meaning. The network is in order then."""

_OF_LINKS = (BROKER_AWAY, BROKER_TOO_OLD, BROKER_FORBIDS, BROKER_LIMIT)
"""Findings that say why a broker isn't reached; at most one of them is open for a broker."""

_SHOWN = frozenset({REFUSED.code, STOLEN_ID.code, FLOOD.code})
"""Findings that stay open for ``SHOWN_S`` after they were last seen."""
