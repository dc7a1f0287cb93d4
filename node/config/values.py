"""Types of values that the files of both programs have, and where a program's state directory is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from node.config.declarations import be

Id = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,62}\Z")]
ID = "1 to 63 lower-case letters, digits and hyphens that begin with a letter or digit"

AbsolutePath = Annotated[str, Meta(pattern=r"\A/[^\x00]*\Z")]

Location = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
LOCATION = be("1 to 200 characters on one line that say where to go", "2. OG, Zimmer 214")

TopicRoot = Annotated[str, Meta(max_length=100, pattern=r"\A[^/+#$\x00-\x1f\x7f]+(/[^/+#$\x00-\x1f\x7f]+)*\Z")]
TOPIC_ROOT = be('1 to 100 characters without "+", "#", "$" and empty levels', "alarm/v1")


def state_directory(configured: Path | None, default: Path, environ: Mapping[str, str]) -> Path:
    """The first directory of systemd's $STATE_DIRECTORY, else the ``configured`` one, else the default."""
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given) if given else configured or default
