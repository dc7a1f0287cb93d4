"""A building for Hypothesis: fingers, contacts, disk, brokers, monitors and desks, in any order."""

from collections.abc import Callable
from itertools import count
from typing import Any, get_args

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from node.core import controller, delivery
from node.core.effects import ReadBacklog
from node.core.events import (
    AlarmHeard,
    BacklogRead,
    ClockRead,
    CredentialsSeen,
    EdgesDropped,
    EdgesLost,
    Event,
    HealthRead,
    LinkDown,
    OutputFailed,
    OutputRecovered,
    RecordFailed,
    RecordRecovered,
    StateHeard,
    TimePassed,
    WatchdogRead,
)
from node.core.model import Key
from node.core.settings import AlarmClass, Lamp, Receipts, Sound, Wiring
from node.errors.faults import TOO_HOT, UNDER_VOLTAGE
from node.protocol.monitor_messages import ReceiptKind
from tests.core.house import button, make_settings, one_of_each
from tests.core.playbook import BRANCH, UTC_OFFSET, Playbook

INPUTS = (
    button("loud"),
    button(
        "silent", wiring=Wiring.NORMALLY_CLOSED, alarm_class=AlarmClass.AMOK, sound=Sound.SILENT, lamp=Lamp.DISCREET
    ),
    button("mild", alarm_class=AlarmClass.ASSIST),
    button("pair", wiring=Wiring.CHANGEOVER),
    *one_of_each(),
)
LINKS = ("a", "b")
FOREIGN = "0000000f"
FLAWS: tuple[dict[str, Any], ...] = (
    {"retained": True},
    {"expiry_s": None},
    {"expiry_s": 99.0},
    {"boot": FOREIGN},
    {"action": "open-door"},
    {"malformed": "malformed: by is missing"},
    {"id": "c1"},
)

CHANGES: tuple[Callable[[float], Event], ...] = (
    lambda at: RecordFailed(at, "full"),
    RecordRecovered,
    lambda at: OutputFailed(at, "buzzer", "EIO"),
    lambda at: OutputRecovered(at, "buzzer"),
    lambda at: HealthRead(at, ((UNDER_VOLTAGE, ""), (TOO_HOT, ""))),
    lambda at: HealthRead(at, ()),
    lambda at: WatchdogRead(at, armed=False),
    lambda at: ClockRead(at, 0.0, synchronised=False),
    lambda at: ClockRead(at, 2e9, synchronised=True),
)
LINK_CHANGES: tuple[Callable[[float, str], Event], ...] = (
    lambda at, link: StateHeard(at, link, FOREIGN, 1, "online", retained=False),
    lambda at, link: StateHeard(at, link, "", 0, "deleted", retained=False),
    lambda at, link: AlarmHeard(at, link, FOREIGN, (), retained=False),
    lambda at, link: CredentialsSeen(at, link, {"broker": UTC_OFFSET + at + 86_400.0}, usable=False),
    lambda at, link: CredentialsSeen(at, link, {}, usable=True),
)

names = st.sampled_from([each.name for each in INPUTS])
links = st.sampled_from(LINKS)
codes = st.sampled_from([0, 0, 0x10, 0x87])
waits = st.sampled_from([0.001, 0.010, 0.1, 0.5, 1.0, 3.0, 5.0, 10.0, 20.0, 60.0, 300.0, 900.0])
chatter = st.lists(st.floats(0.0001, 0.030), min_size=1, max_size=6)
index = st.integers(0, 1_000)


class Building(RuleBasedStateMachine):
    """One process after the other (test_properties.py says how one ends), and all that acts on it."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for name, value in (("KEPT", 12), ("REFILL", 4), ("WINDOW", 3)):
            self.patch.setattr(delivery, name, value)
        self.boots = (f"{number:08x}" for number in count(11))
        self.remembered: set[str] = set()
        self.ended: set[str] = set()
        self.in_time = False
        self.asked: tuple[Key, ...] | None = None

    @initialize(
        receipts=st.sampled_from(Receipts),
        monitors=st.sampled_from([(), ("desk",)]),
        held=st.booleans(),
        connected=st.booleans(),
    )
    def switch_on(self, receipts: Receipts, monitors: tuple[str, ...], held: bool, connected: bool) -> None:
        """The first process ever, on one of several buildings."""
        named = monitors if receipts is Receipts.REQUIRED else ()
        made = make_settings(*INPUTS, links=LINKS, receipts=receipts, monitors=named, chatter_presses=10)
        actuated = {each.name: held and each.name == "loud" for each in INPUTS}
        self.play = Playbook(made, actuated=actuated)
        if connected:
            self.play.begin().connect("a").connect("b")
        self.look()

    def look(self) -> None:
        """After each scene."""
        asked = self.play.take(ReadBacklog)
        if asked:
            self.asked = asked[-1].known
        if self.play.loaded:
            missing = self.remembered - {each.id for each in self.play.state.incidents} - set(self.play.state.closed)
            assert not missing, "the record remembered an incident, and the node doesn't"
            self.remembered.clear()
        if self.in_time:
            assert self.ended.isdisjoint(each.id for each in self.play.state.incidents), (
                "a reset incident is open again"
            )

    def up(self) -> list[str]:
        """The links that are up."""
        return [link.name for link in self.play.state.supervision.links if link.up]

    # The wall.

    @rule(name=names)
    def press_or_release(self, name: str) -> None:
        """A finger, with edges and samples."""
        self.play.edge(name, not self.play.actuated[name]).wait(0.020)
        self.look()

    @rule(name=names)
    def lose_an_edge(self, name: str) -> None:
        """The contact moves, and only the sampler can tell."""
        self.play.actuated[name] = not self.play.actuated[name]
        self.play.sample().wait(0.030)
        self.look()

    @rule(name=names, gaps=chatter)
    def chatter(self, name: str, gaps: list[float]) -> None:
        """The contact bounces; some of it counts, some doesn't."""
        for gap in gaps:
            self.play.edge(name, not self.play.actuated[name]).wait(gap)
        self.look()

    @rule(name=names, wire=st.sampled_from([True, False, None]))
    def wire_breaks_or_is_mended(self, name: str, wire: bool | None) -> None:
        """A cable is cut or shorted, or somebody mends it."""
        self.play.wire(name, wire).wait(0.050)
        self.look()

    @rule(name=names, count=st.sampled_from([1, 100, 100_000]))
    def edges_are_dropped(self, name: str, count: int) -> None:
        """A line hums."""
        self.play >> EdgesDropped(self.play.now, name, count)
        self.look()

    @rule(name=names, count=st.sampled_from([1, 1_000]))
    def edges_are_lost(self, name: str, count: int) -> None:
        """The kernel had no room for them."""
        self.play >> EdgesLost(self.play.now, name, count)
        self.look()

    @rule(name=names, late_s=st.floats(0, 2))
    def edge_comes_late(self, name: str, late_s: float) -> None:
        """An edge with an old stamp."""
        self.play.edge(name, bool(self.play.actuated[name]), self.play.now - late_s)
        self.look()

    @rule(name=names, readable=st.booleans())
    def sample(self, name: str, readable: bool) -> None:
        """The sampler's beat, on pins that can be read or not."""
        level = self.play.actuated[name]
        if not readable:
            self.play.actuated[name] = None
        self.play.sample()
        self.play.actuated[name] = level
        self.look()

    # Time.

    @rule(seconds=waits)
    def wait(self, seconds: float) -> None:
        """Nothing but deadlines."""
        self.play.wait(seconds)
        self.look()

    @rule()
    def next_deadline(self) -> None:
        """Exactly one deadline, at its instant."""
        self.play >> TimePassed(max(self.play.now, controller.next_deadline(self.play.state)))
        self.look()

    @rule(early_s=st.floats(0, 30))
    def stale_deadline(self, early_s: float) -> None:
        """A TimePassed that nobody waits for any more."""
        self.play >> TimePassed(self.play.now - early_s)
        self.look()

    # The machine.

    @precondition(lambda self: not self.play.loaded)
    @rule()
    def record_loads(self) -> None:
        """In time or late."""
        self.in_time = not self.play.state.begun
        self.play.begin()
        self.look()

    @rule(stalled=st.booleans())
    def disk_stalls_or_goes_on(self, stalled: bool) -> None:
        """Nothing comes back from the disk for a while."""
        self.play.stalled = stalled

    @rule(change=st.sampled_from(CHANGES))
    def machine_changes(self, change: Callable[[float], Event]) -> None:
        """The disk, the outputs, the health, the watchdog or the clock say something."""
        self.play >> change(self.play.now)
        self.look()

    @precondition(lambda self: self.asked is not None and self.play.loaded)
    @rule()
    def backlog_is_read(self) -> None:
        """The record answers what it was asked."""
        waiting = self.play.disk.unreceipted(self.asked or ())
        self.asked = None
        self.play >> BacklogRead(self.play.now, waiting[:5], len(waiting) > 5)
        self.look()

    # The brokers.

    @rule(link=links, whole=st.booleans())
    def connect(self, link: str, whole: bool) -> None:
        """A session begins; the canary may still be on its way."""
        if whole:
            self.play.connect(link)
        else:
            self.play.link_up(link)
        self.look()

    @rule(link=links, taken_over=st.booleans(), problem=st.sampled_from([None, None, "F016", "F017"]))
    def disconnect(self, link: str, taken_over: bool, problem: str | None) -> None:
        """The session ends, or couldn't begin; the link may know why."""
        self.play >> LinkDown(self.play.now, link, self.play.session(link), "gone", taken_over, problem)
        self.look()

    @rule(link=links, number=index, code=codes)
    def answer_an_event(self, link: str, number: int, code: int) -> None:
        """The broker answers any event that was ever sent, most likely a recent one."""
        if self.play.sent:
            self.play.accepted(self.play.sent[-1 - number % len(self.play.sent)].key, code=code, link=link)
            self.look()

    @rule(refused=index, code=codes, receipts=st.booleans())
    def answer_all_but_one(self, refused: int, code: int, receipts: bool) -> None:
        """Brokers take all but one event, and a monitor that says nothing else may hold all but that one."""
        bad = list(self.play.state.waiting.events)[refused % max(1, len(self.play.state.waiting.events)) :][:1]
        for _ in range(40):
            sent, self.play.sent = self.play.sent, []
            for send in sent:
                self.play.accepted(send.key, code=code if send.key in bad else 0, link=send.link)
                if receipts and send.key not in bad:
                    self.play.receipt(send.key, link=send.link)
            self.look()
            if not self.play.sent:
                return
        raise AssertionError("each answer leads to another event")

    @rule(link=links, topic=st.sampled_from(["alarm", "state", "heartbeat", "reply"]), code=codes)
    def answer_another_topic(self, link: str, topic: str, code: int) -> None:
        """The broker takes or refuses what isn't an event."""
        self.play.answer(f"{BRANCH}/{topic}", code, None, link)
        self.look()

    @rule(unanswered=st.booleans())
    def path_dies_or_lives(self, unanswered: bool) -> None:
        """Heartbeats stay unanswered though the connection stands."""
        self.play.unanswered = unanswered

    @rule(link=links, change=st.sampled_from(LINK_CHANGES))
    def something_is_heard(self, link: str, change: Callable[[float, str], Event]) -> None:
        """On our own topics, written by whom ever; or the link looks at its certificates."""
        self.play >> change(self.play.now, link)
        self.look()

    # The building.

    @rule(link=links, name=st.sampled_from(["desk", "gate"]), boot=st.sampled_from(["m1", "m2"]), alive=st.booleans())
    def monitor_speaks(self, link: str, name: str, boot: str, alive: bool) -> None:
        """A heartbeat, a new start or a goodbye."""
        self.play.monitor(name, boot=boot, alive=alive, link=link)
        self.look()

    @rule(
        link=links,
        monitor=st.sampled_from(["desk", "gate"]),
        number=index,
        kind=st.sampled_from(get_args(ReceiptKind)),
    )
    def receipt_comes(self, link: str, monitor: str, number: int, kind: ReceiptKind) -> None:
        """For any event of any boot, most likely a recent one."""
        keys = list(self.play.disk.rows)
        if keys:
            self.play.receipt(keys[-1 - number % len(keys)], kind=kind, monitor=monitor, link=link)
            self.look()

    @precondition(lambda self: self.play.state.incidents)
    @rule(link=links, monitor=st.sampled_from(["desk", "gate"]), number=index)
    def people_are_told(self, link: str, monitor: str, number: int) -> None:
        """Of an open incident's newest press, whether or not it is held."""
        incidents = self.play.state.incidents
        self.play.receipt(incidents[number % len(incidents)].press, kind="told", monitor=monitor, link=link)
        self.look()

    @precondition(lambda self: self.play.state.incidents)
    @rule(
        action=st.sampled_from(["acknowledge", "reset", "silence"]), number=index, presses=st.integers(1, 3) | st.none()
    )
    def person_acts(self, action: str, number: int, presses: int | None) -> None:
        """On an open incident, having seen all presses or some."""
        incidents = self.play.state.incidents
        self.play.command(action, incident=incidents[number % len(incidents)].id, presses=presses, link="a")
        self.look()

    @rule(name=names | st.just("cellar"), for_s=st.sampled_from([1.0, 60.0, 3_600.0]))
    def input_is_inhibited(self, name: str, for_s: float) -> None:
        """For a while."""
        self.play.command("inhibit", input=name, for_s=for_s, reason="painters", link="a")
        self.look()

    @rule(for_s=st.sampled_from([1.0, 60.0]))
    def node_is_identified(self, for_s: float) -> None:
        """For a while."""
        self.play.command("identify", for_s=for_s, link="a")
        self.look()

    @rule(for_s=st.sampled_from([1.0, 60.0, 3_600.0]))
    def walk_test_begins(self, for_s: float) -> None:
        """Or begins anew."""
        self.play.command("walk-test", for_s=for_s, link="a")
        self.look()

    @rule()
    def walk_test_is_ended(self) -> None:
        """Where one holds."""
        self.play.command("walk-test-end", link="a")
        self.look()

    @rule(
        action=st.sampled_from(["acknowledge", "reset", "silence", "inhibit", "walk-test"]), flaw=st.sampled_from(FLAWS)
    )
    def flawed_command_comes(self, action: str, flaw: dict[str, Any]) -> None:
        """Old, retained, of another boot, unknown, malformed, or one that came before."""
        incident = next((each.id for each in self.play.state.incidents), "0000000f-99")
        wanted = {"action": action, "incident": incident, "input": "loud", "for_s": 60.0, "reason": "test", "link": "a"}
        self.play.command(**{**wanted, **flaw})
        self.look()
