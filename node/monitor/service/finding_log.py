"""Logs each finding when it begins and when it is over."""

import logging

from node.monitor.core.decisions.ledger import Decisions
from node.monitor.core.model.catalogue import kind_of
from node.monitor.core.model.records import FindingKey
from node.monitor.locale.translation import one_line
from node.monitor.notify.texts.vocabulary import DETAILS

log = logging.getLogger(__name__)


def log_findings(decisions: Decisions) -> None:
    """One line for each finding that was raised or cleared. Parts of it may have come over the network."""
    for finding in decisions.raised:
        why = one_line(DETAILS.get(finding.detail, finding.detail))
        log.warning("%s: %s%s", _named(finding.key), kind_of(finding.key.code).text, f" ({why})" if why else "")
    for key, _ in decisions.cleared:
        log.info("%s: over", _named(key))


def _named(key: FindingKey) -> str:
    return one_line(f"{key.code} {'/'.join(filter(None, key[1:]))}")
