"""``alarm-node`` for `make test`: a disk that stalled counts as well after SOON_CALM_S, which is a minute otherwise.

python -m tests.campaigns.soon_calm simulate --config node.toml
"""

import sys

from node.cli.main import main as alarm_node
from node.core import disk_stall

SOON_CALM_S = disk_stall.PROBE_S + 2.0
"""So that one probe is written meanwhile."""


def main() -> int:
    """Be alarm-node."""
    disk_stall.CALM_S = SOON_CALM_S
    return alarm_node()


if __name__ == "__main__":
    sys.exit(main())
