"""A URL that has a file of its own: a target's, or the database's. It holds passwords: no part of it is ever shown."""

import re
from pathlib import Path

from node.config.files import FileError, one_line

LENGTH = 2_000


def read_url(path: Path) -> str:
    """The URL that this file holds on its one line. Raises FileError."""
    try:
        url = one_line(path, "URL").decode().strip()
    except UnicodeDecodeError:
        raise FileError(path, "isn't UTF-8: write the URL into it, on one line") from None
    if len(url) > LENGTH or re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*:/[^\x00-\x20\x7f]+", url) is None:
        raise FileError(path, "holds no URL: write it alone, on one line")
    return url
