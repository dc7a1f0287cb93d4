"""A hub as the tests play it: in virtual time, with a history that stores at once or not at all."""

from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from node.core.settings import AlarmClass
from node.monitor.core.decisions.batch import Remembered
from node.monitor.core.decisions.ledger import Decisions, Moment, Respond, SendCommand, SendReceipt
from node.monitor.core.hub import Hub
from node.monitor.core.model.monitor_settings import Target
from node.monitor.core.model.records import IncidentKey, IncidentRecord, NodeKey, Tally
from node.monitor.core.model.requests import Answer, Request, Reset
from node.monitor.core.nodes.events.sequence import merged
from node.protocol.messages import Event
from node.protocol.monitor_messages import ReceiptKind
from tests.monitor.core.node_messages import BOOT, BROKER, ROOM, START, heartbeat, moment, press, reply
from tests.monitor.core.settings import settings_of

INCIDENT = IncidentKey(*ROOM, f"{BOOT}-1")
ESCALATE_S = 60.0
TWO_GROUPS = (Target("t0", "json://x"), Target("t1", "json://x", level=1))


class Play:
    """A hub in a time that passes whenever a test wants it.

    Its history stores at once, unless ``store`` is False; its targets take every message at once, unless ``tell`` is;
    its nodes answer every probe, unless ``obey`` is.
    ``has``: what the history has of a boot, whoever stored it.
    """

    def __init__(self, memory: Remembered | None = None, **changes: Any) -> None:
        self.hub = Hub(settings_of(**changes), moment(0.0), memory or Remembered(), "0000cafe")
        self.store = self.tell = self.obey = True
        self.first: dict[tuple[NodeKey, str, int], float] = {}
        self.has: dict[tuple[NodeKey, str], list[tuple[int, int]]] = {}
        self.all = Decisions()
        self.asked = 0
        self.hub.link_up(moment(0.0), BROKER)
        self._settle(moment(0.0))

    def until(self, at: float) -> None:
        """Let time pass, up to and with ``at``."""
        while self.hub.next_due <= at:
            now = moment(self.hub.next_due)
            self.hub.time_passed(now)
            self._settle(now)

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
        """A node says something at ``at``; what it says again is older by then."""
        self.until(at)
        if isinstance(message, Event) and message.age_ms == 0:
            first = self.first.setdefault((node, message.boot, message.seq), at)
            message = replace(message, age_ms=round((at - first) * 1000))
        self.hub.hear(moment(at), broker, node, message, retained=retained, unknown=unknown)
        self._settle(moment(at))

    def ask(self, at: float, request: Request) -> int:
        """Somebody asks for something; the number of the request."""
        self.until(at)
        self.asked += 1
        self.hub.ask(moment(at), self.asked, request)
        self._settle(moment(at))
        return self.asked

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

    def found(self) -> list[str]:
        """The codes of the open findings, sorted."""
        return sorted(key.code for key in self.hub.ledger.open)

    def record(self) -> IncidentRecord:
        """The newest record of an incident that the history was given."""
        return self.all.incidents[-1]

    def _settle(self, now: Moment) -> None:
        decisions = self.hub.take()
        for name in Decisions.__struct_fields__:
            getattr(self.all, name).extend(getattr(decisions, name))
        if self.store and (decisions.events or decisions.tallies):
            for tally in decisions.tallies:
                self.has.setdefault((tally.node, tally.boot), []).extend(tally.ranges)
            self.hub.receipts.stored(now, [each.key for each in decisions.events])
            asked = [each for each in decisions.tallies if not each.ranges]
            self.hub.receipts.counted(
                Tally(node=each.node, boot=each.boot, ranges=tuple(merged(self.has[each.node, each.boot])))
                for each in asked
            )
            self._settle(now)
        if self.obey:
            for say in decisions.says:
                if isinstance(say, SendCommand) and say.action == "probe":
                    self.hub.hear(now, BROKER, say.node, reply(say.id, node=say.node), retained=False)
        if self.tell:
            for notice in decisions.notices:
                if notice.is_call:
                    key = IncidentKey(notice.site, notice.node, notice.incident)
                    self.accept(now.at, key, notice.presses)

    def accept(self, at: float, incident: IncidentKey = INCIDENT, presses: int = 1) -> None:
        """A target takes a message about a call at ``at``."""
        self.until(at)
        self.hub.accepted(moment(at), incident, presses)
        self._settle(moment(at))


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
