"""What to do about a finding: the next step of its kind, with the names that its command needs. Pure."""

from node.errors.faults import FaultKind
from node.monitor.core.model.catalogue import REDUCED, UNREACHED, WOULD_TAKE, kind_of, own_parts
from node.monitor.core.model.records import FindingKey

_RESTORE = "an isolated target would get these alarms, restore it: alarm-monitor restore-target {target}"
_THERE = "(on the node)"
_END_PAUSE = "if this isn't intended, end it: alarm-monitor resume {node}"
_END_WALK_TEST = "if this isn't intended, end it: alarm-monitor walk-test end {walk}"


def next_step(key: FindingKey, detail: str = "") -> str:
    """What to do about this finding, with the names that its command needs."""
    step = kind_of(key.code).next_step
    if key.code.startswith("F") and "alarm-node" in step:
        return f"{step} {_THERE}"  # whoever reads this may sit at the monitor, and type it there
    node, target = f"{key.site}/{key.node}", own_parts(key)[1]
    if key.code == UNREACHED.code and detail.startswith(WOULD_TAKE):
        step, target = _RESTORE, detail.removeprefix(WOULD_TAKE).partition(",")[0]
    if key.code == REDUCED.code:
        step = _END_PAUSE if key.node else _END_WALK_TEST
    return step.format(site=key.site, node=node, incident=f"{node}/{key.subject}", target=target, walk=key.subject)


def general_step(kind: FaultKind) -> str:
    """What to do about any finding of this kind: in capitals where its command needs a name."""
    names = {"site": "SITE", "node": "SITE/NODE", "incident": "SITE/NODE/INCIDENT", "target": "TARGET"}
    return kind.next_step.format(**names)
