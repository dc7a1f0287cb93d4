"""The monitor as a service: its threads, and the one loop that decides.

Rules (those of deploy/design/ARCHITECTURE.md 2, on this side):

1. One thread decides. All others only put things into the inbox. This thread does nothing that has to wait.
2. *Held* is sent once an event is committed, never before: the thread that commits says so through this loop. *Told* is
   sent once a target has taken a message about the call (told_calls.py).
3. While the history is away nothing is held, so nodes go on sending their events. People are told of calls all the same
   (fallback.py), and the nodes hear that. This also holds right from a start, whatever is wrong with the history. Once
   the history can be used, the monitor goes on as after a restart, with what the history knows.
4. Deadlines are looked at only when everything that was heard is decided. A monitor that is behind must not call nodes
   silent whose heartbeats wait in its own inbox. If it stays behind for ``BEHIND_S``, it looks at them all the same.
5. Only this loop feeds the watchdog and says that this monitor listens. So a monitor whose loop hangs does neither. The
   watchdog isn't fed while a thread is dead, either: the monitor then ends and is started again (thread_watch.py).

Threads: ``MainThread`` decides; ``link <broker>`` each; ``history`` writes; ``tell…`` deliver; ``api`` and ``commands``
serve; ``keep`` prunes the history, ``files`` looks at files (upkeep/); ``remember`` reads the history at the start
(startup_history.py); ``notify`` and ``log`` (node.io.systemd).
"""

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial

from node.config.reader import first_problem
from node.io.systemd import Feed, Notifier
from node.monitor.core.decisions.batch import Refused, Remembered, Stored, StoreFailed, StoreRecovered
from node.monitor.core.decisions.ledger import Decisions, Moment, Respond, TellTest
from node.monitor.core.hub import Hub
from node.monitor.core.model.monitor_settings import Settings
from node.monitor.core.model.requests import Answer, Request
from node.monitor.history.history import History
from node.monitor.history.writer import Writer
from node.monitor.notify.fallback import FallbackOutbox
from node.monitor.notify.outbox_timeout import TimedOutbox
from node.monitor.notify.teller import Accepted, Outcome, Pace, TargetFailed, TargetWorks, Teller, targets_of
from node.monitor.service.current_view import STOPPED, CurrentView, status_line
from node.monitor.service.finding_log import log_findings
from node.monitor.service.inbox import Inbox, Said
from node.monitor.service.links.all_links import AllLinks
from node.monitor.service.links.link_reports import LinkReports
from node.monitor.service.open_requests import OpenRequests, with_stored
from node.monitor.service.startup_history import remembered, remembered_soon
from node.monitor.service.upkeep.file_watch import FileWatch
from node.monitor.service.upkeep.pruning import Pruning
from node.monitor.service.upkeep.thread_watch import ThreadWatch
from node.protocol.messages import Event

MOST = 256
"""How many messages are decided before their effects are performed."""

STRANGERS_WAIT = 100
"""Strangers wait while so many events wait to be stored: about a tenth of a second's work."""

STRANGERS_OUTAGE = 1_000
"""The same while the history is away and people are told from memory: a stranger's call must not wait for a disk."""

BEHIND_S = 5.0
AT_ONCE_NODES = 1_000

END_S = 5.0
"""How long the threads that wait for a disk or for a target's server may take at the end."""

log = logging.getLogger(__name__)


class Service:
    """One monitor, from ``run`` to ``stop``."""

    def __init__(self, settings: Settings, history: History, notifier: Notifier) -> None:
        self.settings = settings
        self.boot = secrets.token_hex(4)
        self._history = history
        self._notifier = notifier
        self._stopping: str | None = None
        self._emptied = time.monotonic()
        self._requests = OpenRequests()
        self.view = CurrentView()
        self._threads = ThreadWatch()
        self._servers: list[threading.Thread] = []
        now = _now()
        memory, unusable = remembered_soon(history, now)
        self._remembers = not unusable
        self._hub = Hub(settings, now, memory, self.boot)
        self._inbox = Inbox(self._hub.fleet.members.ours)
        self._links = self._new_links()
        self._writer = Writer(history, self._stored, failed=unusable or None)
        self._outbox = FallbackOutbox(TimedOutbox(history.outbox), partial(targets_of, targets=settings.targets))
        self._teller = Teller(
            settings.monitor,
            self._outbox,
            settings.targets,
            self._told,
            roster=settings.roster or (),
            pace=Pace(gather_s=settings.gather_s),
        )
        self._files = FileWatch(settings, self._teller.use_url, self._file_seen)
        self._pruning = Pruning(history, settings.retention)
        self._teller.isolate(self._hub.targets.isolated)
        self._hub.self_check.roster_seen(now, first_problem(lambda: settings.roster_problems))
        if unusable:
            log.error("the monitor begins without its history: %s", unusable)
            self._outbox.failing = True
            self._hub.self_check.history_failed(now, unusable)
        self._make_view(now, at_once=True)

    def stop(self, reason: str) -> None:
        """End soon. May be called from any thread and from a signal handler."""
        self._stopping = reason
        self._inbox.call_soon(lambda: None)

    def ask(self, request: Request) -> Future[Answer]:
        """Put a request to the deciding thread; from any thread."""
        number, future = self._requests.new()

        def decide() -> None:
            self._requests.begin(number, future, request)
            self._hub.ask(_now(), number, request)

        self._inbox.call_soon(decide)
        return future

    def address(self, name: str, where: str, problem: str) -> None:
        """The API can't be served at an address, or can again (""); from any thread."""
        if problem:
            self._tell_hub(lambda hub, now: hub.self_check.address_failed(now, name, f"{where}: {problem}"))
        else:
            self._tell_hub(lambda hub, now: hub.self_check.address_works(now, name))

    def history_in_memory(self, directory: str) -> None:
        """The history is in memory, not on a disk; from any thread."""
        self._tell_hub(lambda hub, now: hub.self_check.history_in_memory(now, directory))

    def watch(self, thread: threading.Thread) -> None:
        """Watch a thread that serves this monitor and was started before ``run``: the monitor ends when it dies."""
        self._servers.append(thread)

    def run(self) -> None:
        """Run the monitor until ``stop``. Raises ThreadDiedError."""
        feed = Feed(self._notifier.fed, self._notifier.feed_every_s)
        self._writer.start()
        self._teller.start()
        self._pruning.start()
        self._files.start()
        self._links.start()
        self._notifier.ready()
        log.info("monitor %s hears %s", self.settings.monitor, ", ".join(self.settings.sites))
        try:
            while self._stopping is None:
                self._turn()
                if self._all_live():
                    feed.sampled()
                    feed.turn(time.monotonic())
        finally:
            self._end()

    def _all_live(self) -> bool:
        threads = [self._writer.thread, self._pruning.thread, self._files.thread, *self._teller.threads, *self._servers]
        are_all = self._threads.look(time.monotonic(), [*threads, *self._links.threads])
        if not self._writer.thread.is_alive():
            self._outbox.failing = True  # what waits for the history is told from memory
        return are_all

    def _turn(self) -> None:
        due = -math.inf if self.view.is_begun else min(self._hub.next_due, self._links.beat_at)
        wait_s = min(max(due - time.monotonic(), 0.0), 0.5)
        waiting = STRANGERS_WAIT if self._hub.self_check.history_ok else STRANGERS_OUTAGE
        self._writer.look()
        calls, said = self._inbox.take(wait_s, MOST, strangers=self._writer.waiting < waiting)
        now = _now()
        self._links.beat(now.at)
        for call in calls:
            call()
        self._requests.answer_overdue(now.at)
        for each in said:
            self._hear(each, now)
            if isinstance(each.message, Event):
                self._act(self._hub.take())  # alone: an event that can't be stored must not take another's alarm along
        if len(said) < MOST:
            self._emptied = now.at
        if len(said) < MOST or now.at - self._emptied > BEHIND_S:
            self._hub.time_passed(now)
        dropped, malformed = self._inbox.lost()
        if dropped:
            self._hub.dropped(now, dropped)
        if malformed:
            self._hub.dropped(now, malformed, malformed=True)
        self._act(self._hub.take())
        self._make_view(now)

    def _hear(self, said: Said, now: Moment) -> None:
        try:
            at = _as_heard(said, now)
            self._hub.hear(at, said.broker, said.node, said.message, retained=said.retained, unknown=said.unknown)
        except Exception:
            # A bug that one message meets must not end the monitor: the node would send it again after each start.
            log.exception("what %s said can't be taken: %s", said.node, said.message)
            self._hub.dropped(now, 1, malformed=True)

    def _act(self, decisions: Decisions) -> None:
        responds = [say for say in decisions.says if isinstance(say, Respond)]
        waiting = self._requests.to_store(responds) if decisions.to_store else []
        if decisions.to_store:
            self._outbox.keep_until_stored(decisions.notices)
            self._requests.await_store(waiting, time.monotonic())
            self._writer.store(decisions, partial(self._committed, waiting))
        if responds and len(self._hub.fleet.nodes) <= AT_ONCE_NODES:
            # Somebody who does something and looks at the view at once sees its effect.
            self._make_view(_now(), at_once=True)
        for say in decisions.says:
            if isinstance(say, TellTest):
                self._teller.try_out(say.target, partial(self._tried, say.target))
            elif not isinstance(say, Respond):
                self._links.send(say)
            elif say not in waiting:
                self._requests.answer(say)
        if decisions.targets:
            self._teller.isolate(self._hub.targets.isolated)
        if waiting and not self._hub.self_check.history_ok:
            self._requests.answer_unstored()
        log_findings(decisions)

    def _tried(self, target: str, outcome: Outcome) -> None:
        """Take the result of a test message; on a thread of the teller."""
        passed, said = outcome.told, outcome.reason
        self._tell_hub(lambda hub, now: hub.targets.tried(now, target, said, passed=passed))

    def _committed(self, waiting: Sequence[Respond], stored: bool) -> None:
        """The batch of these answers is stored, or never will be; on the history's thread."""
        for respond in waiting:
            self._inbox.call_soon(partial(self._requests.answer, with_stored(respond, stored=stored)))

    def _stored(self, outcome: Stored | Refused | StoreFailed | StoreRecovered) -> None:
        """Take an answer of the history; on the history's thread."""
        match outcome:
            case Stored(notices=notices, settled=settled):
                self._outbox.drop(settled)
                self._tell_hub(lambda hub, now: hub.stored(now, outcome))
                if notices:
                    self._teller.wake()
            case Refused(events=events, notices=keys):
                self._outbox.drop(keys)
                self._tell_hub(lambda hub, _: hub.receipts.unstored(events))
            case StoreFailed(reason=reason):
                self._outbox.failing = True
                self._teller.wake()
                self._tell_hub(lambda hub, now: hub.self_check.history_failed(now, reason))
                self._inbox.call_soon(self._requests.answer_unstored)
            case StoreRecovered():
                self._outbox.failing = False
                self._tell_hub(lambda hub, now: hub.self_check.history_works(now))
        if not self._remembers and not isinstance(outcome, StoreFailed):
            self._remember()

    def _remember(self) -> None:
        """Read the history, which can be used for the first time since the start; on the history's thread."""
        memory, unusable = remembered(self._history, _now())
        if unusable:
            self._tell_hub(lambda hub, now: hub.self_check.history_failed(now, unusable))
        else:
            self._remembers = True
            self._inbox.call_soon(partial(self._begin_anew, memory))

    def _begin_anew(self, memory: Remembered) -> None:
        """Go on as after a restart, with all that the history knows. What was decided without it is stored before."""
        log.info("what the history knows is used from now on")
        self._act(self._hub.take())
        for number in self._requests.undecided():
            self._requests.answer(Respond(number, Answer("unanswered", "the-monitor-began-anew")))
        self._links.close("history")
        self.boot = secrets.token_hex(4)
        self.view.drop()
        now, before = _now(), self._hub
        self._hub = Hub(self.settings, now, memory, self.boot)
        self._hub.self_check.go_on(now, before.self_check.targets, before.ledger.open.values())
        self._inbox.ours = self._hub.fleet.members.ours
        self._teller.isolate(self._hub.targets.isolated)
        self._links = self._new_links()
        self._links.start()

    def _new_links(self) -> AllLinks:
        return AllLinks(self.settings, self.boot, LinkReports(self._inbox, self._tell_hub))

    def _tell_hub(self, call: Callable[[Hub, Moment], None]) -> None:
        """Let the deciding thread call this with the hub and the time of that call; from any thread."""
        self._inbox.call_soon(lambda: call(self._hub, _now()))

    def _told(self, outcome: TargetFailed | TargetWorks | Accepted) -> None:
        """Take what a target reports; on a thread of the teller."""
        match outcome:
            case Accepted(incident, presses):
                self._tell_hub(lambda hub, now: hub.accepted(now, incident, presses))
            case TargetFailed(name, reason):
                self._tell_hub(lambda hub, now: hub.self_check.target_failed(now, name, reason))
            case TargetWorks(name):
                self._tell_hub(lambda hub, now: hub.self_check.target_works(now, name))

    def _file_seen(self, name: str, problem: str) -> None:
        """Take what is wrong with a file; on the thread that looks at files."""
        if name:
            self._tell_hub(lambda hub, now: hub.self_check.file_seen(now, name, problem))
        else:
            self._tell_hub(lambda hub, now: hub.self_check.configuration_seen(now, problem))

    def _make_view(self, now: Moment, *, at_once: bool = False) -> None:
        made = (self.view.make if at_once else self.view.turn)(self._hub, now, self._teller.counts)
        if made is not None:
            dead = self._threads.problem
            self._notifier.status(f"ends soon, to be started anew: dead are {dead}" if dead else status_line(made))

    def _end(self) -> None:
        reason = self._stopping or "failed"
        self._notifier.stopping()
        self._pruning.close()
        self._links.close(reason)
        self._writer.stop(END_S)
        self._files.close(END_S)
        self._teller.close(END_S)
        self._requests.cancel()
        if self._stopping:  # after a failure the error is what stays there
            self._notifier.status(STOPPED)


def _now() -> Moment:
    return Moment(time.monotonic(), datetime.now(UTC))


def _as_heard(said: Said, now: Moment) -> Moment:
    """When a message came: the time that it waited in the inbox counts, too."""
    return Moment(min(said.at, now.at), now.utc)
