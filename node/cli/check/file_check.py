"""The doctor at the files: whether the service can use them, and whether others can read what is secret."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from node import config
from node.cli.check.service_account import READ, WRITE, Account
from node.config.brokers import files, why_unusable
from node.errors.faults import RECORD_FAILED
from node.io.terminal.check_result import CheckResult

_SECRETS = ("key_file", "password_file")
_CREDENTIALS = Path("/run/credentials")
"""Where systemd puts what it hands to services: the files are there only while the service runs."""


def is_handed_over(path: Path) -> bool:
    """Whether systemd hands this file to the service, so that nobody else can look at it."""
    return not path.is_absolute() or path.is_relative_to(_CREDENTIALS)


def look_at_access(settings: config.Config, directory: Path, account: Account | None) -> Iterator[CheckResult]:
    """What the service's account may not read or write; None: no other account than this one runs the node."""
    if account is None or not account.exists:
        return
    if not account.can_be_asked:
        text = f"whether the service's account, {account.name}, can use its files can't be told by this account"
        yield CheckResult(None, text, "run this as root: sudo alarm-node check")
        return
    wanted = [(str(settings.path), READ, settings.path.absolute())]
    for broker in settings.brokers:
        named = files(broker).items()
        wanted += [(_called(broker, key, path), READ, path) for key, path in named if not is_handed_over(path)]
    if directory.exists():
        wanted.append((str(directory), WRITE, directory))
    for name, right, path in wanted:
        if os.path.lexists(path) and (why_not := account.why_not(right, path)):
            advice = "give the account this right (chgrp and chmod), here and in the directories above"
            yield CheckResult(False, f"{name} {why_not}", advice)


def look_at_content(settings: config.Config) -> Iterator[CheckResult]:
    """Whether the files that brokers name can be used; errors in their content show when the broker is tried."""
    for broker in settings.brokers:
        for key, path in files(broker).items():
            about = f"broker {broker.name}: {key}"
            if is_handed_over(path):
                text = f"{about} is a file that systemd hands to the service, and to nobody else"
                yield CheckResult(None, text, "start the service, then check again: it says itself what it can't use")
            elif problem := why_unusable(key, path):
                yield CheckResult(
                    False, f"{about} {problem}", "correct it, or run this as root or as the service's user"
                )


def look_at_rights(settings: config.Config) -> Iterator[CheckResult]:
    """Who else may read files that only the node may read."""
    for broker in settings.brokers:
        for key, path in files(broker).items():
            if key not in _SECRETS:
                continue
            with suppress(OSError):
                if path.stat().st_mode & stat.S_IROTH:
                    text = f"broker {broker.name}: every account of this machine may read {key} {path}"
                    yield CheckResult(False, text, f"take that right away: chmod o-rwx {path}")


def try_directory(directory: Path) -> CheckResult:
    """If it is missing, try its parent: a directory made by the doctor wouldn't belong to the service."""
    try:
        nearest = next(each for each in (directory, *directory.parents) if each.exists())
        probe = nearest / f".probe-{secrets.token_hex(4)}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        reason = f"{error.strerror}: {RECORD_FAILED.text}"
        return CheckResult(False, f"{directory}: {reason}", RECORD_FAILED.next_step)
    return CheckResult(True, f"{directory} can be written")


def _called(broker: config.Broker, key: str, path: Path) -> str:
    return f"broker {broker.name}: {key} {path}"
