"""The doctor at the files: whether the service can use them, and whether others can read what is secret."""

import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

from node import config
from node.cli.check.service_account import READ, WRITE, Account
from node.config.brokers import files, is_secret_name, why_unusable
from node.errors.faults import RECORD_FAILED
from node.io.record.record_reader import read_snapshot
from node.io.terminal.check_result import CheckResult
from node.protocol.record_codec import decode_snapshot

_DENIED = os.strerror(errno.EACCES)
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


def look_at_content(settings: config.Config, account: Account | None) -> Generator[CheckResult, None, set[str]]:
    """Whether the files that brokers name can be used; returns the names of brokers that can't be tried without them.

    Errors in the content of certificates and keys show when the broker is tried. ``account``: as in look_at_access.
    """
    is_stranger = account is not None and account.exists and not account.can_be_asked
    untried = set()
    for broker in settings.brokers:
        for key, path in files(broker).items():
            about = f"broker {broker.name}: {key}"
            if is_handed_over(path):
                text = f"{about} is a file that systemd hands to the service, and to nobody else"
                yield CheckResult(None, text, "start the service, then check again: it says itself what it can't use")
                untried.add(broker.name)
            elif problem := why_unusable(key, path):
                named = "" if is_secret_name(key, path) else f" {path}"
                untried.add(broker.name)
                if is_stranger and _DENIED in problem:
                    text = f"{about}{named} may not be read by this account, so the broker isn't tried"
                    yield CheckResult(None, text, "run this as root: sudo alarm-node check")
                    continue
                advice = "correct it, or run this as root or as the service's user"
                yield CheckResult(False, f"{about}{named} {problem}", advice)
    return untried


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


def look_at_open_alarms(directory: Path) -> Iterator[CheckResult]:
    """The alarms that were open when the service ended, as far as the record in this directory can be read."""
    body = read_snapshot(directory)
    if body is None:
        return
    try:
        incidents = decode_snapshot(body).incidents
    except ValueError:
        return
    for each in incidents:
        if not each.test:
            text = f"{each.id} of {each.input} was open when the service ended"
            next_step = "go there; then start the service, which goes on calling: sudo systemctl start alarm-node"
            yield CheckResult(False, text, next_step, alarm=True)


def try_directory(directory: Path, as_root: str | None = None) -> CheckResult:
    """If it is missing, try its parent: a directory made by the doctor wouldn't belong to the service.

    ``as_root``: how root does this, if the directory is another account's; else None.
    """
    try:
        nearest = next(each for each in (directory, *directory.parents) if each.exists())
        probe = nearest / f".probe-{secrets.token_hex(4)}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        if isinstance(error, PermissionError) and as_root is not None and os.geteuid() != 0:
            return CheckResult(None, f"{directory}: this account may not write there, and needn't", as_root)
        reason = f"{error.strerror}: {RECORD_FAILED.text}"
        return CheckResult(False, f"{directory}: {reason}", RECORD_FAILED.next_step)
    return CheckResult(True, f"{directory} can be written")


def _called(broker: config.Broker, key: str, path: Path) -> str:
    return f"broker {broker.name}: {key} {path}"
