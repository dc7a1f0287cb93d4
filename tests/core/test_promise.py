"""The promise at the wall: *received* means that people were told, and a call that nobody was told of is shown as that.

Whatever order presses, brokers' answers, receipts of either kind, silence and restarts come in: a small model of its
own says what the lamp must say. checks.py looks at each step, too.
"""

from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from node.core.effects import SendEvent
from node.core.model import Incident, Key, Step
from node.core.settings import Receipts
from node.core.signals import LampPattern
from node.core.supervision import MONITOR_HEARD_S
from node.protocol.monitor_messages import ReceiptKind
from tests.core.house import button, make_settings
from tests.core.playbook import LINK, Playbook
from tests.support.examples import examples

RECEIPT_S = 10.0
kinds = st.sampled_from(get_args(ReceiptKind))


class Promise(RuleBasedStateMachine):
    """One button, one broker, and a monitor whose history and whose channels may each fail."""

    def __init__(self) -> None:
        super().__init__()
        self.play = Playbook(make_settings(button(), receipt_s=RECEIPT_S, chatter_presses=10_000)).begin().connect()
        self.boots = iter(f"{number:08x}" for number in range(11, 1_000))
        self.told: set[Key] = set()
        self.held: set[Key] = set()

    @property
    def call(self) -> Incident | None:
        """The open incident."""
        return self.play.state.incident_of("button")

    def calls(self) -> list[Key]:
        """All events of every boot that call for help, oldest first."""
        return [key for key, alarm in self.play.disk.rows.items() if alarm]

    @rule()
    def press(self) -> None:
        """For the first time, or once more."""
        self.play.tap()

    @precondition(lambda self: self.call)
    @rule(kind=kinds)
    def monitor_speaks_of_the_newest(self, kind: ReceiptKind) -> None:
        """It has stored the call, or a channel took it, in any order."""
        assert self.call is not None
        self.say(self.call.press, kind)
        assert kind == "held" or self.call.step in (Step.TOLD, Step.ACKNOWLEDGED)

    @precondition(lambda self: self.calls())
    @rule(number=st.integers(0, 100), kind=kinds)
    def monitor_speaks_of_any(self, number: int, kind: ReceiptKind) -> None:
        """Late, again, or of a boot that is long over."""
        keys = self.calls()
        self.say(keys[number % len(keys)], kind)

    def say(self, key: Key, kind: ReceiptKind) -> None:
        """One receipt."""
        (self.told if kind == "told" else self.held).add(key)
        self.play.receipt(key, kind=kind)

    @rule()
    def monitor_is_there(self) -> None:
        """Its heartbeat."""
        self.play.monitor()

    @precondition(lambda self: self.call)
    @rule(code=st.sampled_from([0x00, 0x10, 0x87]))
    def broker_answers(self, code: int) -> None:
        """It takes the newest call, knows of nobody who listens, or refuses it."""
        assert self.call is not None
        self.play.accepted(self.call.press, code=code)

    @rule(seconds=st.sampled_from([0.1, 1.0, 9.9, RECEIPT_S, MONITOR_HEARD_S, 60.0]))
    def time_passes(self, seconds: float) -> None:
        """Nothing is said."""
        self.play.wait(seconds)

    @precondition(lambda self: self.call)
    @rule(action=st.sampled_from(["acknowledge", "reset"]))
    def person_acts(self, action: str) -> None:
        """Somebody is coming, or it is over."""
        assert self.call is not None
        self.play.command(action, incident=self.call.id)

    @rule(reboot=st.booleans(), away_s=st.sampled_from([0.0, 5.0, 100.0]))
    def restart(self, reboot: bool, away_s: float) -> None:
        """A kill or a power cut: what was stored comes back."""
        self.play = self.play.next_process(boot=next(self.boots), reboot=reboot, away_s=away_s).begin().connect()

    @invariant()
    def the_lamp_is_true(self) -> None:
        """Received: of the newest press people were told, and a monitor is heard. Calling: no longer than it may."""
        call, play = self.call, self.play
        play.skip()
        if call is None:
            return
        if play.state.lamp is LampPattern.RECEIVED:
            assert call.press in self.told
            assert play.state.supervision.no_monitor_since is None or play.state.supervision.no_monitor_since > play.now
        if play.state.lamp is LampPattern.CALLING:
            assert call.receipt_due is not None
            assert play.now <= call.receipt_due <= play.now + RECEIPT_S

    @invariant()
    def what_nobody_holds_is_still_sent(self) -> None:
        """Only *held* ends the sending: told from memory alone, or accepted by a broker, it stays due."""
        waiting = self.play.state.waiting.events
        assert {key for key in self.calls() if key not in self.held} <= waiting.keys() | self.outstanding()

    def outstanding(self) -> set[Key]:
        """What the record still has to bring back."""
        return {key for key, _ in self.play.disk.unreceipted()} if self.play.state.waiting.spilled else set()

    def teardown(self) -> None:
        """Once a monitor holds and tells all, the lamp says so, and nothing is sent any more."""
        if self.call is not None and self.call.step is not Step.ACKNOWLEDGED:
            for key in self.calls():
                self.play.receipt(key)
            self.play.receipt(self.call.press, kind="told").skip()
            assert (self.call.step, self.play.state.lamp) == (Step.TOLD, LampPattern.RECEIVED)
            self.play.monitor().wait(15.0)
            assert {send.key for send in self.play.take(SendEvent)}.isdisjoint(self.calls())


TestPromise = Promise.TestCase
TestPromise.settings = settings(max_examples=examples(150), stateful_step_count=30)


def test_without_a_monitor_no_order_of_events_ever_shows_received() -> None:
    """Receipts "none": whatever a broker answers, the lamp calls, or says that nobody has it."""
    shown = set()
    for codes in ((0x00,), (0x10,), (0x87,), (0x10, 0x00), (0x87, 0x00), (0x00, 0x10), ()):
        play = Playbook(make_settings(button(), receipts=Receipts.NONE)).begin().connect().tap()
        for code in codes:
            play.accepted(code=code, link=LINK)
            shown.add(play.state.lamp)
        shown.add(play.wait(60.0).skip().state.lamp)

    assert shown == {LampPattern.CALLING, LampPattern.NOBODY}
