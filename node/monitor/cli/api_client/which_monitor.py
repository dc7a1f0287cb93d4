"""Which monitor a command asks, and as whom: from this PC or another, without the service's rights and secrets.

1. ``--url``, else $ALARM_MONITOR_URL: that one, with a token.
2. Else with ``--token-file``, $ALARM_MONITOR_TOKEN_FILE or $ALARM_MONITOR_TOKEN: the one on this machine.
3. Else the one on this machine by its socket, as a manager, where this account may open it.
4. Else the one on this machine, with a token.

A token is what the flag names, else the environment, else ~/.config/alarm-monitor/token. monitor.toml only says where
on this machine the monitor is, and in which language; whoever may not read it needs neither.
"""

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from node.config.files import FileError
from node.errors import ConfigError
from node.monitor.cli.api_client.http_client import DEFAULT_CONFIG, Api, address, read_token
from node.monitor.cli.api_client.monitor_client import AddressError, MonitorClient, TokenError, Where, on_this_machine
from node.monitor.core.model.monitor_settings import SOCKET

URL, TOKEN, TOKEN_FILE = "ALARM_MONITOR_URL", "ALARM_MONITOR_TOKEN", "ALARM_MONITOR_TOKEN_FILE"

LANGUAGES: tuple[Literal["de", "en"], ...] = ("de", "en")


class Local(NamedTuple):
    """What monitor.toml says of the monitor on this machine, as far as this account may read it."""

    language: Literal["de", "en"] | None
    url: str
    directory: Path


def look(path: Path, environ: Mapping[str, str]) -> Local:
    """What this file says; defaults where it is the usual one and can't be read. Raises ConfigError for any other."""
    from node.config import values  # noqa: PLC0415 - not every command needs it
    from node.config.reader import parse  # noqa: PLC0415 - as above
    from node.monitor.config.monitor_file import DEFAULT_STATE_DIRECTORY, MONITOR_FILE  # noqa: PLC0415 - as above

    try:
        document = parse(path, MONITOR_FILE.program)
    except ConfigError:
        if path != DEFAULT_CONFIG:
            raise
        document = {}
    monitor, api = (document.get(name) for name in ("monitor", "api"))
    monitor, api = (table if isinstance(table, dict) else {} for table in (monitor, api))
    language = next((each for each in LANGUAGES if each == monitor.get("language")), None)
    host, port = api.get("host", "127.0.0.1"), api.get("port", 8780)
    bracketed = f"[{host}]" if ":" in str(host) else host
    configured = monitor.get("state_directory")
    configured = Path(configured) if isinstance(configured, str) else None
    directory = values.state_directory(configured, DEFAULT_STATE_DIRECTORY, environ)
    return Local(language, f"http://{bracketed}:{port}", directory)


def known(path: Path, environ: Mapping[str, str]) -> Local | None:
    """As ``look``; None where the file can't be read."""
    try:
        return look(path, environ)
    except ConfigError:
        return None


def reach(parsed: argparse.Namespace, environ: Mapping[str, str], answer_s: float) -> MonitorClient:
    """The monitor that these flags and this environment mean. Raises ApiError and ConfigError."""
    url = parsed.url or environ.get(URL)
    named = _named_token(parsed.token_file, environ)
    if url:
        return MonitorClient(_with_token(url, named or _own_token(environ), answer_s), "elsewhere")
    local = look(parsed.config, environ)
    socket = local.directory / SOCKET
    where: Where = "nowhere" if _is_missing(parsed.config) and _is_missing(socket) else "here"
    if named:
        return MonitorClient(_with_token(local.url, named, answer_s), where)
    if not os.access(socket, os.W_OK):
        own = _own_token(environ)
        if own:
            return MonitorClient(_with_token(local.url, own, answer_s), where)
    return MonitorClient(on_this_machine(local.directory, answer_s), where)


def language_of(
    parsed: argparse.Namespace | None, environ: Mapping[str, str], local: Local | None
) -> Literal["de", "en"]:
    """What whoever typed this reads: what the flag says, else monitor.toml, else this account's own language."""
    wanted = getattr(parsed, "language", None) or (local.language if local is not None else None)
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        wanted = wanted or environ.get(name)
    return "de" if str(wanted).startswith("de") else "en"


def _is_missing(path: Path) -> bool:
    """Whether there is surely no such file; what this account may not see may be there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _with_token(url: str, token: str, answer_s: float) -> Api:
    try:
        whole = address(url)
    except ValueError:
        raise AddressError(
            "{url} isn't the address of a monitor", "write it like https://guards.example", url=url
        ) from None
    if not token:
        raise TokenError(
            "there is no token for {url}",
            "save one in ~/.config/alarm-monitor/token; the technician makes it on the monitor's machine: "
            "sudo alarm-monitor token create guard-pc --role responder",
            url=whole,
        )
    return Api(whole, token, answer_s)


def _named_token(file: Path | None, environ: Mapping[str, str]) -> str:
    """That of the flag, or of the environment; empty where none is named."""
    if file is not None:
        return _read(file)
    if environ.get(TOKEN_FILE):
        return _read(Path(environ[TOKEN_FILE]))
    return _checked(environ.get(TOKEN, ""), f"${TOKEN}")


def _own_token(environ: Mapping[str, str]) -> str:
    """That in this account's home; empty where there is none."""
    configuration = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "/") / ".config")
    file = Path(configuration) / "alarm-monitor" / "token"
    return _read(file) if os.path.lexists(file) else ""


def _read(file: Path) -> str:
    try:
        return read_token(file)
    except FileError as problem:
        raise TokenError(
            "the token in {file} can't be read ({why})",
            "name a file that this account may read, or ask the technician for a token: "
            "sudo alarm-monitor token create guard-pc --role responder",
            file=file,
            why=problem.reason,
        ) from problem


def _checked(text: str, where: str) -> str:
    token = text.strip()
    if re.fullmatch(r"[\x21-\x7e]*", token) is None:
        raise TokenError(
            "{file} must hold one token, on one line",
            "copy the line that alarm-monitor token create printed",
            file=where,
        )
    return token
