"""The nodes that were stopped and aren't yet a finding: a press there already raises no alarm.

People get no message yet, since an upgrade stops a node for some seconds. Whoever looks is shown it at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

STEP = "if this isn't intended, start it there, on the node: sudo systemctl start alarm-node"

_STOPPED = "{node} was stopped: a press there raises no alarm (a finding from {time} on)"


def stopped(nodes: Iterable[Mapping[str, Any]], now: datetime | None = None) -> Iterator[str]:
    """A line for each such node of the API's ``nodes``, in English; ``now`` is the present time."""
    now = now or datetime.now(UTC)
    for node in nodes:
        left_s = node["planned_s"]
        if node["status"] == "down" and node["reason"] == "goodbye" and left_s is not None and left_s > 0:
            due = (now + timedelta(seconds=left_s)).astimezone()
            time = f"{due:%H:%M}" if due.date() == now.astimezone().date() else f"{due:%Y-%m-%d %H:%M}"
            yield _STOPPED.format(node=f"{node['site']}/{node['node']}", time=time)
