"""Clears the findings of an earlier run that nothing would clear any more. Pure."""

from node.monitor.core.commands.button_tests import ButtonTests
from node.monitor.core.decisions.ledger import Ledger, Moment
from node.monitor.core.incidents.false_alarms import MANY
from node.monitor.core.incidents.lifecycle import Incidents
from node.monitor.core.model.catalogue import (
    MISTAKEN_CALLS,
    NOT_OURS,
    OPEN_ALARM_UNSTORED,
    OPEN_AT_THE_WALL,
    REDUCED,
    RESET_MISSING,
    UNTOLD,
)
from node.monitor.core.model.records import FindingKey, IncidentKey
from node.monitor.core.nodes.node_supervision import Fleet

_OF_INCIDENTS = frozenset({RESET_MISSING.code, OPEN_ALARM_UNSTORED.code, UNTOLD.code})


def clear_leftovers(ledger: Ledger, now: Moment, incidents: Incidents, fleet: Fleet, button_tests: ButtonTests) -> None:
    """Clear them at a start. Nobody is told."""
    for key in list(ledger.open):
        if _is_leftover(key, ledger, incidents, fleet, button_tests):
            del ledger.open[key]
            ledger.out.cleared.append((key, now.utc))


def _is_leftover(
    key: FindingKey, ledger: Ledger, incidents: Incidents, fleet: Fleet, button_tests: ButtonTests
) -> bool:
    if key.code in _OF_INCIDENTS:
        opened = incidents.open.get(IncidentKey(*key.of, key.subject))
        came = opened is not None and opened.record.held_utc is not None
        return opened is None or (key.code == OPEN_ALARM_UNSTORED.code and came)
    if key.code == OPEN_AT_THE_WALL.code:
        return incidents.ended(IncidentKey(*key.of, key.subject)) is None
    if key.code == MISTAKEN_CALLS.code:
        return incidents.false_alarms.count(key.of, key.subject) < MANY
    if key.code == REDUCED.code and not key.node:
        return key.subject not in button_tests.walks
    tracked = fleet.nodes.get(key.of)
    if key.code == REDUCED.code:
        return tracked is None or tracked.pause is None
    not_ours = FindingKey(NOT_OURS.code, *key.of, "")
    if key == not_ours:
        return tracked is not None and tracked.known
    return bool(key.node) and tracked is None and not_ours not in ledger.open
