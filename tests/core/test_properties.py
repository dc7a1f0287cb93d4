"""Whatever happens, in any order: an accepted press is posted, and stays in alarm until a reset.

Hypothesis plays a building (building.py). After each event the invariants of checks.py hold; over restarts the memories
are compared here. In the end everything works again, and then every alarm has to arrive, and can be reset.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from node.core.events import RecordRecovered, StopRequested
from node.core.line import ContactState
from node.core.memory import Step
from tests.core.building import INPUTS, LINKS, Building
from tests.core.playbook import EVENT_TOPIC, Playbook


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
            if not play.state.outbox.waiting and not play.state.outbox.spilled:
                break
            play.wait(9.9)
        assert not play.state.outbox.waiting
        assert not play.state.outbox.spilled
        assert {each.step for each in play.state.incidents} <= {Step.RECEIVED, Step.ACKNOWLEDGED}
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


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=250,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # an example plays hours of virtual time; the machine may be slow
)
