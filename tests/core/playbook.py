"""A play for the core, after mitmproxy's idea: events go in with ``>>``, and what they lead to is compared with ``<<``.

    play >> LinkDown(play.now, "broker", 1, "reset") << [SetLamp(LampPattern.NOBODY)]

Rules:

1. ``<<`` compares the whole list of effects since the last look, in order. An expected effect may be given as itself,
   as its type, or (for ``Append``) as ``Logged(kind, …)``.
2. ``play.only(SetLamp) << […]`` compares the effects of these types alone; ``play.skip()`` drops a scene that only
   leads to the next one. Both say so in the test.
3. A play that ends with effects nobody looked at fails: ``end``, which the fixture ``stage`` calls.
4. The play is the panel and the clock. It reads the inputs when it is asked to (so ``SampleAt`` is never listed), and
   ``until`` lets the deadlines come. When time passes, the disk has stored everything and the brokers have answered
   every heartbeat, unless the test says ``stalled`` or ``unanswered``, or names the links that are ``mute``.
5. After each event the invariants of checks.py hold.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, TypeVar

from msgspec.structs import replace

from node.core import controller
from node.core.effects import (
    Append,
    Effect,
    LoggedEvent,
    Reply,
    SampleAt,
    SendEvent,
    SendHeartbeat,
    SendReply,
    ShowLadder,
    StoreSnapshot,
)
from node.core.events import (
    BacklogRead,
    CanaryHeard,
    CommandHeard,
    ConfigurationRead,
    EdgesDropped,
    EdgeSeen,
    Event,
    EventsStored,
    LevelsRead,
    LinkDown,
    LinkUp,
    MonitorHeard,
    PublishAnswered,
    ReceiptHeard,
    RecordLoaded,
    TimePassed,
)
from node.core.model import Key, Step
from node.core.settings import InputSettings, Settings
from node.core.state import State
from tests.core.checks import Checks
from tests.core.outside import Broker, Disk
from tests.core.scenes import Expected, View, compare

START = 1_000.0
REBOOTED = 5.0
UTC_OFFSET = 1_700_000_000.0
BOOT = "0000000a"
LINK = "broker"
SPINS = 100
BRANCH = "alarm/v1/mitte/node/room-214"
EVENT_TOPIC = f"{BRANCH}/event"
HEARTBEAT_TOPIC = f"{BRANCH}/heartbeat"

Stage = Callable[..., "Playbook"]
"""The fixture ``stage`` (conftest.py): begins a play."""

_E = TypeVar("_E")


class Playbook:
    """One process of a node, on its wall, with its disk and its brokers. ``now`` is the time on the clock."""

    def __init__(
        self,
        settings: Settings,
        *,
        boot: str = BOOT,
        at: float = START,
        disk: Disk | None = None,
        brokers: Mapping[str, Broker] | None = None,
        actuated: Mapping[str, bool | None] | None = None,
        wires: Mapping[str, bool] | None = None,
    ) -> None:
        self.settings = settings
        self.state: State = controller.start(settings, boot, at, UTC_OFFSET)
        self.now = at
        self.disk = disk or Disk()
        self.remembered = self.disk.restored()
        self.outstanding = self.disk.unreceipted()
        self.brokers = dict(brokers or {name: Broker(name) for name in settings.links})
        self.actuated: dict[str, bool | None] = dict(actuated or {each.name: False for each in settings.inputs})
        self.wires = dict(wires or {})
        self.logged: list[LoggedEvent] = []
        self.sent: list[SendEvent] = []
        self.samples = 0
        self.stalled = False
        self.unanswered = False
        self.mute: set[str] = set()
        self._effects: list[Effect] = []
        self._pending: list[Effect] = []
        self.loaded = False
        self._requests: list[float] = []
        self._dropped: Counter[str] = Counter()
        self._sessions = dict.fromkeys(settings.links, 0)
        self._beats: list[SendHeartbeat] = []
        self._stored, self._unwritten = 0, False
        self._commands = 0
        self._checks = Checks(self.state)

    # What happens, and what it leads to.

    def __rshift__(self, event: Event) -> Self:
        self.now = max(self.now, event.at)
        self.state, effects = controller.handle(self.state, event)
        self._checks.check(event, self.state, effects)
        self._pending += effects
        if self.loaded:
            self.disk.take(self._pending)
            self._pending.clear()
        for effect in effects:
            for broker in self.brokers.values():
                broker.take(effect, self.state.boot, self.now)
            match effect:
                case SampleAt(at):
                    self._requests.append(at)
                    continue
                case Append(logged):
                    self.logged.append(logged)
                case StoreSnapshot():
                    self._unwritten = True
                case SendEvent():
                    self.sent.append(effect)
                case SendHeartbeat():
                    self._beats.append(effect)
            self._effects.append(effect)
        return self

    def __lshift__(self, expected: list[Expected]) -> Self:
        compare(expected, self._effects)
        return self.skip()

    def take(self, kind: type[_E]) -> list[_E]:
        """The effects of this type since the last look; the others count as looked at."""
        found: list[_E] = [effect for effect in self._effects if isinstance(effect, kind)]
        self.skip()
        return found

    def kinds(self) -> list[str]:
        """The kinds of the events appended since the last look; all other effects count as looked at."""
        return [effect.event.kind for effect in self.take(Append)]

    def replies(self) -> list[Reply]:
        """The answers to commands since the last look; all other effects count as looked at."""
        return [send.reply for send in self.take(SendReply)]

    def steps(self) -> list[str]:
        """The steps shown since the last look; all other effects count as looked at."""
        return [shown.step.value for shown in self.take(ShowLadder)]

    def only(self, *kinds: type[Effect]) -> View:
        """A view of the effects of these types since the last look; the others count as looked at."""
        found = [effect for effect in self._effects if isinstance(effect, kinds)]
        self.skip()
        return View(found)

    def skip(self) -> Self:
        """Drop what came since the last look: it isn't what the test is about."""
        self._effects.clear()
        return self

    def end(self) -> None:
        """Fail when effects came that nobody looked at."""
        assert not self._effects, "nobody looked at:\n" + "\n".join(map(repr, self._effects))

    # Time.

    def until(self, at: float) -> Self:
        """Let time pass to ``at``: deadlines come, and inputs are read when that is asked for."""
        self._answer_all()
        still, times = self.now, 0
        while (due := self._due()) <= at:
            still, times = self.now, times + 1 if still == self.now else 0
            assert times < SPINS, "the core wants to be called again and again at the same instant"
            self.now = max(due, self.now)
            if due == controller.next_deadline(self.state):
                self >> TimePassed(self.now)
            else:
                self.sample()
            if self._due() <= at:
                self._answer_all()
        self.now = max(self.now, at)
        return self

    def wait(self, seconds: float) -> Self:
        """Let so much time pass."""
        return self.until(self.now + seconds)

    def _due(self) -> float:
        return min([controller.next_deadline(self.state), *self._requests])

    def _answer_all(self) -> None:
        while not self.stalled and (self._unwritten or self._stored < len(self.logged)):
            self.stored()
        beats, self._beats = self._beats, []
        for beat in beats if not self.unanswered else ():
            if beat.link not in self.mute:
                self >> PublishAnswered(self.now, beat.link, beat.session, HEARTBEAT_TOPIC, 0)

    # The wall.

    def sample(self) -> Self:
        """Read every input now."""
        self.samples += 1
        self._requests = [at for at in self._requests if at > self.now]
        self._tell_dropped()
        return self >> LevelsRead(
            self.now, {line: level for each in self.settings.inputs for line, level in self._levels(each).items()}
        )

    def edge(self, name: str, actuated: bool, at: float | None = None) -> Self:
        """An edge of each of its lines comes in now; ``at`` is its own time stamp, where that is another one."""
        before = self._levels(self.settings.input(name))
        self.actuated[name] = actuated
        self._tell_dropped()
        return self._edges(name, before, self.now if at is None else at)

    def drop_edge(self, name: str) -> None:
        """An edge of this input had no room; that is told before what comes next."""
        self._dropped[name] += 1

    def _tell_dropped(self) -> None:
        while self._dropped:
            name, count = self._dropped.popitem()
            self >> EdgesDropped(self.now, name, count)

    def wire(self, name: str, high: bool | None) -> Self:
        """All lines of an input are high (cut) or low (shorted to ground), or its cable is mended (None)."""
        settings = self.settings.input(name)
        before = self._levels(settings)
        for line in settings.lines:
            self.wires.pop(line, None)
            if high is not None:
                self.wires[line] = high
        return self._edges(name, before, self.now)

    def _levels(self, settings: InputSettings) -> dict[str, bool | None]:
        actuated = self.actuated[settings.name]
        if actuated is None:
            return dict.fromkeys(settings.lines)
        by_contact = {line: settings.wiring.actuated(actuated, number) for number, line in enumerate(settings.lines)}
        return {line: self.wires.get(line, high) for line, high in by_contact.items()}

    def _edges(self, name: str, before: Mapping[str, bool | None], at: float) -> Self:
        """A single line's edge comes even where it tells nothing new; of two, those that change."""
        levels = self._levels(self.settings.input(name))
        for line, high in levels.items():
            if high is not None and (len(levels) == 1 or high is not before[line]):
                self >> EdgeSeen(at, line, high)
        return self

    def press(self, name: str = "button") -> Self:
        """Actuate a button, and wait until that is decided."""
        return self.edge(name, True).wait(self.settings.debounce_s)

    def release(self, name: str = "button") -> Self:
        """Let it go, and wait until that is decided."""
        return self.edge(name, False).wait(self.settings.debounce_s)

    def tap(self, name: str = "button") -> Self:
        """Press and release."""
        return self.press(name).release(name)

    # The record.

    def load(self) -> Self:
        """The record says what it remembered when this process started, and writes from now on."""
        self.loaded = True
        self >> RecordLoaded(self.now, self.remembered)
        return self >> BacklogRead(self.now, self.outstanding, more=False) if self.outstanding else self

    def begin(self) -> Self:
        """The record answers, and the inputs are read for the first time."""
        return self.load().sample()

    def stored(self) -> Self:
        """Everything that was handed to the record is on the disk."""
        keys = tuple(event.key for event in self.logged[self._stored :])
        self._stored, self._unwritten = len(self.logged), False
        return self >> EventsStored(self.now, keys)

    # The links.

    def session(self, link: str = LINK) -> int:
        """The number of this link's newest session."""
        return self._sessions[link]

    def link_up(self, link: str = LINK) -> Self:
        """A session begins; nothing was read in it yet."""
        self._sessions[link] += 1
        return self >> LinkUp(self.now, link, self._sessions[link])

    def link_down(self, link: str = LINK, *, taken_over: bool = False) -> Self:
        """The session ends."""
        return self >> LinkDown(self.now, link, self._sessions[link], "gone", taken_over)

    def canary(self, link: str = LINK) -> Self:
        """The canary comes back."""
        return self >> CanaryHeard(self.now, link, self.state.boot, self._sessions[link])

    def connect(self, link: str = LINK) -> Self:
        """A session begins, every retained value comes, then the canary."""
        retained = self.brokers[link].retained(self.now)
        self.link_up(link)
        for event in retained:
            self >> event
        return self.canary(link)

    def answer(self, topic: str, code: int = 0, key: Key | None = None, link: str = LINK) -> Self:
        """The broker answers a publish."""
        return self >> PublishAnswered(self.now, link, self._sessions[link], topic, code, key)

    def accepted(self, key: Key | None = None, *, code: int = 0, link: str = LINK) -> Self:
        """The broker answers an event, the newest press unless ``key`` names another."""
        return self.answer(EVENT_TOPIC, code, key or self.pressed, link)

    def receipt(
        self, key: Key | None = None, *, kind: Literal["held", "told"] = "held", monitor: str = "desk", link: str = LINK
    ) -> Self:
        """A monitor says of an event, the newest press unless ``key`` names another, that it is held, or told."""
        return self >> ReceiptHeard(self.now, link, monitor, key or self.pressed, kind)

    def told(self, key: Key | None = None, *, monitor: str = "desk", link: str = LINK) -> Self:
        """A monitor holds an event, the newest press unless ``key`` names another, and people were told of it."""
        self.receipt(key, monitor=monitor, link=link)
        return self.receipt(key, kind="told", monitor=monitor, link=link)

    def monitor(self, name: str = "desk", *, boot: str = "m0000001", alive: bool = True, link: str = LINK) -> Self:
        """A monitor's heartbeat."""
        return self >> MonitorHeard(self.now, link, name, boot, alive)

    def command(self, action: str, **fields: Any) -> Self:
        """A command as it should be; ``fields`` of CommandHeard change it, all others are arguments."""
        self._commands += 1
        named = {name: fields.pop(name) for name in list(fields) if name in CommandHeard.__struct_fields__}
        command = CommandHeard(
            self.now, LINK, f"c{self._commands}", self.state.boot, action, "guard-desk", 10.0, 10.0, False, fields
        )
        return self >> replace(command, **named)

    def reload(self, problem: str = "", **changes: Any) -> Self:
        """node.toml was read again: with these settings changed, or with a problem."""
        if problem:
            return self >> ConfigurationRead(self.now, problem)
        self.settings = replace(self.settings, **changes)
        for link in self.settings.links:
            self._sessions.setdefault(link, 0)
            self.brokers.setdefault(link, Broker(link))
        return self >> ConfigurationRead(self.now, "", self.settings, ("its brokers",))

    # What is known.

    @property
    def pressed(self) -> Key:
        """The event of the newest press."""
        return self.newest("pressed")

    @property
    def incident(self) -> str:
        """The id of the incident with the newest press."""
        return self.state.incidents[-1].id

    def step(self) -> Step:
        """How far the call of the incident with the newest press has got."""
        return self.state.incidents[-1].step

    def newest(self, kind: str) -> Key:
        """The newest event of this kind."""
        return next(event.key for event in reversed(self.logged) if event.kind == kind)

    def faults(self) -> list[tuple[str, str]]:
        """What stands: (code, subject)."""
        return sorted((fault.code, fault.subject) for fault in self.state.faults)

    def next_process(
        self, *, boot: str = "0000000b", reboot: bool = False, away_s: float = 0.0, settings: Settings | None = None
    ) -> Self:
        """The next process on the same wall, disk and brokers; after a reboot the machine's clock begins anew."""
        play = type(self)(
            settings or self.settings,
            boot=boot,
            at=REBOOTED if reboot else self.now + away_s,
            disk=self.disk,
            brokers=self.brokers,
            actuated=self.actuated,
            wires=self.wires,
        )
        play.remembered = replace(play.remembered, same_kernel=not reboot)
        return play
