"""What people do with a target: send it a test message, or take it out of service for a while. Pure.

1. An isolated target is told nothing. What would be told to it meanwhile is left out, not sent later. Calls that
   only this target takes at the first level count as told to nobody (target_coverage.py). The other targets are told
   that it is isolated, and that this has ended. An isolation always ends by itself.
2. The history keeps the date and the result of a test, and also an isolation, which a restart must know.
"""

from collections.abc import Iterable
from datetime import timedelta

from msgspec.structs import replace

from node.monitor.core.decisions.ledger import Ledger, Moment, Respond, TellTest, ends_utc, lasting
from node.monitor.core.model.catalogue import ISOLATED, own_key
from node.monitor.core.model.records import FindingKey, TargetRecord
from node.monitor.core.model.requests import Answer, IsolateTarget, Replaced, TargetRequest, TryTarget

ISOLATE_S = (60.0, 30 * 86400.0)


class Targets:
    """The targets of these ``names``, at the monitor called ``monitor``."""

    def __init__(
        self, ledger: Ledger, now: Moment, monitor: str, names: Iterable[str], known: Iterable[TargetRecord] = ()
    ) -> None:
        there = {record.name: record for record in known}
        self.records = {name: there.get(name, TargetRecord(name=name)) for name in names}
        self._ledger = ledger
        self._monitor = monitor
        self._trying: dict[str, int] = {}
        self._ends = {
            name: now.at + min(max((until - now.utc).total_seconds(), 0.0), ISOLATE_S[1])
            for name, record in self.records.items()
            if (until := record.isolated_until_utc) is not None
        }
        for key in [each for each in ledger.open if each.code == ISOLATED.code]:
            if not any(key == self._key(name) for name in self._ends):
                ledger.clear(now, key)

    @property
    def isolated(self) -> frozenset[str]:
        """The names of the targets that are told nothing now."""
        return frozenset(self._ends)

    def ask(self, now: Moment, number: int, request: TargetRequest) -> None:
        """Do what is asked. The answer is a Respond with this number."""
        name = request.name
        if name not in self.records:
            self._answer(number, Answer("unknown", "no-such-target"))
        elif isinstance(request, TryTarget):
            if name in self._trying:
                self._answer(number, Answer("refused", "being-tried"))
            else:
                self._trying[name] = number
                self._ledger.out.says.append(TellTest(name))
        elif isinstance(request, IsolateTarget):
            self._answer(number, self._isolate(now, request))
        elif name in self._ends:
            self._restore(now, name)
            self._answer(number, Answer("done"))
        else:
            self._answer(number, Answer("refused", "not-isolated"))

    def tried(self, now: Moment, name: str, said: str, *, passed: bool) -> None:
        """Note the result of a test message to this target. ``said`` is what the other side answered."""
        number = self._trying.pop(name)
        self._put(replace(self.records[name], tested_utc=now.utc, test_passed=passed))
        self._answer(number, Answer("done" if passed else "refused", said))

    def time_passed(self, now: Moment) -> bool:
        """End the isolations whose time is over. Returns whether any ended."""
        over = [name for name, ends in self._ends.items() if ends <= now.at]
        for name in over:
            self._restore(now, name)
        return bool(over)

    def _isolate(self, now: Moment, request: IsolateTarget) -> Answer:
        if not ISOLATE_S[0] <= request.for_s <= ISOLATE_S[1]:
            return Answer("refused", f"for_s must be from {ISOLATE_S[0]:g} to {ISOLATE_S[1]:g}")
        record, until = self.records[request.name], now.utc + timedelta(seconds=request.for_s)
        replaces = None
        if record.isolated_until_utc is not None:
            ends = ends_utc(now, self._ends[request.name], record.isolated_until_utc)
            replaces = Replaced(record.isolated_by, ends)
        self._ends[request.name] = now.at + request.for_s
        self._put(replace(record, isolated_by=request.by, isolated_until_utc=until))
        detail = f"{request.by}, {lasting(request.for_s)}: {request.reason}"
        self._ledger.raise_finding(now, self._key(request.name), detail=detail, anew=True)
        return Answer("done", until=until, replaces=replaces)

    def _restore(self, now: Moment, name: str) -> None:
        del self._ends[name]
        self._put(replace(self.records[name], isolated_by="", isolated_until_utc=None))
        self._ledger.clear(now, self._key(name))

    def _put(self, record: TargetRecord) -> None:
        self.records[record.name] = record
        self._ledger.out.targets.append(record)

    def _key(self, name: str) -> FindingKey:
        return own_key(ISOLATED, self._monitor, name)

    def _answer(self, number: int, answer: Answer) -> None:
        self._ledger.out.says.append(Respond(number, answer))
