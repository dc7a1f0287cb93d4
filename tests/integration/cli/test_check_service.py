"""What the doctor finds of an installed service: with what it last ended, and what its account may not do."""

import errno
import logging
import os
import pwd
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.cli import main
from node.cli.check import node_check, service_manager
from node.cli.check.node_check import Installed, examine
from node.cli.check.service_account import Account
from node.core.settings import Wiring
from node.io.terminal.check_result import CheckResult
from node.service import status_file
from tests.support.node import wait_until, write_config
from tests.support.walls import wall_of

NOBODY = Account("nobody", sandboxed=False)
STRANGER = Account("no-such-account", sandboxed=False)
UNIT = "alarm-node.service"
WAIT_LIMIT_S = 20.0
ENDED = {"LoadState": "loaded", "ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "7"}


def findings(config: Path, account: Account = STRANGER) -> list[CheckResult]:
    """All that the doctor says of the installed service with this configuration."""
    pins = wall_of({"button": (17, Wiring.NORMALLY_OPEN)}).factory
    return list(examine(config, {}, lambda _: pins, Installed(UNIT, account)))


def texts(found: list[CheckResult], subject: str) -> list[str]:
    """The findings with this in their text."""
    return [each.text for each in found if subject in each.text]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that answers with what this file holds, if it is asked as the doctor asks."""
    programs, answer = tmp_path / "bin", tmp_path / "answer"
    programs.mkdir()
    systemctl = programs / "systemctl"
    systemctl.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "show {UNIT}" ] && cat {answer} && touch {tmp_path}/asked\n', encoding="utf-8"
    )
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return answer


def says(answer: Path, properties: Mapping[str, str]) -> None:
    """From now on systemd says this."""
    draft = answer.with_suffix(".draft")
    draft.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")
    draft.replace(answer)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every account can enter; those of pytest are their owner's alone."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize(
    ("properties", "told", "next_step"),
    [
        (
            {"StatusText": "E003 another", "Result": "exit-code"},
            "E003 another",
            "its log",
        ),
        ({"StatusText": "", "Result": "signal", "ExecMainStatus": "11"}, "signal, status 11", "its log"),
        ({"StatusText": "ready, 1 of 1", "Result": "signal", "ExecMainStatus": "9"}, "signal, status 9", "its log"),
        ({"StatusText": "ready, 1 of 1", "ExecMainStatus": "243"}, "243/CREDENTIALS", "SetCredential="),
        ({"ExecMainStatus": "217"}, "systemd couldn't prepare it: 217/USER", "its log"),
        ({"ActiveState": "failed", "SubState": "failed", "StatusText": "E003 another"}, "E003 another", "its log"),
    ],
)
def test_a_service_that_ends_again_and_again_is_told_with_its_last_end(
    tmp_path: Path, manager: Path, properties: Mapping[str, str], told: str, next_step: str
) -> None:
    """Nobody is told to start what systemd starts every two seconds; and its pins and brokers are left to it."""
    says(manager, {**ENDED, **properties})

    found = findings(write_config(tmp_path, 1))

    (ended,) = (each for each in found if "the service doesn't run" in each.text)
    assert ended.ok is False
    assert told in ended.text
    assert "(restarts: 7)" in ended.text
    assert next_step in ended.next_step
    assert texts(found, "pins and brokers aren't tried")
    assert not texts(found, "button")
    assert not texts(found, "127.0.0.1:1")


def test_a_first_configuration_that_is_refused_is_told_with_the_end(tmp_path: Path, manager: Path) -> None:
    """What is wrong with the file comes first."""
    config = write_config(tmp_path, 1)
    config.write_text("no TOML", encoding="utf-8")
    says(manager, {**ENDED, "StatusText": "E001 it has 1 problem: it isn't TOML"})

    found = findings(config)

    assert [each.ok for each in found] == [False, False]
    assert "isn't TOML" in found[0].text
    assert "E001 it has 1 problem" in found[1].text


@pytest.mark.parametrize(
    "properties",
    [
        {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "NRestarts": "0"},
        {"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "Result": "success"},
        {},
    ],
    ids=["no unit", "stopped", "no systemd"],
)
def test_a_service_that_was_not_started_is_told_to_be_started(
    tmp_path: Path, manager: Path, properties: Mapping[str, str]
) -> None:
    """Then its pins are tried."""
    says(manager, properties)

    found = findings(write_config(tmp_path, 1))

    (stopped,) = (each for each in found if "the service doesn't run" in each.text)
    assert stopped.next_step == "start it: sudo systemctl start alarm-node"
    assert texts(found, "button (pin 17) is normal")


def test_a_service_that_starts_is_waited_for(tmp_path: Path, manager: Path) -> None:
    """While it starts, systemd doesn't know any more with what it ended before."""
    starting = {**ENDED, "SubState": "start", "StatusText": ""}
    says(manager, starting)
    config = write_config(tmp_path, 1)

    with ThreadPoolExecutor(1) as other:
        asked = other.submit(findings, config)
        wait_until((tmp_path / "asked").exists, what="the first question")
        waited = not asked.done()
        says(manager, {**ENDED, "StatusText": "E003 another one runs"})
        found = asked.result(WAIT_LIMIT_S)

    assert waited
    assert texts(found, "E003 another one runs")


def test_a_service_that_takes_long_to_start_is_not_disturbed(
    tmp_path: Path, manager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither well nor broken yet."""
    monkeypatch.setattr(service_manager, "START_S", 0.0)
    says(manager, {"ActiveState": "activating", "SubState": "start", "NRestarts": "0"})

    found = findings(write_config(tmp_path, 1))

    assert [each.ok for each in found if "the service is starting" in each.text] == [None]
    assert not texts(found, "button")


def test_a_service_that_could_not_leave_its_lock_is_known_to_run(tmp_path: Path, manager: Path) -> None:
    """By systemd: its pins and its brokers' sessions are left alone."""
    says(manager, {"ActiveState": "active", "SubState": "running"})

    found = findings(write_config(tmp_path, 1))

    assert texts(found, "the service runs, but left no findings")
    assert not texts(found, "button")


def test_a_trial_has_no_unit(tmp_path: Path, manager: Path) -> None:
    """Another file than the service's isn't asked about."""
    says(manager, ENDED)
    pins = wall_of({"button": (17, Wiring.NORMALLY_OPEN)}).factory

    found = list(examine(write_config(tmp_path, 1), {}, lambda _: pins))

    assert texts(found, "the service doesn't run") == ["the service doesn't run: a press does nothing"]


def test_who_may_not_write_the_record_is_told_to_ask_as_root(
    tmp_path: Path, manager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first start nobody's card is broken: this account only may not write there."""
    says(manager, {})
    config = write_config(tmp_path, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    def refuse(_path: Path, _content: bytes) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)

    (found,) = (each for each in findings(config) if "may not write there" in each.text)

    assert found.ok is None
    assert found.text.startswith(f"{tmp_path / 'state'}: ")
    assert "sudo alarm-node check; systemctl status alarm-node shows the state without root" in found.next_step


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask for another account")


def _with_secret(place: Path) -> tuple[Path, Path]:
    password = place / "password"
    password.write_bytes(b"hunter2\n")
    password.chmod(0o600)
    broker = {"host": "127.0.0.1", "port": 1, "username": "me", "password_file": str(password)}
    (place / "state").mkdir()
    return write_config(place, brokers=[broker]), password


@needs_root
def test_what_the_services_account_cannot_read_is_found(place: Path, manager: Path) -> None:
    """Root can, and must not take that for an answer; once the account can, nothing is found."""
    says(manager, {})
    config, password = _with_secret(place)

    shut = texts(findings(config, NOBODY), "by the service's account")
    password.chmod(0o640)
    os.chown(password, -1, pwd.getpwnam(NOBODY.name).pw_gid)
    (place / "state").chmod(0o777)
    opened = texts(findings(config, NOBODY), "by the service's account")

    assert shut == [
        f"broker 127.0.0.1:1: password_file {password} can't be read by the service's account, nobody",
        f"{place / 'state'} can't be written by the service's account, nobody",
    ]
    assert opened == []


@needs_root
def test_a_configuration_that_the_account_cannot_read_is_found(place: Path, manager: Path) -> None:
    """The next start would go on with the last good one, and nobody would know why."""
    says(manager, {})
    config = write_config(place, 1)
    config.chmod(0o600)

    assert texts(findings(config, NOBODY), f"{config} can't be read by the service's account")


@needs_root
def test_a_running_services_files_are_looked_at_as_its_account(place: Path) -> None:
    """Its own word says that a file can't be used; why, only the account's rights tell."""
    config, password = _with_secret(place)
    lock = status_file.hold(place / "state")

    found = texts(findings(config, NOBODY), "password_file")
    status_file.release(lock)

    assert found == [f"broker 127.0.0.1:1: password_file {password} can't be read by the service's account, nobody"]


def test_who_is_neither_root_nor_the_account_cannot_tell(
    place: Path, manager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so, instead of calling well what another account may not read."""
    says(manager, {})
    config, _ = _with_secret(place)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    (found,) = (each for each in findings(config, NOBODY) if "the service's account" in each.text)

    assert found.ok is None
    assert "can't be told by this account" in found.text


def test_a_file_that_this_account_may_not_read_cannot_be_told(
    place: Path, manager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A technician without root isn't told that the password's file is wrong."""
    says(manager, {})
    config, password = _with_secret(place)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    opened = os.open

    def refuse(path: Path, flags: int, *more: int) -> int:
        if path == password:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", refuse)

    (found,) = (each for each in findings(config, NOBODY) if "password_file" in each.text)

    assert found.ok is None
    assert f"password_file {password} may not be read by this account" in found.text
    assert found.next_step == "run this as root: sudo alarm-node check"


def test_what_the_unit_hides_is_found(place: Path, manager: Path) -> None:
    """A file in a home or in /tmp may have all rights, and isn't there for the service."""
    says(manager, {})
    config, password = _with_secret(place)
    password.chmod(0o644)

    found = texts(findings(config, Account("nobody")), "is hidden from the service")

    assert f"broker 127.0.0.1:1: password_file {password} is hidden from the service" in "\n".join(found)


def test_the_usual_file_is_the_services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`alarm-node check` alone asks about the installed service; about another file it doesn't."""
    asked: list[tuple[Path, Installed | None]] = []

    def note(path: Path, _environ: object, installed: Installed | None) -> list[CheckResult]:
        asked.append((path, installed))
        return []

    monkeypatch.setattr(node_check, "examine", note)
    monkeypatch.setattr(logging.getLogger("node"), "setLevel", lambda level: None)  # it would outlast this test

    main.main(["check"])
    main.main(["check", "--config", str(tmp_path)])

    assert asked == [(main.DEFAULT_CONFIG, Installed()), (tmp_path, None)]
