"""Tells people: claims what waits in the outbox, sends it through Apprise, and records what came of it.

Threads: each target has two, one for what is told at once and one for what is gathered, so that an alarm never stands
behind a finding, nor one target behind another. Each try is a further one, with a deadline (sender.py).

Rules:

1. Claim, then act. A claim is renewed while its try hangs, and settled before the thread makes its next one; where the
   database is away, as soon as it is back, and meanwhile what is in memory is told (fallback.py). What a dead process
   had claimed is told again, as "perhaps told before" (node.monitor.core.deliveries). Who finds its claim taken over
   can unsend nothing, and settles nothing: it is another's.
2. Who is next stands in node.monitor.core.deliveries: the worst calls first, and one node's messages as one.
3. A try that fails is made again 2 s later, doubling to five minutes.
4. Two failures in a row are a problem (``TargetFailed``), until the next success (``TargetWorks``), which makes due all
   that its target waits for. After a single failure only that waits: one message that nobody takes delays no other.
5. That a target has taken a call for help is told at once (``Accepted``), before that is settled: the lamp says so.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from threading import Thread
from time import monotonic
from typing import NamedTuple

from babel.dates import LOCALTZ

from node.errors import AlarmNodeError
from node.monitor.core.deliveries import Outbox
from node.monitor.core.monitor_settings import Language, Place, Target
from node.monitor.locale.translation import Words
from node.monitor.notify.routing import targets_of
from node.monitor.notify.sender import Outcome, Sender, problem_of
from node.monitor.notify.target_health import FAILURES, Accepted, Health, TargetFailed, TargetWorks
from node.monitor.notify.texts import trial
from node.monitor.notify.worker import Pace, Worker

__all__ = [
    "Accepted",
    "Outcome",
    "Pace",
    "TargetFailed",
    "TargetState",
    "TargetWorks",
    "Teller",
    "problem_of",
    "targets_of",
]


TEST_S = 20.0
"""How long a test may take: whoever asked for it waits for 30 s."""


class TargetState(NamedTuple):
    """How a target does: ``told`` counts messages since the start, ``waiting`` the notices that it hasn't got yet."""

    name: str
    step: int
    failing: bool
    waiting: int
    told: int
    problem: str


class Teller:
    """All targets. ``put`` gets TargetFailed, TargetWorks and Accepted, from several threads, and must not block.

    ``zone`` is the one in which people are told times.
    """

    def __init__(
        self,
        monitor: str,
        outbox: Outbox,
        targets: Iterable[Target],
        put: Callable[[TargetFailed | TargetWorks | Accepted], None],
        *,
        roster: Iterable[Place] = (),
        pace: Pace = Pace(),  # noqa: B008 - nobody can change it
        zone: tzinfo = LOCALTZ,
    ) -> None:
        targets = tuple(targets)
        places = {place.key: place for place in roster}
        self._monitor = monitor
        self._outbox = outbox
        self._zone = zone
        self._testers = {target.name: Sender(target.name, target.url, TEST_S, target.problem) for target in targets}
        self._targets = [(target, Health(target.name, put)) for target in targets]
        self._workers = [
            Worker(monitor, outbox, target, health, Words(target.language, zone, places), pace, gather=gather)
            for target, health in self._targets
            for gather in (False, True)
        ]

    @property
    def threads(self) -> Sequence[Thread]:
        """Those that tell, which end after ``close`` alone."""
        return [worker.thread for worker in self._workers]

    def start(self) -> None:
        """Take back what an earlier process of this monitor had claimed, and begin. Raises what the outbox raises.

        A target that can't be used is told now, not when the first alarm fails.
        """
        self._outbox.release(self._monitor)
        for target, health in self._targets:
            problem = target.problem or problem_of(target.url)
            if problem is not None:
                health.failed(problem, FAILURES)
        for worker in self._workers:
            worker.thread.start()

    def wake(self) -> None:
        """Something new was stored: look at once. What is gathered waits anyway."""
        for worker in self._workers:
            if not worker.gather:
                worker.wake()

    def take(self, name: str, url: str) -> None:
        """This target has another URL from now on: what waits for it is tried at once."""
        problem = problem_of(url)
        for target, health in self._targets:
            if target.name != name:
                continue
            if problem is None:
                health.can_be_tried()
            else:
                health.failed(problem, FAILURES)
        for worker in self._workers:
            worker.take(name, url)
        self._testers[name].take(url)
        with suppress(AlarmNodeError):  # it is tried in its turn, then
            self._outbox.hurry(name)
        self.wake()

    def isolate(self, names: Collection[str]) -> None:
        """These targets are told nothing, all others are."""
        for target, health in self._targets:
            health.isolated = target.name in names

    def try_out(self, name: str, put: Callable[[Outcome], None]) -> None:
        """Send this target a test message; ``put`` gets what came of it, from a thread of its own."""
        [(target, health)] = [each for each in self._targets if each[0].name == name]
        languages: tuple[Language, ...] = ("de", "en") if target.language == "de" else ("en", "de")
        words = [Words(language, self._zone, {}) for language in languages]
        message = trial(self._monitor, datetime.now(UTC), words)

        def send() -> None:
            outcome = self._testers[name].send(message)
            if outcome.told:
                health.worked()
            else:
                health.failed(outcome.reason)
            put(outcome)

        Thread(target=send, name=f"tell-{name}-test", daemon=True).start()

    def states(self) -> Sequence[TargetState]:
        """How each target does, in the order of monitor.toml."""
        return [
            TargetState(target.name, target.step, health.failing, health.waiting, health.told, health.problem)
            for target, health in self._targets
        ]

    def close(self, timeout_s: float) -> bool:
        """End: no further try is begun. Whether all threads have ended within ``timeout_s``."""
        for worker in self._workers:
            worker.stop()
        deadline = monotonic() + timeout_s
        for worker in self._workers:
            worker.thread.join(max(0.0, deadline - monotonic()))
        return not any(worker.thread.is_alive() for worker in self._workers)
