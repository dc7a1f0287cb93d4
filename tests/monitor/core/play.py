"""A hub as the tests drive it: what a service tells it, and what can be seen of it. Only this file names its parts.

``Play`` lets time pass, and stores, tells and answers what was decided. Machines by Hypothesis do that themselves.
"""

import gc
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Concatenate, ParamSpec

from msgspec.structs import replace

from node.core.settings import AlarmClass
from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.decisions.ledger import Decisions, Moment, Respond, SendCommand, SendReceipt
from node.monitor.core.findings.self_check import SelfCheck
from node.monitor.core.hub import Hub
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import (
    EventKey,
    Finding,
    FindingKey,
    IncidentKey,
    IncidentRecord,
    NodeKey,
    Tally,
)
from node.monitor.core.model.requests import Answer, Request, Reset
from node.monitor.core.nodes.events.sequence import merged
from node.monitor.core.view.build import Building
from node.monitor.core.view.view_types import NodeView, View
from node.protocol.messages import Event
from node.protocol.monitor_messages import ReceiptKind
from tests.monitor.core.node_messages import BOOT, BROKER, ROOM, START, heartbeat, moment, press, reply
from tests.monitor.core.settings import settings_of

INCIDENT = IncidentKey(*ROOM, f"{BOOT}-1")
ESCALATE_S = 60.0
TWO_GROUPS = (Target("t0", "json://x"), Target("t1", "json://x", level=1))

P = ParamSpec("P")


class DrivenHub:
    """A hub that is told everything at its second. What it decides is to be taken after that.

    ``at``: when it was last told something. ``clock_off``: how far the clock of its machine is off; only labels are by
    it.
    """

    def __init__(
        self, memory: Remembered | None = None, *, at: float = 0.0, boot: str = "0000cafe", **changes: Any
    ) -> None:
        self.at = at
        self.clock_off = timedelta(0)
        self._asked = 0
        self._hub = Hub(settings_of(**changes), moment(at), memory or Remembered(), boot)

    @property
    def next_due(self) -> float:
        """When something is due next."""
        return self._hub.next_due

    def take(self) -> Decisions:
        """What was decided since the last call."""
        return self._hub.take()

    # What a service tells it.

    def jump(self, at: float) -> None:
        """It is ``at``, and all that is due by then is decided at once."""
        self._tell(at, Hub.time_passed)

    def hear(
        self,
        at: float,
        message: Any,
        node: NodeKey = ROOM,
        *,
        broker: str = BROKER,
        retained: bool = False,
        unknown: Collection[str] = (),
    ) -> None:
        """A node says something."""
        self._tell(at, lambda hub, now: hub.hear(now, broker, node, message, retained=retained, unknown=unknown))

    def ask(self, at: float, request: Request) -> int:
        """Somebody asks for something; the number of the request."""
        self._asked += 1
        self._tell(at, lambda hub, now: hub.ask(now, self._asked, request))
        return self._asked

    def link_up(self, at: float, broker: str = BROKER) -> None:
        """A broker is reached."""
        self._tell(at, lambda hub, now: hub.link_up(now, broker))

    def link_down(self, at: float, problem: str = "gone", broker: str = BROKER) -> None:
        """A broker isn't reached any more, or not yet."""
        self._tell(at, lambda hub, now: hub.link_down(now, broker, problem))

    def dropped(self, at: float, count: int, *, malformed: bool = False) -> None:
        """Messages were dropped before they came here."""
        self._tell(at, lambda hub, now: hub.dropped(now, count, malformed=malformed))

    def stored(self, at: float, outcome: Stored) -> None:
        """The history has stored a batch, and says what it has now."""
        self._tell(at, lambda hub, now: hub.stored(now, outcome))

    def unstored(self, *events: EventKey) -> None:
        """The history refuses these events."""
        self._tell(self.at, lambda hub, _: hub.receipts.unstored(events))

    def accept(self, at: float, incident: IncidentKey = INCIDENT, presses: int = 1) -> None:
        """A target takes a message about a call."""
        self._tell(at, lambda hub, now: hub.accepted(now, incident, presses))

    def tried(self, at: float, target: str, said: str, *, passed: bool) -> None:
        """A test message went to a target, which said this."""
        self._tell(at, lambda hub, now: hub.targets.tried(now, target, said, passed=passed))

    def report(
        self, at: float, what: Callable[Concatenate[SelfCheck, Moment, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """A thread of the service reports something about the monitor itself, by a method of SelfCheck."""
        self._tell(at, lambda hub, now: what(hub.self_check, now, *args, **kwargs))

    def go_on(self, at: float, before: "DrivenHub") -> None:
        """Take the place of a hub that ran without the history."""
        of_targets = before._hub.self_check.targets  # noqa: SLF001 - one of this class, too
        self.report(at, SelfCheck.go_on, of_targets, before.findings.values())

    def _tell(self, at: float, what: Callable[[Hub, Moment], object]) -> None:
        """All that is told is told by this."""
        self.at = at
        what(self._hub, self._moment(at))

    def _moment(self, at: float) -> Moment:
        return Moment(at, moment(at).utc + self.clock_off)

    # What can be seen of it.

    @property
    def incidents(self) -> dict[IncidentKey, IncidentRecord]:
        """The open incidents."""
        return {key: each.record for key, each in self._hub.incidents.open.items()}

    @property
    def findings(self) -> dict[FindingKey, Finding]:
        """The open findings."""
        return dict(self._hub.ledger.open)

    def found(self) -> list[str]:
        """The codes of the open findings, sorted."""
        return sorted(key.code for key in self._hub.ledger.open)

    def ours(self) -> set[NodeKey]:
        """The nodes whose messages come before those of strangers."""
        return set(self._hub.fleet.members.ours)

    def view(self, at: float | None = None, waiting: Mapping[str, tuple[int, int]] | None = None) -> View:
        """What is shown, now or at ``at``. ``waiting``: for each target how many messages wait and were told."""
        return self.go_on_with(self.begin_view(), self.at if at is None else at, 1_000, waiting)

    def begin_view(self) -> Building:
        """Begin to make what is shown."""
        return Building(self._hub, "1")

    def go_on_with(
        self, building: Building, at: float, most: int, waiting: Mapping[str, tuple[int, int]] | None = None
    ) -> View:
        """Make what is shown at ``at``, in slices of so many parts."""
        while not building.go_on(self._moment(at), most):
            pass
        return building.done(self._moment(at), waiting or {})

    def make_slice(self, building: Building, at: float, most: int) -> bool:
        """Make a slice of what is shown; whether none is left."""
        return building.go_on(self._moment(at), most)

    def node(self, key: NodeKey = ROOM, at: float | None = None) -> NodeView:
        """What is shown of a node."""
        return next(each for each in self.view(at).nodes if (each.site, each.node) == key)

    def size(self) -> int:
        """How many objects it keeps. What has a limit doesn't grow, however long somebody goes on."""
        seen: dict[int, object] = {}
        found: list[object] = [self._hub]
        while found:
            each = found.pop()
            if id(each) not in seen and not isinstance(each, type | ModuleType | FunctionType | BuiltinFunctionType):
                seen[id(each)] = each
                found += gc.get_referents(each)
        return len(seen)


class Play(DrivenHub):
    """A hub in a time that passes whenever a test wants it.

    Its history stores at once, unless ``store`` is False; its targets take every message at once, unless ``tell`` is;
    its nodes answer every probe, unless ``obey`` is.
    ``has``: what the history has of a boot, whoever stored it. ``all``: what was decided from the start on.
    """

    def __init__(self, memory: Remembered | None = None, **changes: Any) -> None:
        super().__init__(memory, **changes)
        self.store = self.tell = self.obey = True
        self.first: dict[tuple[NodeKey, str, int], float] = {}
        self.has: dict[tuple[NodeKey, str], list[tuple[int, int]]] = {}
        self.all = Decisions()
        self._at_once(self.at, lambda hub, now: hub.link_up(now, BROKER))

    def until(self, at: float) -> None:
        """Let time pass, up to and with ``at``, with every deadline on the way."""
        while self.next_due <= at:
            self.jump(self.next_due)
        self.at = max(self.at, at)

    def jump(self, at: float) -> None:
        """Let time pass with no deadline on the way: a month takes no longer than a second."""
        self._at_once(at, Hub.time_passed)

    def hear(self, at: float, message: Any, node: NodeKey = ROOM, **given: Any) -> None:
        """A node says something at ``at``; what it says again is older by then."""
        if isinstance(message, Event) and message.age_ms == 0:
            first = self.first.setdefault((node, message.boot, message.seq), at)
            message = replace(message, age_ms=round((at - first) * 1000))
        super().hear(at, message, node, **given)

    def receipts(self) -> list[tuple[str, int]]:
        """Boot and number of each event that its node heard to be held, in their order."""
        return self._receipts("held")

    def told_receipts(self) -> list[tuple[str, int]]:
        """Boot and number of each event of which its node heard that people were told, in their order."""
        return self._receipts("told")

    def _receipts(self, kind: ReceiptKind) -> list[tuple[str, int]]:
        said = [each for each in self.all.says if isinstance(each, SendReceipt) and each.kind == kind]
        return [(each.event.boot, each.event.seq) for each in said]

    def commands(self, action: str) -> list[SendCommand]:
        """The commands of this kind, in their order."""
        return [each for each in self.all.says if isinstance(each, SendCommand) and each.action == action]

    def answer(self, number: int) -> Answer | None:
        """What a request came to, None while it waits."""
        return next(
            (each.answer for each in self.all.says if isinstance(each, Respond) and each.number == number), None
        )

    def told(self) -> list[tuple[str, int]]:
        """Kind and level of each notice about an incident, in their order; of each key once."""
        once = {each.key: each for each in reversed(self.all.notices)}
        first = [each for each in self.all.notices if each.incident and once.get(each.key) is each]
        return [(each.kind.value, each.level) for each in first]

    def record(self) -> IncidentRecord:
        """The newest record of an incident that the history was given."""
        return self.all.incidents[-1]

    def _tell(self, at: float, what: Callable[[Hub, Moment], object]) -> None:
        self.until(at)
        self._at_once(at, what)

    def _at_once(self, at: float, what: Callable[[Hub, Moment], object]) -> None:
        super()._tell(at, what)
        self._settle()

    def _settle(self) -> None:
        """Store, send and tell what was decided."""
        at, decisions = self.at, self.take()
        for name in Decisions.__struct_fields__:
            getattr(self.all, name).extend(getattr(decisions, name))
        if self.store and (decisions.events or decisions.tallies):
            for tally in decisions.tallies:
                self.has.setdefault((tally.node, tally.boot), []).extend(tally.ranges)
            asked = [(each.node, each.boot) for each in decisions.tallies if not each.ranges]
            tallies = [Tally(node=node, boot=boot, ranges=tuple(merged(self.has[node, boot]))) for node, boot in asked]
            stored = Stored(events=tuple(each.key for each in decisions.events), tallies=tuple(tallies))
            self._at_once(at, lambda hub, now: hub.stored(now, stored))
        for say in decisions.says if self.obey else ():
            if isinstance(say, SendCommand) and say.action == "probe":
                super().hear(at, reply(say.id, node=say.node), say.node)
        if self.tell:
            for notice in decisions.notices:
                if notice.is_call:
                    self.accept(at, IncidentKey(notice.site, notice.node, notice.incident), notice.presses)


def record_of(key: IncidentKey, **fields: Any) -> IncidentRecord:
    """An incident as a history has it."""
    made: dict[str, Any] = {"input": "button", "alarm_class": AlarmClass.THREAT, "raised_utc": START, **fields}
    return IncidentRecord(key=key, **made)


def ended_here(play: Play) -> None:
    """A node is cut off with an open incident, which a person then ends at the desk alone."""
    play.hear(0.0, heartbeat())
    play.hear(1.0, press(1))
    play.ask(60.0, Reset(INCIDENT, "guard-desk", "real"))


def again(of: IncidentRecord) -> Remembered:
    """What a history knows of an incident that was ended."""
    return Remembered(closed=((of.key, of.presses),))
