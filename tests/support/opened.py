"""``alarm-node`` that notes which files it opens, by the interpreter's audit events, in the file $OPENED.

python -m tests.support.opened simulate --config node.toml
"""

import os
import sys

from node.cli.main import main as alarm_node

_OPENING = ("open", "os.rename", "os.remove", "sqlite3.connect")


def main() -> int:
    """Be alarm-node."""
    noted = os.open(os.environ["OPENED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in _OPENING:
            for path in arguments[:2]:
                if isinstance(path, str | bytes | os.PathLike):
                    os.write(noted, os.fsencode(path) + b"\n")

    sys.addaudithook(note)
    return alarm_node(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
