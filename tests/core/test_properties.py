"""Whatever happens, in any order: an accepted press is posted, and stays in alarm until a reset.

Hypothesis plays a building (building.py). After each event the invariants of checks.py hold; over restarts the memories
are compared here. In the end everything works again, and then every alarm has to arrive, and can be reset.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from node.core.events import RecordRecovered, StopRequested
from node.core.line import ContactState
from node.core.model import Step
from node.core.settings import Receipts, Wiring
from tests.core.building import INPUTS, LINKS, Building
from tests.core.house import button, make_settings
from tests.core.playbook import EVENT_TOPIC, Playbook
from tests.support.examples import examples

GOOD_ENDS = {
    Receipts.REQUIRED: {Step.TOLD, Step.ACKNOWLEDGED},
    Receipts.NONE: {Step.STORED, Step.ACCEPTED, Step.ACKNOWLEDGED},
}


class Life(Building):
    """One process after the other, up to a good end."""

    # The end of a process.

    @rule()
    def stop(self) -> None:
        """A clean end; what follows it mustn't bring the node to life."""
        self.play >> StopRequested(self.play.now, "update")
        self.look()

    @rule(reboot=st.booleans(), away_s=st.sampled_from([0.0, 1.0, 1_000.0]))
    def restart(self, reboot: bool, away_s: float) -> None:
        """A crash, a kill, an update or a power cut: the record is all there."""
        before = self.play
        self.remembered |= {each.id for each in before.disk.snapshot.incidents} if before.disk.snapshot else set()
        if before.loaded:
            assert self.remembered == {each.id for each in before.state.incidents}, "an open incident isn't stored"
        self.ended = set(before.disk.closed) - self.remembered
        self.play = before.next_process(boot=next(self.boots), reboot=reboot, away_s=away_s)
        self.asked, self.in_time = None, False

    @rule(away_s=st.sampled_from([0.0, 1_000.0]))
    def restart_without_a_record(self, away_s: float) -> None:
        """The record was deleted meanwhile: what a broker lists is open once it was read there."""
        before = self.play
        self.remembered.clear()
        self.ended.clear()
        self.play = Playbook(
            before.settings,
            boot=next(self.boots),
            at=before.now + away_s,
            brokers=before.brokers,
            actuated=before.actuated,
        )
        self.asked = None
        listed = {name: {each.id for each in broker.incidents} for name, broker in before.brokers.items()}
        self.play.begin()
        for name, ids in listed.items():
            self.play.connect(name)
            assert ids <= {each.id for each in self.play.state.incidents}, "a broker's incident wasn't adopted"
        self.look()

    def teardown(self) -> None:
        """Everything works again: then every alarm arrives, and every incident can be reset."""
        try:
            if hasattr(self, "play"):
                self.all_is_well()
        finally:
            self.patch.undo()

    def all_is_well(self) -> None:
        """Nothing is stalled, nobody presses, both brokers and a monitor are there."""
        play = self.play
        if play.state.stopping or not play.loaded:
            play = self.play = play.next_process(boot=next(self.boots))
            play.begin()
        play.stalled = play.unanswered = False
        play.actuated = dict.fromkeys(play.actuated, False)
        play.wires.clear()
        play >> RecordRecovered(play.now)
        for link in LINKS:
            play.connect(link)
        for _ in range(100):
            play.sample().monitor("desk", link="a").wait(0.1)
            self.deliver()
            if not play.state.waiting.events and not play.state.waiting.spilled:
                break
            play.wait(9.9)
        assert not play.state.waiting.events
        assert not play.state.waiting.spilled
        play.monitor("desk", link="a")
        for incident in play.state.incidents:
            play.receipt(incident.press, kind="told", link="a")
        assert {each.step for each in play.state.incidents} <= GOOD_ENDS[play.settings.receipts]
        assert all(play.state.contact_state(each.name) is ContactState.NORMAL for each in INPUTS)
        for incident in play.state.incidents:
            play.command("reset", incident=incident.id, link="a", id=f"end-{incident.id}")
        self.deliver()
        assert play.state.incidents == ()
        assert all(broker.incidents == () for broker in play.brokers.values())

    def deliver(self) -> None:
        """The broker takes all that was sent, the monitor has it, and the record reads on."""
        for _ in range(200):
            sent, self.play.sent = self.play.sent, []
            for send in sent:
                self.play.answer(EVENT_TOPIC, 0, send.key, send.link).receipt(send.key, link="a")
            self.look()
            if self.asked is not None:
                self.backlog_is_read()
            elif not self.play.sent:
                return
        raise AssertionError("each receipt leads to another event")


Life.TestCase.settings = settings(max_examples=examples(250), stateful_step_count=40)
TestLife = pytest.mark.timeout(600)(Life.TestCase)


buttons = st.sampled_from(["desk", "pair"])

RECENT_S = 300.0
"""For so long after a press its button isn't tested anew (walk_test.py)."""


class WalkTester(RuleBasedStateMachine):
    """Buttons that are tested, in any order of what a finger, a contact and a commander may do.

    checks.py looks after each event: a second press in a walk test, or one that is held for 2 s, is an incident.
    """

    def __init__(self) -> None:
        super().__init__()
        both = (button("desk"), button("pair", wiring=Wiring.CHANGEOVER))
        made = make_settings(*both, chatter_presses=1_000, heartbeat_s=3_600.0)
        self.play = Playbook(made).begin().connect()

    @initialize()
    def begin_first(self) -> None:
        """It is about walk tests."""
        self.begin(600.0)

    @rule(for_s=st.sampled_from([1.0, 3.0, 600.0]))
    def begin(self, for_s: float) -> None:
        """A walk test, while another one may hold."""
        self.play.command("walk-test", for_s=for_s)

    def afresh(self, name: str) -> None:
        """This button is at rest, has no incident, and is to be tested."""
        self.play.wire(name, None).edge(name, False).wait(0.1)
        self.reset()
        self.end()
        self.play.wait(RECENT_S)
        self.begin(600.0)

    @rule()
    def end(self) -> None:
        """By command, where one holds."""
        self.play.command("walk-test-end")

    @rule(name=buttons)
    def move(self, name: str) -> None:
        """A press or a release, not decided yet."""
        self.play.edge(name, not self.play.actuated[name])

    @rule(name=buttons)
    def tap(self, name: str) -> None:
        """A whole press, and the rest after it."""
        self.play.tap(name)

    @rule(
        name=buttons,
        afresh=st.booleans(),
        wire=st.sampled_from([None, True, False]),
        held_s=st.sampled_from([1.0, 1.97, 2.0, 3.0]),
    )
    def hold(self, name: str, afresh: bool, wire: bool | None, held_s: float) -> None:
        """For about 2 s; its wire may break meanwhile."""
        if afresh:
            self.afresh(name)
        self.play.press(name).wire(name, wire).wait(held_s)

    @rule(name=buttons, gaps=st.lists(st.floats(0.0001, 0.030), min_size=1, max_size=6))
    def bounce(self, name: str, gaps: list[float]) -> None:
        """Some of it may count."""
        for gap in gaps:
            self.play.edge(name, not self.play.actuated[name]).wait(gap)

    @rule(
        name=buttons,
        afresh=st.booleans(),
        after_s=st.sampled_from([0.0, 0.05, 1.95, 2.05]),
        late_s=st.sampled_from([0.05, 1.0, 3.0]),
    )
    def move_and_tell_late(self, name: str, afresh: bool, after_s: float, late_s: float) -> None:
        """The thread that brings the edges sleeps meanwhile, and so does the sampler."""
        if afresh:
            self.afresh(name)
        stamps = [self.play.now, self.play.now + after_s]
        self.play.wait(after_s + late_s)
        for at in stamps:
            self.play.edge(name, not self.play.actuated[name], at)
        self.play.sample()

    @rule(name=buttons)
    def lose_an_edge(self, name: str) -> None:
        """Only the sampler can tell."""
        self.play.actuated[name] = not self.play.actuated[name]
        self.play.sample().wait(0.030)

    @rule(name=buttons)
    def mend(self, name: str) -> None:
        """The wire that broke."""
        self.play.wire(name, None)

    @rule(name=buttons, level=st.booleans())
    def cannot_be_read(self, name: str, level: bool) -> None:
        """For so long that it is unknown; then it is found as it is."""
        self.play.actuated[name] = None
        self.play.sample().wait(6.0)
        self.play.actuated[name] = level
        self.play.sample().wait(0.030)

    @rule(seconds=st.sampled_from([0.005, 0.020, 0.5, 1.0, 1.96, 1.98, 2.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Whatever is due comes."""
        self.play.wait(seconds)

    @rule(name=buttons)
    def inhibit(self, name: str) -> None:
        """For a moment."""
        self.play.command("inhibit", input=name, for_s=1.0, reason="painters")

    @precondition(lambda self: self.play.state.incidents)
    @rule()
    def reset(self) -> None:
        """So that the next press may begin an incident."""
        for incident in self.play.state.incidents:
            self.play.command("reset", incident=incident.id)

    @precondition(lambda self: self.play.state.awaited_tests)
    @rule()
    def receipt(self) -> None:
        """The building has the newest test."""
        self.play.receipt(self.play.newest("tested"))

    def teardown(self) -> None:
        """At rest no test is awaited any more, but from the building."""
        self.play.wires.clear()
        self.play.actuated = dict.fromkeys(self.play.actuated, False)
        self.play.sample().wait(5.0)
        assert self.play.state.held_due == {}


WalkTester.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=30)
TestWalkTester = pytest.mark.timeout(600)(WalkTester.TestCase)
