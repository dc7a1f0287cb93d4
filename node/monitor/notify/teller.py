"""Tells people: claims what waits in the outbox, sends it through Apprise, and records the result.

Threads: each target has two, one for what is told at once and one for what is gathered. So no alarm waits for a
finding, and no target for another. Each try has a further thread with a deadline (sender.py).

Rules:

1. Claim, then act. A claim is renewed while its try hangs, and settled before the thread claims again. If the database
   is away, the claim is settled as soon as it is back, and meanwhile calls are told from memory (fallback.py). What a
   dead process had claimed is told again, as "perhaps told before" (core/decisions/deliveries.py). A thread whose claim
   was taken over can't take its message back. It settles nothing, because the claim is another monitor's now.
2. The order is that of core/decisions/deliveries.py: the worst calls first, and one node's notices as one message.
3. A failed try is repeated 2 s later, doubling to five minutes.
4. Two failures in a row are a problem (``TargetFailed``), until the next success (``TargetWorks``), which makes
   everything due that waits for this target. After a single failure only that message waits: a message that the target
   never takes delays no other.
5. When a target has taken a call for help, that is reported at once (``Accepted``), before the claim is settled: the
   node's lamp shows it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from threading import Thread
from time import monotonic

from babel.dates import LOCALTZ

from node.errors import AlarmNodeError
from node.monitor.core.decisions.deliveries import Outbox
from node.monitor.core.model.monitor_settings import Language, Place, Target
from node.monitor.locale.translation import Words
from node.monitor.notify.routing import targets_of
from node.monitor.notify.sender import Outcome, Sender, problem_of
from node.monitor.notify.target_health import FAILURES, Accepted, TargetFailed, TargetHealth, TargetWorks
from node.monitor.notify.texts.wording import trial
from node.monitor.notify.worker import Pace, Worker
from node.threads import new_thread

__all__ = [
    "Accepted",
    "Outcome",
    "Pace",
    "TargetFailed",
    "TargetWorks",
    "Teller",
    "problem_of",
    "targets_of",
]


TEST_S = 20.0
"""How long a test may take. Whoever asked for it waits for 30 s."""


class Teller:
    """All targets. ``put`` gets TargetFailed, TargetWorks and Accepted, from several threads, and must not block.

    ``zone``: the time zone of the times in messages.
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
        self._targets = [(target, TargetHealth(target.name, put)) for target in targets]
        self._workers = [
            Worker(monitor, outbox, target, health, Words(target.language, zone, places), pace, gather=gather)
            for target, health in self._targets
            for gather in (False, True)
        ]

    @property
    def threads(self) -> Sequence[Thread]:
        """The threads that tell. They end only after ``close``."""
        return [worker.thread for worker in self._workers]

    def start(self) -> None:
        """Release what an earlier process of this monitor had claimed, and start. Raises what the outbox raises.

        A target that can't be used is reported now, not when its first alarm fails.
        """
        self._outbox.release(self._monitor)
        for target, health in self._targets:
            problem = target.problem or problem_of(target.url)
            if problem is not None:
                health.failed(problem, FAILURES)
        for worker in self._workers:
            worker.thread.start()

    def wake(self) -> None:
        """Look into the outbox at once, because something was stored. Gathered notices wait anyway."""
        for worker in self._workers:
            if not worker.gather:
                worker.wake()

    def use_url(self, name: str, url: str) -> None:
        """Use this URL for this target from now on, and try at once what waits for it."""
        problem = problem_of(url)
        for target, health in self._targets:
            if target.name != name:
                continue
            if problem is None:
                health.can_be_tried()
            else:
                health.failed(problem, FAILURES)
        for worker in self._workers:
            worker.use_url(name, url)
        self._testers[name].use_url(url)
        with suppress(AlarmNodeError):  # then it is tried when it is due
            self._outbox.hurry(name)
        self.wake()

    def isolate(self, names: Collection[str]) -> None:
        """Tell these targets nothing, and all others again."""
        for target, health in self._targets:
            health.isolated = target.name in names

    def try_out(self, name: str, put: Callable[[Outcome], None]) -> None:
        """Send this target a test message. ``put`` gets the result on a thread of its own."""
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

        new_thread(f"tell-{name}-test", send).start()

    def counts(self) -> dict[str, tuple[int, int]]:
        """For each target how many notices it hasn't got yet, and how many messages it has got since the start."""
        return {target.name: (health.waiting, health.told) for target, health in self._targets}

    def close(self, timeout_s: float) -> bool:
        """Begin no further try, and end. Returns whether all threads ended within ``timeout_s``."""
        for worker in self._workers:
            worker.stop()
        deadline = monotonic() + timeout_s
        for worker in self._workers:
            worker.thread.join(max(0.0, deadline - monotonic()))
        return not any(worker.thread.is_alive() for worker in self._workers)
