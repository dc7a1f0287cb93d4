"""What the service does about its configuration while it runs: a reload, other brokers, the way through safe mode."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import assert_never

from node import config
from node.config.brokers import is_loopback
from node.core import effects
from node.core import events as ev
from node.io import systemd
from node.io.health import HealthReader
from node.service.links import Links
from node.service.upkeep import safe_mode
from node.service.upkeep.file_watch import FileWatch


def is_networked(brokers: Iterable[config.Broker]) -> bool:
    """Whether one of them is on another machine."""
    return any(not is_loopback(broker.host) for broker in brokers)


class Configuration:
    """Performs the effects that are about node.toml, on the loop's thread.

    ``given``: the configuration of the start; ``running`` is what is left of it after repeated crashes. ``put`` takes
    events. For ``note_outputs`` see FileWatch.
    """

    def __init__(
        self,
        given: config.Config,
        directory: Path,
        *,
        environ: Mapping[str, str],
        put: Callable[[ev.Event], None],
        clock: Callable[[], float],
        notifier: systemd.Notifier,
        note_outputs: Callable[[Sequence[int]], None],
    ) -> None:
        self.running, self.crash_log = safe_mode.for_start(given, directory)
        self._given = given
        self._turn = self.crash_log.turn
        self._put = put
        self._clock = clock
        self._notifier = notifier
        self._is_ready = False
        self.files = FileWatch(
            self.running,
            directory,
            environ=environ,
            put=put,
            clock=clock,
            note_outputs=note_outputs,
            settle=self.crash_log.settle,
        )

    def ready(self) -> None:
        """The node works as it should with this configuration."""
        self._is_ready = True
        self._notifier.ready()
        self.files.keep()

    def perform(self, effect: effects.ConfigurationEffect, links: Links, health: HealthReader) -> None:
        """Do this."""
        match effect:
            case effects.ReadConfiguration():
                if self._is_ready:
                    self._notifier.reloading()
                self.files.reload()
            case effects.UseBrokers(brokers):
                links.use(brokers)
                health.use(networked=is_networked(brokers))
            case effects.TakeNextBroker():
                self._turn += 1
                simple = safe_mode.simplified(self._given, self._turn)
                self._put(ev.ConfigurationRead(self._clock(), "", simple.settings, simple.brokers))
            case _:
                assert_never(effect)

    def decided(self, _event: ev.ConfigurationRead) -> None:
        """The loop has decided what came of a reload: it is over."""
        if self._is_ready:
            self._notifier.ready()
