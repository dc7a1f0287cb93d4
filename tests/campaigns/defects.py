"""Deliberate defects: a node with one of them switched on must make a campaign fail, or the campaign proves nothing.

    python -m tests.campaigns.defects NAME simulate --config node.toml

is ``alarm-node simulate`` with that defect, or ``alarm-monitor`` where it is one of the monitor's. Nothing of this is
in the package: each one replaces a function of it.
"""

import sys
from collections.abc import Callable

from node.cli.main import main as alarm_node
from node.monitor.cli.main import main as alarm_monitor
from tests.campaigns import defects_of_core, defects_of_links, defects_of_monitor, defects_of_record, defects_of_time
from tests.support import prepared

DEFECTS: dict[str, Callable[[], None]] = {
    **defects_of_core.DEFECTS,
    **defects_of_links.DEFECTS,
    **defects_of_monitor.DEFECTS,
    **defects_of_record.DEFECTS,
    **defects_of_time.DEFECTS,
}
"""What switches each defect on, by its name."""


def command(defect: str) -> list[str]:
    """How alarm-node is started with this defect, or without any (tests/support/prepared.py)."""
    return [prepared.MODULE, "tests.campaigns.defects", defect] if defect else [prepared.NODE]


def monitor_command(defect: str) -> list[str]:
    """How alarm-monitor is started with this defect, or without any."""
    return [prepared.MODULE, "tests.campaigns.defects", defect] if defect else [prepared.MONITOR]


def switch_on(defect: str) -> None:
    """Have this defect in this process from now on; none where it is ""."""
    if defect:
        DEFECTS[defect]()


def main() -> int:
    """Switch the defect on, and be alarm-node, or alarm-monitor."""
    name, arguments = sys.argv[1], sys.argv[2:]
    switch_on(name)
    return alarm_monitor(arguments) if name in defects_of_monitor.DEFECTS else alarm_node(arguments)


if __name__ == "__main__":
    sys.exit(main())
