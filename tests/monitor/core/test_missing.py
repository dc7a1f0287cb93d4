"""Events that never came, in any order of boots, monitors and restarts: none that the history holds is ever missing."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from node.monitor.core.decisions.batch import Batch
from node.protocol.messages import Event, EventId, State
from tests.monitor.core.committed import Committed
from tests.monitor.core.node_messages import BOOT, ROOM, birth, event, heartbeat
from tests.monitor.core.play import DrivenHub, Play
from tests.support.examples import examples

BEAT_S = 10.0
MISSING_S = 60.0


def test_a_record_with_many_earlier_boots_misses_nothing_over_a_restart() -> None:
    """All its events were stored at the monitor's first start: 15 of them were told as missing after the next."""
    disk = Committed()
    play = Play()
    for start in range(2):
        play = Play(disk.remember())
        play.hear(0.0, birth(boot="000000ff", seq=15))
        for seq in range(1, 16):
            play.hear(1.0, event(seq, "identified", boot="000000ff"))
        for boot in range(6 if start == 0 else 0):
            play.hear(2.0, event(1, "started", boot=f"{boot:08x}"))
        disk.store(play.all)

    play = Play(disk.remember())
    play.hear(0.0, birth(boot="000000ff", seq=15))
    for beat in range(1, 15):
        play.hear(beat * BEAT_S, heartbeat(boot="000000ff", seq=15))

    assert play.found() == []


def test_what_another_monitor_has_stored_is_not_missing() -> None:
    """Our link was down: its receipts ended what the node would have sent us."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, event(1, "started"))
    play.has[ROOM, BOOT].append((2, 7))
    for beat in range(1, 15):
        play.hear(beat * BEAT_S, heartbeat(seq=8))

    assert [each.count for each in play.findings.values()] == [1]


def test_a_restart_that_is_too_fast_for_a_flip_is_remembered() -> None:
    """Else the next start of the monitor would forget the boot that the node has now."""
    play = Play()
    play.hear(0.0, heartbeat())

    play.hear(5.0, birth(boot="000000ff"))

    assert [each.boot for each in play.all.nodes] == [BOOT, BOOT, "000000ff"]


class Numbers(RuleBasedStateMachine):
    """A node by PROTOCOL.md, whose record goes back over many boots, and two monitors on one history."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        self.disk = Committed()
        self.boots: list[int] = []
        self.logged: dict[tuple[str, int], Event] = {}
        self.numbered: set[tuple[str, int]] = set()
        self.held: set[tuple[str, int]] = set()
        self.desks: list[tuple[DrivenHub, deque[Batch]]] = []
        self.hears = [True, True]
        self.starts = 0

    @property
    def boot(self) -> str:
        """The node's boot now."""
        return f"{len(self.boots):08x}"

    @initialize(boots=st.integers(0, 7), events=st.integers(0, 4))
    def begins(self, boots: int, events: int) -> None:
        """The record may be older than the monitors."""
        for _ in range(boots + 1):
            self.restarts(0)
            self.logs(events)
        for _ in range(2):
            self.desks.append(self._started())

    @rule(lost=st.integers(0, 2))
    def restarts(self, lost: int) -> None:
        """The newest events may not have been stored."""
        last = max(self.boots[-1] - lost, 1) if self.boots else 0
        previous = EventId(self.boot, last) if self.boots else None
        for seq in range(last + 1, self.boots[-1] + 1 if self.boots else 0):
            del self.logged[self.boot, seq]
        self.boots.append(1)
        self.numbered.add((self.boot, 1))
        self.logged[self.boot, 1] = event(1, "started", boot=self.boot, previous=previous)

    @rule(count=st.integers(1, 4))
    def logs(self, count: int) -> None:
        """Things happen there."""
        for _ in range(count):
            self.boots[-1] += 1
            self.numbered.add((self.boot, self.boots[-1]))
            self.logged[self.boot, self.boots[-1]] = event(self.boots[-1], "identified", boot=self.boot)

    @rule(session=st.integers(1, 2), retained=st.booleans())
    def is_born(self, session: int, retained: bool) -> None:
        """Or its broker kept that."""
        self._say(birth(boot=self.boot, seq=self.boots[-1], session=session), retained=retained)

    @rule(data=st.data(), count=st.integers(1, 12))
    def sends(self, data: st.DataObject, count: int) -> None:
        """What its record has, in whatever order: receipts may be lost, or were for another monitor."""
        first = data.draw(st.integers(0, len(self.logged) - 1))
        for made in list(self.logged.values())[first : first + count]:
            self._say(made)

    @rule(which=st.integers(0, 1))
    def link_comes_or_goes(self, which: int) -> None:
        """Of one monitor."""
        self.hears[which] = not self.hears[which]

    @rule(which=st.integers(0, 1), count=st.integers(1, 5))
    def history_commits(self, which: int, count: int) -> None:
        """In the order of each."""
        hub, queue = self.desks[which]
        for _ in range(min(count, len(queue))):
            batch = queue.popleft()
            self.held |= {(each.key.boot, each.key.seq) for each in batch.events}
            hub.stored(self.at, self.disk.store(batch))
            self._settle(which)

    @rule(which=st.integers(0, 1))
    def monitor_is_killed(self, which: int) -> None:
        """With whatever waited for the history."""
        self.desks[which] = self._started()

    @rule()
    def history_is_pruned(self) -> None:
        """Hourly."""
        self.disk.prune()

    @rule(beats=st.integers(0, 8))
    def time_passes(self, beats: int) -> None:
        """With its heartbeats."""
        for _ in range(beats):
            self._beat()

    @rule()
    def somebody_looks(self) -> None:
        """Once the history has caught up, and was asked."""
        self._look()

    def teardown(self) -> None:
        """In the end, too, once everything was sent that isn't lost."""
        if self.desks:
            self.hears = [True, True]
            for made in self.logged.values():
                self._say(made)
            self._look()

    def _look(self) -> None:
        for _ in range(2):
            for which in range(2):
                self.history_commits(which, 1_000)
            for _ in range(int(MISSING_S / BEAT_S) + 1):
                self._beat()
        for which in range(2):
            self.history_commits(which, 1_000)
        self._beat()
        for which, (hub, _) in enumerate(self.desks):
            if not self.hears[which]:
                continue  # whoever hears no node asks for none of its events, until its link is back
            (node,) = hub.view().nodes
            assert node.missing <= len(self.numbered - self.held), "held, and told as missing"

    def _beat(self) -> None:
        self.at += BEAT_S
        for which, (hub, _) in enumerate(self.desks):
            hub.jump(self.at)
            self._settle(which)
        self._say(heartbeat(boot=self.boot, seq=self.boots[-1]))

    def _say(self, message: State | Event | object, *, retained: bool = False) -> None:
        for which, (hub, _) in enumerate(self.desks):
            if self.hears[which]:
                hub.hear(self.at, message, retained=retained)
                self._settle(which)

    def _settle(self, which: int) -> None:
        hub, queue = self.desks[which]
        decisions = hub.take()
        if decisions.to_store:
            queue.append(decisions)

    def _started(self) -> tuple[DrivenHub, deque[Batch]]:
        self.starts += 1
        hub = DrivenHub(self.disk.remember(), at=self.at, boot=f"{self.starts:08x}")
        hub.link_up(self.at)
        return hub, deque()


Numbers.TestCase.settings = settings(max_examples=examples(200), stateful_step_count=40)
TestNumbers = pytest.mark.timeout(300)(Numbers.TestCase)
