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
serve; ``keep`` prunes the history; ``files`` looks at files (file_watch.py); ``remember`` reads the history at the
start (startup_history.py); ``notify`` and ``log`` (node.io.systemd).
"""

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count

from node import __version__
from node.config.reader import first_problem
from node.io.systemd import Feed, Notifier
from node.monitor.core.batch import Batch, Memory, Refused, Stored, StoreFailed, StoreRecovered
from node.monitor.core.commands.requests import Answer, Request, must_be_stored
from node.monitor.core.decisions import ClearTopics, Decisions, Moment, Respond, SendCommand, SendReceipt, TellTest
from node.monitor.core.findings.catalogue import API_AWAY, kind_of
from node.monitor.core.hub import Hub
from node.monitor.core.model import FindingKey
from node.monitor.core.monitor_codec import HEARTBEAT_S, FromNode, MonitorWire
from node.monitor.core.monitor_settings import Settings
from node.monitor.core.view.build import view
from node.monitor.core.view.view_types import View
from node.monitor.history.history import History
from node.monitor.history.writer import Writer
from node.monitor.locale.translation import one_line
from node.monitor.notify.fallback import SpareOutbox
from node.monitor.notify.outbox_timeout import PatientOutbox
from node.monitor.notify.teller import Accepted, Outcome, Pace, TargetFailed, TargetWorks, Teller, targets_of
from node.monitor.notify.texts import DETAILS
from node.monitor.service.broker_link import Link
from node.monitor.service.file_watch import Watched
from node.monitor.service.inbox import Inbox, Said
from node.monitor.service.startup_history import remembered, remembered_soon
from node.monitor.service.thread_watch import Needed
from node.protocol.messages import Event

MOST = 256
"""How many messages are decided before their effects are performed."""

STRANGERS_WAIT = 100
"""Strangers wait while so many events wait to be stored: about a tenth of a second's work."""

STRANGERS_OUTAGE = 1_000
"""The same while the history is away and people are told from memory: a stranger's call must not wait for a disk."""

BEHIND_S = 5.0
VIEW_S = 0.5
AT_ONCE_NODES = 1_000
PRUNE_S = 3600.0
STORED_S = 5.0
"""How long an answer waits until its decision is stored. After that it says that it isn't stored."""

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
        self._emptied = self._beat_at = time.monotonic()
        self._futures: dict[int, tuple[Future[Answer], Request]] = {}
        self._unstored: dict[Respond, float] = {}
        self._numbers = count(1)
        self._view_lock = threading.Lock()
        self._view: tuple[float, View] | None = None
        self._needed = Needed()
        self._servers: list[threading.Thread] = []
        now = _now()
        memory, unusable = remembered_soon(history, now)
        self._remembers = not unusable
        self._hub = Hub(settings, now, memory, self.boot)
        self._inbox = Inbox(self._hub.fleet.members.ours)
        self._links = self._new_links()
        self._writer = Writer(history, self._stored, failed=unusable or None)
        self._outbox = SpareOutbox(PatientOutbox(history.outbox), partial(targets_of, targets=settings.targets))
        self._teller = Teller(
            settings.monitor,
            self._outbox,
            settings.targets,
            self._told,
            roster=settings.roster or (),
            pace=Pace(gather_s=settings.gather_s),
        )
        self._watched = Watched(settings, self._teller.take, self._file_seen)
        self._keeper = threading.Thread(target=self._keep, name="keep", daemon=True)
        self._ended = threading.Event()
        self._teller.isolate(self._hub.targets.isolated)
        self._hub.self_check.roster_seen(now, first_problem(lambda: settings.roster_problems))
        if unusable:
            log.error("the monitor begins without its history: %s", unusable)
            self._outbox.failing = True
            self._hub.self_check.history_failed(now, unusable)
        self._make_view(now)

    def stop(self, reason: str) -> None:
        """End soon. May be called from any thread and from a signal handler."""
        self._stopping = reason
        self._inbox.put_own(lambda: None)

    def ask(self, request: Request) -> Future[Answer]:
        """Put a request to the deciding thread; from any thread."""
        future: Future[Answer] = Future()
        number = next(self._numbers)

        def decide() -> None:
            self._futures[number] = (future, request)
            self._hub.ask(_now(), number, request)

        self._inbox.put_own(decide)
        return future

    def address(self, name: str, where: str, problem: str) -> None:
        """The API can't be served at an address, or can again (""); from any thread."""
        if problem:
            self._own(lambda hub: hub.self_check.address_failed(_now(), name, f"{where}: {problem}"))
        else:
            self._own(lambda hub: hub.self_check.address_works(_now(), name))

    def history_in_memory(self, directory: str) -> None:
        """The history is in memory, not on a disk; from any thread."""
        self._own(lambda hub: hub.self_check.history_in_memory(_now(), directory))

    def need(self, thread: threading.Thread) -> None:
        """Watch a thread that serves this monitor and was started before ``run``: the monitor ends when it dies."""
        self._servers.append(thread)

    def view(self) -> View:
        """The newest view; from any thread."""
        with self._view_lock:
            assert self._view is not None  # noqa: S101 - made before any other thread is
            return self._view[1]

    def view_age_s(self) -> float:
        """How many seconds ago the newest view was made."""
        with self._view_lock:
            return math.inf if self._view is None else time.monotonic() - self._view[0]

    def run(self) -> None:
        """Run the monitor until ``stop``. Raises ThreadDiedError."""
        feed = Feed(self._notifier.fed, self._notifier.feed_every_s)
        self._writer.start()
        self._teller.start()
        self._keeper.start()
        self._watched.start()
        for link in self._links:
            link.start()
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
        threads = [self._writer.thread, self._keeper, self._watched.thread, *self._teller.threads, *self._servers]
        are_all = self._needed.look(time.monotonic(), [*threads, *(link.thread for link in self._links)])
        if not self._writer.thread.is_alive():
            self._outbox.failing = True  # what waits for the history is told from memory
        return are_all

    def _turn(self) -> None:
        wait_s = min(max(min(self._hub.next_due, self._beat_at) - time.monotonic(), 0.0), 0.5)
        waiting = STRANGERS_WAIT if self._hub.self_check.history_ok else STRANGERS_OUTAGE
        self._writer.look()
        own, said = self._inbox.take(wait_s, MOST, strangers=self._writer.waiting < waiting)
        now = _now()
        if now.at >= self._beat_at:
            self._beat_at = now.at + HEARTBEAT_S
            for link in self._links:
                link.beat()
        for call in own:
            call()
        if min(self._unstored.values(), default=math.inf) <= now.at:
            self._respond_unstored()
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
            self._hub.hear(_as_heard(said, now), said.broker, said.node, said.message, retained=said.retained)
        except Exception:
            # A message that no test thought of must not end the monitor: the node would send it again after each start.
            log.exception("what %s said can't be taken: %s", said.node, said.message)
            self._hub.dropped(now, 1, malformed=True)

    def _act(self, decisions: Decisions) -> None:
        responds = [say for say in decisions.says if isinstance(say, Respond)]
        waiting = [say for say in responds if decisions.to_store and self._must_be_stored(say)]
        if decisions.to_store:
            self._outbox.hold(decisions.notices)
            self._unstored.update((say, time.monotonic() + STORED_S) for say in waiting)
            self._writer.store(_batch(decisions), partial(self._committed, waiting))
        if responds and len(self._hub.fleet.nodes) <= AT_ONCE_NODES:
            # Somebody who does something and looks at the view at once sees its effect.
            self._make_view(_now(), at_once=True)
        for say in decisions.says:
            if isinstance(say, SendReceipt):
                for link in self._links:
                    link.receipt(say.event, say.kind)
            elif isinstance(say, SendCommand):
                for link in self._links:
                    link.command(say)
            elif isinstance(say, TellTest):
                self._teller.try_out(say.target, partial(self._tried, say.target))
            elif isinstance(say, ClearTopics):
                for link in self._links:
                    link.clear(say.node)
            elif say not in waiting:
                self._respond(say)
        if decisions.targets:
            self._teller.isolate(self._hub.targets.isolated)
        if waiting and not self._hub.self_check.history_ok:
            self._respond_unstored()
        for finding in decisions.raised:
            why = one_line(DETAILS.get(finding.detail, finding.detail))
            log.warning("%s: %s%s", _named(finding.key), kind_of(finding.key.code).text, f" ({why})" if why else "")
        for key, _ in decisions.cleared:
            log.info("%s: over", _named(key))

    def _tried(self, target: str, outcome: Outcome) -> None:
        """Take the result of a test message; on a thread of the teller."""
        passed, said = outcome.told, outcome.reason
        self._own(lambda hub: hub.targets.tried(_now(), target, said, passed=passed))

    def _must_be_stored(self, respond: Respond) -> bool:
        _, request = self._futures.get(respond.number, (None, None))
        return request is not None and must_be_stored(request, respond.answer)

    def _committed(self, waiting: Sequence[Respond], stored: bool) -> None:
        """The batch of these answers is stored, or never will be; on the history's thread."""
        for respond in waiting:
            answer = replace(respond.answer, stored=stored)
            self._inbox.put_own(partial(self._respond, respond._replace(answer=answer)))

    def _respond_unstored(self) -> None:
        """Answer all requests that wait for the history: they are done, but not stored."""
        for respond in list(self._unstored):
            self._respond(respond._replace(answer=replace(respond.answer, stored=False)))
        self._unstored.clear()

    def _respond(self, respond: Respond) -> None:
        self._unstored = {each: due for each, due in self._unstored.items() if each.number != respond.number}
        future, _ = self._futures.pop(respond.number, (None, None))
        if future is not None and not future.cancelled():
            future.set_result(respond.answer)

    def _stored(self, outcome: Stored | Refused | StoreFailed | StoreRecovered) -> None:
        """Take an answer of the history; on the history's thread."""
        match outcome:
            case Stored(notices=notices, settled=settled):
                self._outbox.gone(settled)
                self._own(lambda hub: hub.stored(_now(), outcome))
                if notices:
                    self._teller.wake()
            case Refused(events=events, notices=keys):
                self._outbox.gone(keys)
                self._own(lambda hub: hub.receipts.unstored(events))
            case StoreFailed(reason=reason):
                self._outbox.failing = True
                self._teller.wake()
                self._own(lambda hub: hub.self_check.history_failed(_now(), reason))
                self._inbox.put_own(self._respond_unstored)
            case StoreRecovered():
                self._outbox.failing = False
                self._own(lambda hub: hub.self_check.history_works(_now()))
        if not self._remembers and not isinstance(outcome, StoreFailed):
            self._remember()

    def _remember(self) -> None:
        """Read the history, which can be used for the first time since the start; on the history's thread."""
        memory, unusable = remembered(self._history, _now())
        if unusable:
            self._own(lambda hub: hub.self_check.history_failed(_now(), unusable))
        else:
            self._remembers = True
            self._inbox.put_own(partial(self._begin_anew, memory))

    def _begin_anew(self, memory: Memory) -> None:
        """Go on as after a restart, with all that the history knows. What was decided without it is stored before."""
        log.info("what the history knows is used from now on")
        self._act(self._hub.take())
        for number in [each for each in self._futures if each not in {say.number for say in self._unstored}]:
            self._respond(Respond(number, Answer("unanswered", "the-monitor-began-anew")))
        for link in self._links:
            link.close("history")
        self.boot = secrets.token_hex(4)
        now, before = _now(), self._hub
        self._hub = Hub(self.settings, now, memory, self.boot)
        self._hub.self_check.go_on(now, before.self_check.targets, before.ledger.open.values())
        self._inbox.ours = self._hub.fleet.members.ours
        self._teller.isolate(self._hub.targets.isolated)
        self._links = self._new_links()
        for link in self._links:
            link.start()

    def _new_links(self) -> list[Link]:
        wire = MonitorWire(self.settings.root, self.settings.sites, self.settings.monitor, self.boot)
        listener = _Listener(self._inbox, self)
        return [Link(broker, wire, listener, wire.client_id) for broker in self.settings.brokers]

    def _own(self, call: Callable[[Hub], None]) -> None:
        """Let the deciding thread do this; from any thread."""
        self._inbox.put_own(lambda: call(self._hub))

    def _told(self, outcome: TargetFailed | TargetWorks | Accepted) -> None:
        """Take what a target reports; on a thread of the teller."""
        match outcome:
            case Accepted(incident, presses):
                self._own(lambda hub: hub.accepted(_now(), incident, presses))
            case TargetFailed(name, reason):
                self._own(lambda hub: hub.self_check.target_failed(_now(), name, reason))
            case TargetWorks(name):
                self._own(lambda hub: hub.self_check.target_works(_now(), name))

    def _file_seen(self, name: str, problem: str) -> None:
        """Take what is wrong with a file; on the thread that looks at files."""
        if name:
            self._own(lambda hub: hub.self_check.file_seen(_now(), name, problem))
        else:
            self._own(lambda hub: hub.self_check.configuration_seen(_now(), problem))

    def _make_view(self, now: Moment, *, at_once: bool = False) -> None:
        if at_once or self._view is None or now.at - self._view[0] >= self._view_pause_s():
            waiting = {each.name: (each.waiting, each.told) for each in self._teller.states()}
            made = view(self._hub, now, __version__, waiting)
            with self._view_lock:
                self._view = (now.at, made)
            dead = self._needed.problem
            self._notifier.status(f"ends soon, to be started anew: dead are {dead}" if dead else _status(made))

    def _view_pause_s(self) -> float:
        """The time between two views. A view of ten thousand nodes is a tenth of a second's work, so it grows."""
        return VIEW_S + len(self._hub.fleet.nodes) / 2000

    def _keep(self) -> None:
        while not self._ended.wait(PRUNE_S):
            now = datetime.now(UTC)
            try:
                if not self._history.may_prune(now):
                    log.error("nothing is deleted: nothing was heard for months; is this machine's clock right?")
                    continue
                gone = self._history.prune(now, self.settings.retention)
            except Exception:  # a history that can't be pruned now may be in an hour
                log.exception("the history can't be pruned")
            else:
                log.info("kept for as long as was decided, and gone now: %s", gone)

    def _end(self) -> None:
        reason = self._stopping or "failed"
        self._notifier.stopping()
        self._ended.set()
        for link in self._links:
            link.close(reason)
        self._writer.stop(END_S)
        self._watched.close(END_S)
        self._teller.close(END_S)
        for future, _ in self._futures.values():
            future.cancel()


class _Listener:
    """Takes what the links report, on their threads."""

    def __init__(self, inbox: Inbox, service: Service) -> None:
        self._inbox = inbox
        self._service = service

    def up(self, broker: str) -> None:
        """See broker_link.Listener."""
        self._own(lambda hub: hub.link_up(_now(), broker))

    def down(self, broker: str, problem: str) -> None:
        """See broker_link.Listener."""
        self._own(lambda hub: hub.link_down(_now(), broker, problem))

    def files(self, broker: str, problem: str) -> None:
        """See broker_link.Listener."""
        self._own(lambda hub: hub.self_check.file_seen(_now(), broker, problem))

    def said(self, broker: str, heard: FromNode, *, retained: bool) -> None:
        """See broker_link.Listener."""
        self._inbox.put(Said(time.monotonic(), broker, heard.node, heard.message, retained))

    def stolen(self, broker: str) -> None:
        """See broker_link.Listener."""
        self._own(lambda hub: hub.self_check.stolen(_now(), broker))

    def refused(self, broker: str, topic: str, code: int) -> None:
        """See broker_link.Listener."""
        self._own(lambda hub: hub.self_check.refused(_now(), broker, topic, code))

    def malformed(self, broker: str, topic: str, reason: str) -> None:
        """See broker_link.Listener."""
        log.debug("broker %s, topic %s: %s", broker, topic, reason)
        self._inbox.malformed()

    def dropped(self, broker: str, count: int) -> None:
        """See broker_link.Listener."""
        self._own(lambda hub: hub.dropped(_now(), count))

    def _own(self, call: Callable[[Hub], None]) -> None:
        self._service._own(call)  # noqa: SLF001 - its other half


def _now() -> Moment:
    return Moment(time.monotonic(), datetime.now(UTC))


def _named(key: FindingKey) -> str:
    """What a finding is about, in one line: parts of it may have come over the network."""
    return one_line(f"{key.code} {'/'.join(filter(None, key[1:]))}")


def _as_heard(said: Said, now: Moment) -> Moment:
    """When a message came: the time that it waited in the inbox counts, too."""
    return Moment(min(said.at, now.at), now.utc)


def _batch(decisions: Decisions) -> Batch:
    return Batch(**{name: tuple(getattr(decisions, name)) for name in Batch.__struct_fields__})


def _status(made: View) -> str:
    """One line for ``systemctl status``: alarms first, then what needs somebody, then the number of nodes."""
    counts: Mapping[str, int] = {
        status: sum(node.status == status for node in made.nodes) for status in ("up", "late", "down", "paused", "new")
    }
    told = [f"{number} {status}" for status, number in counts.items() if number]
    alarms = [f"ALARM {each.site}/{each.node} {each.input}" for each in made.incidents[:3]]
    findings = [f"{len(made.findings)} findings"] if made.findings else []
    blind = ["no broker is reached"] if made.blind else []
    unasked = ["the API can't be reached"] if any(each.code == API_AWAY.code for each in made.findings) else []
    return ", ".join([*alarms, *blind, *unasked, *told, *findings]) or "no node heard yet"
