"""The superloop: queue -> controller -> effects.

Rules:

1. One thread decides. GPIO, MQTT and disk threads only put events in its inbox; a callback does nothing else and can't
   raise. Edges don't wait behind messages (inbox.py). Only so many events of a link may be undecided; more are dropped
   and counted.
2. An alarm waits for nothing. The buzzer comes first. Then this thread sends the message itself, on sockets that don't
   block. Then the disk gets it, on a thread of its own, and the log.
3. An alarm is remembered in two places, on the disk here and in the retained topic at the broker; either alone brings
   it back.
4. The record is append-only. A receipt marks an event as received; no event is removed because it was sent.
5. An unknown effect is a bug in the program and raises. An unexpected event never raises: it changes nothing, and is
   recorded.
6. The watchdog is fed here and nowhere else, and only if the loop has read the levels since the last feed. A stalled
   writer or link is a fault; at the end its thread is abandoned, never waited for.
7. The levels of the inputs are read besides the edges. A press whose edge was lost is still an alarm, and the lost edge
   is a fault. A reading that changes nothing is decided no further: that is nearly all of them.
8. No command from the network can hold back, delay or hide an alarm that is raised after it.

The threads are listed in deploy/design/ARCHITECTURE.md 3.1.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, assert_never

from msgspec import Struct

from node import config
from node.core import alarm, controller, effects, inputs
from node.core import events as ev
from node.io import health, systemd
from node.io.panel import Panel
from node.io.record.record import Record
from node.protocol import codec, record_codec
from node.service import status_file, status_text
from node.service.configuration import Configuration, is_networked
from node.service.inbox import Inbox
from node.service.links import Links
from node.service.publisher import Publisher
from node.service.recorder import Recorder
from node.service.upkeep.rehearsal import Rehearsal
from node.service.upkeep.watcher import LogWatcher, Watcher
from node.threads import wake_on_time

CLOCK_STEP_S = 0.5
"""How far the wall clock may drift from the monotonic one before the offset for labels is read again."""

LONGEST_WAIT_S = 3600.0
RECORD_STOP_S = 3.0
STATUS_STOP_S = HEALTH_STOP_S = FILES_STOP_S = 0.5

log = logging.getLogger(__name__)


class Clocks(Struct, frozen=True):
    """The clocks, replaceable in tests: monotonic seconds, which decide, and wall seconds, which are labels."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Service:
    """A whole node, from its pins to its brokers.

    ``open_factory`` opens the pin factory; ``directory`` is the state directory. The caller owns ``notifier``.
    ``note_outputs`` notes on the disk which pins are outputs, or raises OSError.
    After repeated crashes ``settings`` are simplified (safe_mode.py).
    """

    def __init__(
        self,
        settings: config.Config,
        open_factory: Callable[[], Any],
        directory: Path,
        *,
        environ: Mapping[str, str],
        watcher: Watcher | None = None,
        notifier: systemd.Notifier | None = None,
        clocks: Clocks | None = None,
        note_outputs: Callable[[Sequence[int]], None] = lambda pins: None,
    ) -> None:
        self.boot = os.urandom(4).hex()
        self.when_ready: Callable[[], None] = lambda: None  # called once: from then on nothing more is imported
        self._clocks = clocks or Clocks()
        self._watcher = watcher or LogWatcher()
        self._environ = environ
        self._notifier = notifier or systemd.Notifier()
        self._feed = systemd.Feed(self._notifier.fed, self._notifier.feed_every_s)
        self._ready = False
        self._inbox = Inbox()
        self._configuration = Configuration(
            settings,
            directory,
            environ=environ,
            put=self._inbox.put,
            clock=self._clocks.monotonic,
            notifier=self._notifier,
            note_outputs=note_outputs,
        )
        settings = self._configuration.running
        self._config = settings
        self._is_simple = settings.settings.safe_mode
        self._directory = directory
        self._kernel_boot = health.kernel_boot()
        self._ended = False
        self._wire = codec.Wire(settings.root, settings.site, settings.node, self.boot)
        self._rehearsal = Rehearsal(self._wire, self._clocks.monotonic)
        self._panel = Panel(
            open_factory,
            settings.line_pins,
            settings.buzzer_pin,
            settings.lamp_pin,
            put=self._inbox.put_of_panel,
            sample_hz=settings.sample_hz,
            clock=self._clocks.monotonic,
            on_output=lambda at, _name, pattern: self._watcher.lamp(at, pattern),
            directory=status_file.runtime_directory(environ),
        )
        self._record = Record(
            directory,
            boot=self.boot,
            kernel_boot=self._kernel_boot,
            put=self._inbox.put,
            decode_snapshot=record_codec.decode_snapshot,
            is_event=record_codec.is_event,
            clock=self._clocks.monotonic,
            limit_bytes=settings.record_mb * 2**20,
            awaits_monitor=settings.settings.receipts == "required",
        )
        self._recorder = Recorder(self._wire, self._record, self._watcher, self._kernel_boot, self._clocks.wall)
        where = status_file.directory(directory, environ)
        self._status = status_file.Writer(where, self._kernel_boot, self._clocks.monotonic)
        self.links = Links(
            settings.brokers, self._wire, will=self._will, put=self._inbox.put, clock=self._clocks.monotonic
        )
        self._health = health.HealthReader(
            directory,
            put=self._inbox.put,
            clock=self._clocks.monotonic,
            networked=is_networked(settings.brokers),
            lasting=systemd.keeps_state(environ),
        )
        self._publisher = Publisher(
            self._wire, self._recorder, self.links, self._kernel_boot, self._health.newest, self._clocks.monotonic
        )
        now = self._clocks.monotonic()
        self._state = controller.start(settings.settings, self.boot, now, self._clocks.wall() - now)
        self._deadline = controller.next_deadline(self._state)
        self._quiet_state: object = None
        self._quiet_levels: Mapping[str, bool | None] = {}

    def stop(self, reason: str, back_in_s: float | None = None) -> None:
        """Ask the loop to end cleanly; any thread or signal handler may call it."""
        self._inbox.put(ev.StopRequested(self._clocks.monotonic(), reason, back_in_s))

    def reload(self) -> None:
        """Ask the loop to read node.toml again; any thread or signal handler may call it."""
        self._inbox.put(ev.ReloadRequested(self._clocks.monotonic()))

    def run(self) -> None:
        """Run the node until ``stop``; on return the links have said goodbye, and every output is off.

        Raises AlreadyRunningError, StateDirectoryError.
        """
        status_file.make(self._directory)
        lock = status_file.hold(self._directory)
        wake_on_time()
        log.info("%s/%s starts, boot %s", self._config.site, self._config.node, self.boot)
        self._configuration.crash_log.begin()
        try:
            self._record.start()
            self._status.start()
            self._configuration.files.start()
            if not self._is_simple:
                self._health.start()
            self._decide(self._clock_read())
            if not self._is_simple:
                self._check_watchdog()
            while not self._ended:
                self._turn()
        finally:
            # The outputs first: even if something else hangs, buzzer and lamp are off.
            self._panel.close()
            if not self._record.stop(RECORD_STOP_S):
                log.error("the record doesn't end: what it hadn't stored is only where it was sent")
            self._health.stop(HEALTH_STOP_S)
            self._configuration.files.stop(FILES_STOP_S, clean=self._ended)
            self._status.stop(STATUS_STOP_S)
            status_file.release(lock)
        self._notifier.status(status_text.last_words(self._state))

    def _turn(self) -> None:
        """Handle one due instant, one due reading, and one event: none can starve another."""
        now = self._clocks.monotonic()
        if now >= self._deadline:
            self._decide(ev.TimePassed(now))
        if now >= self._rehearsal.due:
            self._rehearsal.perform(self._state)
            now = self._clocks.monotonic()
        if now >= self._panel.due:
            self._read_levels(now)
        due = min(self._deadline, self._feed.turn(now), self._panel.due, self._rehearsal.due)
        left = due - self._clocks.monotonic()
        event = self._inbox.get(min(max(left, 0.0), LONGEST_WAIT_S))
        if event is not None:
            self._decide(event)

    def _read_levels(self, now: float) -> None:
        reading = self._panel.read(now)
        self._feed.sampled()
        if reading is None or (self._state is self._quiet_state and reading.levels == self._quiet_levels):
            return
        if inputs.says_nothing_new(self._state, reading):
            self._quiet_state, self._quiet_levels = self._state, reading.levels
        else:
            self._decide(reading)

    def _decide(self, event: ev.Event) -> None:
        now = self._clocks.monotonic()
        if abs(self._clocks.wall() - now - self._state.utc_offset) > CLOCK_STEP_S:
            self._handle(self._clock_read())
        link = getattr(event, "link", None)
        if link is not None and link not in self.links:
            return  # the link was removed meanwhile
        self._handle(event)
        if link is not None:
            self.links[link].decided()
        elif isinstance(event, ev.EdgeSeen | ev.EdgesDropped | ev.EdgesLost | ev.LevelsRead):
            self._panel.decided(event)
        elif isinstance(event, ev.ConfigurationRead):
            self._configuration.decided(event)
        elif isinstance(event, ev.OutputRecovered):
            self._configuration.files.drives(self._panel.driven)
        self._notify_manager()

    def _notify_manager(self) -> None:
        """Report changes to the service manager, after the effects: they must not wait for it."""
        ready = self._ready or status_text.is_ready(self._state)
        self._notifier.status(status_text.status(self._state, ready=ready))
        if ready and not self._ready:
            self._configuration.ready()
            self.when_ready()
        self._ready = ready
        if self._state.stopping:
            self._notifier.stopping()

    def _check_watchdog(self) -> None:
        why = systemd.why_unarmed(self._environ)
        if why is not None:
            log.warning("the hardware watchdog isn't armed: %s", why)
            self._decide(ev.WatchdogRead(self._clocks.monotonic(), armed=False))

    def _handle(self, event: ev.Event) -> None:
        try:
            state, asked = self._rehearsal.handle(self._state, event)
        except Exception:
            # An event from the network must not end the process that reads the button. The core is pure, so nothing
            # has changed. For all other events the process has to end, and systemd restarts it.
            if not hasattr(event, "link"):
                raise
            log.exception("a message from the network was not understood and is dropped")
            return
        self._state = state
        try:
            for effect in asked:
                self._perform(effect)
        finally:
            self.links.flush()
            os.sched_yield()  # the kernel may have woken the receiver on this processor: it goes first
            self._panel.flush()
            self._recorder.flush()
            self._deadline = controller.next_deadline(state)

    def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.SetBuzzer(pattern):
                self._panel.set_buzzer(pattern)
            case effects.SetLamp(pattern):
                self._panel.set_lamp(pattern)
            case effects.SampleAt(at):
                self._panel.sample_at(at)
                self._rehearsal.plan(at)
            case (
                effects.ShowLadder()
                | effects.Append()
                | effects.StoreSnapshot()
                | effects.MarkReceived()
                | effects.Spill()
                | effects.ReadBacklog()
            ):
                self._recorder.perform(effect)
            case effects.Begin():
                self._begin()
            case effects.ReadConfiguration() | effects.UseBrokers() | effects.TakeNextBroker():
                self._configuration.perform(effect, self.links, self._health)
            case effects.Connect() | effects.HurryLinks() | effects.RenewLink():
                self.links.perform(effect)
            case effects.CloseLinks():
                self._close_links()
            case effects.ReadClock():
                self._inbox.put(self._clock_read())
            case (
                effects.SendEvent()
                | effects.SendAlarm()
                | effects.SendState()
                | effects.SendCanary()
                | effects.SendReply()
                | effects.SendHeartbeat()
            ):
                self._publisher.send(effect)
            case effects.WriteStatus():
                self._write_status(effect)
            case _:
                assert_never(effect)

    def _begin(self) -> None:
        self._panel.start()
        self._configuration.files.drives(self._panel.driven)

    def _close_links(self) -> None:
        self._notify_manager()
        self.links.close()
        self._ended = True
        while (event := self._inbox.get(0.0)) is not None:
            self._decide(event)

    def _clock_read(self) -> ev.ClockRead:
        now = self._clocks.monotonic()
        synchronised = None if self._is_simple else health.clock_synchronised()
        return ev.ClockRead(now, self._clocks.wall() - now, synchronised)

    def _write_status(self, effect: effects.WriteStatus) -> None:
        listed = alarm.listed(self._state.incidents)
        calls = [status_file.Call(each.id, each.input, each.step, each.test) for each in listed]
        self._status.write(self._publisher.heartbeat(effect.heartbeat), calls)

    def _will(self, session: int) -> tuple[str, bytes]:
        state = self._state
        synchronised = state.supervision.synchronised is True
        return self._wire.state_topic, self._wire.state("lost", session, state.seq, self._clocks.wall(), synchronised)
