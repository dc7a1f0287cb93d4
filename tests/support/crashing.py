"""``alarm-node`` with a part that crashes the whole process: the reader of the machine's memory.

python -m tests.support.crashing simulate --config node.toml
"""

import os
import sys
from typing import NoReturn

from node.cli.main import main as alarm_node
from node.io.health import readers


def _crash(_root: object) -> NoReturn:
    os.abort()


def main() -> int:
    """Be alarm-node."""
    readers.memory = _crash  # type: ignore[assignment] # what no reader does
    return alarm_node(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
