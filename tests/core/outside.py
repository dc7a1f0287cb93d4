"""What outlives a process, as far as the core can tell: the record's disk and the brokers' retained topics."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from node.core.effects import Append, Effect, MarkReceived, ReadBacklog, SendAlarm, SendState, StoreSnapshot
from node.core.events import AlarmHeard, Event, StateHeard
from node.core.model import BROKER, Key, ListedIncident, Restored, Snapshot, Step
from node.core.turn import CLOSED_KEPT

OLD_BOOT = "0000000f"

_HEARD_STEPS = {Step.TOLD: Step.TOLD, Step.ACKNOWLEDGED: Step.ACKNOWLEDGED}


def backlog(alarms: int = 0, telemetry: int = 0) -> tuple[tuple[Key, bool], ...]:
    """What a record still has of an earlier boot; alarms first."""
    return tuple((Key(OLD_BOOT, number + 1), number < alarms) for number in range(alarms + telemetry))


@dataclass(slots=True)
class Disk:
    """All that was handed to the record, as if each sync had succeeded at once."""

    rows: dict[Key, bool] = field(default_factory=dict)
    received: dict[Key, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    snapshot: Snapshot | None = None

    def take(self, effects: Iterable[Effect]) -> None:
        """Store what these effects ask for."""
        for effect in effects:
            match effect:
                case Append(event, snapshot):
                    self.rows[event.key] = event.is_alarm
                    self.snapshot = snapshot
                    if event.kind == "reset" and event.incident is not None:
                        self.closed.append(event.incident)
                case StoreSnapshot(snapshot):
                    self.snapshot = snapshot
                case MarkReceived(key, by):
                    self.received.setdefault(key, by)
                case ReadBacklog(taken=True):
                    self.received = {key: by for key, by in self.received.items() if by != BROKER}

    def unreceipted(self, known: Iterable[Key] = ()) -> tuple[tuple[Key, bool], ...]:
        """What nobody holds yet, beside ``known``; alarms first."""
        kept = {*self.received, *known}
        waiting = [(key, alarm) for key, alarm in self.rows.items() if key not in kept]
        return tuple(sorted(waiting, key=lambda each: not each[1]))

    def restored(self, *, same_kernel: bool = True) -> Restored:
        """What a new process is told first."""
        return Restored(
            snapshot=self.snapshot,
            same_kernel=same_kernel,
            previous=next(reversed(self.rows), None),
            closed=tuple(self.closed[-CLOSED_KEPT:]),
        )


@dataclass(slots=True)
class Broker:
    """A broker's retained topics; ``sent`` is when the list was published, since only what is left of a sound travels.

    ``boot`` None: nothing was ever published.
    """

    name: str
    boot: str | None = None
    incidents: tuple[ListedIncident, ...] = ()
    sent: float = 0.0
    state: tuple[str, int, str] | None = None

    def take(self, effect: Effect, boot: str, at: float) -> None:
        """Keep what is published retained on this broker."""
        match effect:
            case SendAlarm(self.name, _, incidents):
                self.boot, self.incidents, self.sent = boot, incidents, at
            case SendState(self.name, session, state):
                self.state = (boot, session, state)

    def retained(self, at: float) -> list[Event]:
        """What a new subscriber is sent, before anything that is published after it came."""
        events: list[Event] = []
        if self.state is not None:
            events.append(StateHeard(at, self.name, *self.state, retained=True))
        if self.boot is not None:
            heard = tuple(self._heard(each, at) for each in self.incidents)
            events.append(AlarmHeard(at, self.name, self.boot, heard, retained=True))
        return events

    def _heard(self, listed: ListedIncident, at: float) -> ListedIncident:
        left = 0.0 if listed.sounding_until is None else max(0.0, listed.sounding_until - self.sent)
        step = _HEARD_STEPS.get(listed.step, Step.PRESSED)
        return replace(listed, step=step, sounding_until=at + left if left > 0 else None)
