"""The last good configuration: a copy of node.toml as it was when the node last became ready with it.

1. A node whose node.toml can't be used any more starts with the copy, and says so (F055). Only a node that was never
   ready has no copy, and refuses to start.
2. The copy lies in the state directory. Its first line names the file that it was made of: the copy of another file is
   never used.
3. A state directory that can't be written costs the copy and nothing else.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from node.config import files, node_file
from node.config.files import FileError
from node.config.node_file import NODE_FILE, Config
from node.config.reader import parse
from node.config.values import state_directory
from node.errors import ConfigError

NAME = "last-good.toml"

_MODE = 0o600
_SHOWN = 60
"""How many characters of the first problem's place the fault's subject has: it stands in status lines and tables."""


def load(path: Path, environ: Mapping[str, str]) -> tuple[Config, tuple[str, ...]]:
    """Node.toml, or its last good copy if it can't be used; also what is wrong with node.toml, a line each.

    Raises ConfigError with what is wrong with node.toml if there is no copy that can be used, either.
    """
    try:
        return node_file.load(path, environ), ()
    except ConfigError as error:
        copied, problems = _copied(path, environ), error.problems
        if copied is None:
            raise
    return replace(copied, settings=replace(copied.settings, refused=_briefly(path, problems))), problems


def _briefly(path: Path, problems: Sequence[str]) -> str:
    """The place of the first problem, and how many follow it: ``[lamp] pin = 99 (and 2 more)``. ``check`` tells all."""
    place = problems[0].removeprefix(f"{path}: ").partition(": ")[0][:_SHOWN]
    return f"{place} (and {len(problems) - 1} more)" if len(problems) > 1 else place


def keep(config: Config, directory: Path) -> None:
    """Make this the last good configuration, in this state directory. Raises OSError.

    Nothing is written if it is that already.
    """
    copy, wanted = directory / NAME, _heading(config.path) + config.content
    with suppress(FileError):
        if files.content(copy) == wanted:
            return
    files.replace(copy, wanted, _MODE)


def where(path: Path, environ: Mapping[str, str]) -> Path:
    """Where the copy of a node.toml is that can't be used, as far as it still says where its state directory is."""
    configured = None
    with suppress(ConfigError):
        node = NODE_FILE.read(parse(path, NODE_FILE.program))[0]["node"]
        configured = node[0].values.get("state_directory") if node else None
    return state_directory(Path(configured) if configured else None, node_file.DEFAULT_STATE_DIRECTORY, environ) / NAME


def _copied(path: Path, environ: Mapping[str, str]) -> Config | None:
    heading = _heading(path)
    with suppress(FileError, ConfigError):
        found = files.content(where(path, environ).absolute())
        if found.startswith(heading):
            return node_file.understand(path, found.removeprefix(heading), environ)
    return None


def _heading(path: Path) -> bytes:
    return b"# alarm-node was last ready with this copy of %b\n" % os.fsencode(path.absolute())
