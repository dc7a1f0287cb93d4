"""New settings while the node runs: what they change at once. What only a restart can change isn't among them.

1. Open incidents, inhibits and everything that waits to be sent stay as they are.
2. A link that isn't wanted any more is forgotten, and its faults with it. A new one begins like any link at a start.
3. A heartbeat goes out at once: monitors expect the next one within the period that it names.
4. In safe mode the node has one link. While it doesn't come up, the next broker is taken, at longer and longer times.
"""

from math import inf

from msgspec.structs import replace

from node.core import delivery, heartbeat, supervision
from node.core.back_off import BackOff
from node.core.effects import ReadBacklog, ReadConfiguration, TakeNextBroker, UseBrokers
from node.core.events import ConfigurationRead, ConfigurationSeen, ReloadRequested
from node.core.model import Step
from node.core.settings import Receipts, Settings
from node.core.state import State
from node.core.supervision import LinkState
from node.core.turn import Turn

NEXT_BROKER = BackOff(30.0, 3600.0)


def reload_requested(turn: Turn, _event: ReloadRequested) -> None:
    """Somebody wants node.toml to be read again."""
    if not turn.state.stopping:
        turn.last.append(ReadConfiguration())


def configuration_seen(turn: Turn, event: ConfigurationSeen) -> None:
    """It has changed whether node.toml can be used."""
    turn.supervise(configuration_problem=event.problem)


def configuration_read(turn: Turn, event: ConfigurationRead) -> None:
    """node.toml was read again: go on with its settings, or with the old ones if it can't be used."""
    turn.supervise(configuration_problem=event.problem)
    if event.settings is None or turn.state.stopping:
        return
    before = turn.state.settings
    turn.change(settings=event.settings)
    _use_links(turn)
    _hear_monitors(turn, before)
    _await_receipts(turn, before)
    turn.last.append(UseBrokers(event.brokers))
    if turn.state.begun:
        heartbeat.send(turn)


def time_passed(turn: Turn) -> None:
    """In safe mode: take the next broker if it is time."""
    if turn.now >= next_instant(turn.state):
        known = turn.state.supervision
        turn.supervise(brokers_tried=known.brokers_tried + 1, broker_taken_at=turn.now)
        turn.last.append(TakeNextBroker())


def next_instant(state: State) -> float:
    """When the next broker is taken; inf outside of safe mode, and while the link is up."""
    known = state.supervision
    if not state.settings.safe_mode or any(link.up for link in known.links):
        return inf
    since = max(known.broker_taken_at, *(link.since for link in known.links))
    return since + NEXT_BROKER.wait_s(1 + known.brokers_tried)


def _use_links(turn: Turn) -> None:
    known = {link.name: link for link in turn.state.supervision.links}
    wanted = turn.state.settings.links
    turn.supervise(links=tuple(known.get(name, LinkState(name, since=turn.now)) for name in wanted))
    for name in known.keys() - set(wanted):
        turn.change(waiting=delivery.forget_link(turn.state.waiting, name))


def _hear_monitors(turn: Turn, before: Settings) -> None:
    """Monitors that don't count any more are forgotten; those that count now have their time to be heard."""
    known, settings = turn.state.supervision, turn.state.settings
    if (settings.monitors, settings.receipts) == (before.monitors, before.receipts):
        return
    monitors = {
        name: heard for name, heard in known.monitors.items() if not settings.monitors or name in settings.monitors
    }
    no_monitor_since = None if monitors else turn.now + supervision.MONITOR_HEARD_S
    turn.supervise(monitors=monitors, no_monitor_since=no_monitor_since)


def _await_receipts(turn: Turn, before: Settings) -> None:
    """Open calls await *told* from now on, or don't any more.

    What only a broker took is sent again: a monitor that counts events would miss it until it gives up (M003).
    """
    settings = turn.state.settings
    if settings.receipts is before.receipts:
        return
    if settings.receipts is Receipts.REQUIRED:
        turn.last.append(ReadBacklog(tuple(turn.state.waiting.events), taken=True))
    for incident in turn.state.incidents:
        if settings.receipts is Receipts.NONE and incident.step in (Step.ACCEPTED, Step.HELD):
            turn.put_incident(replace(incident, receipt_due=None))
        elif settings.receipts is Receipts.REQUIRED and incident.step is Step.ACCEPTED:
            turn.put_incident(replace(incident, receipt_due=turn.now + settings.receipt_s))
