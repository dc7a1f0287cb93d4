"""``alarm-node init``: the place of the file, a file that is there already, and a disk that refuses."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node import config
from node.cli import init, main
from node.errors import ConfigError, InitError
from tests.integration.cli.interview import (
    LOUD,
    SECURE,
    SHIPPED,
    SILENT,
    Person,
    flags,
    without,
)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example that the package has put into the documentation."""
    explained = tmp_path / "doc" / "node.example.toml"
    explained.parent.mkdir()
    explained.write_bytes(SHIPPED.read_bytes())
    monkeypatch.setattr(init, "EXPLAINED", explained)
    return explained


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("content", [b"", b"# ours\n", SHIPPED.read_bytes() + b"\n"], ids=["empty", "ours", "changed"])
def test_a_file_that_people_have_written_stays(path: Path, content: bytes) -> None:
    """Before anything is asked, with the two ways to go on; with --force it is replaced."""
    path.write_bytes(content)
    person = Person()

    with pytest.raises(InitError, match=r"is there already, and stays as it is\. Next: .*--force"):
        init.run(path, SILENT, person.ask, person.tell)
    kept = path.read_bytes()
    init.run(path, SILENT, None, print, force=True)

    assert kept == content
    assert person.told == ""
    assert config.load(path).node == "room-214"


@pytest.mark.usefixtures("shipped")
def test_the_example_as_it_was_shipped_is_replaced(path: Path) -> None:
    """Nobody has written anything into a plain copy."""
    path.write_bytes(SHIPPED.read_bytes())

    init.run(path, SILENT | {"node.id": "counter"}, None, print)

    assert config.load(path).node == "counter"


def test_the_example_stays_where_nothing_tells_that_it_is_one(path: Path) -> None:
    """Without the shipped copy to compare it with, it counts as written by people."""
    path.write_bytes(SHIPPED.read_bytes())

    with pytest.raises(InitError, match="--force"):
        init.run(path, SILENT, None, print)


def test_a_file_that_appears_meanwhile_stays(path: Path) -> None:
    """Somebody else may write one while the questions are answered."""

    def ask(_prompt: str) -> str:
        path.write_text("# theirs\n", encoding="utf-8")
        return "room-214"

    with pytest.raises(InitError, match="is there already"):
        init.run(path, without(SILENT, "node.id"), ask, lambda said: None)

    assert path.read_text(encoding="utf-8") == "# theirs\n"


@pytest.mark.parametrize(("before", "after"), [(None, 0o644), (0o600, 0o600), (0o640, 0o640)])
def test_a_file_keeps_its_mode(path: Path, before: int | None, after: int) -> None:
    """One that wasn't there can be read by all: the service has an account of its own."""
    if before is not None:
        path.touch()
        path.chmod(before)

    init.run(path, SILENT, None, print, force=True)

    assert stat.S_IMODE(path.stat().st_mode) == after


def test_a_link_stays_a_link(path: Path) -> None:
    """The file that it leads to is written."""
    target = path.with_name("elsewhere.toml")
    path.symlink_to(target)

    init.run(path, SILENT, None, print)

    assert path.is_symlink()
    assert config.load(target).node == "room-214"


def test_what_config_refuses_never_takes_the_place_of_a_file(path: Path) -> None:
    """Whatever mistake is in this program: the file that was there stays, and nothing is beside it."""
    path.write_text("# ours\n", encoding="utf-8")

    with pytest.raises(ConfigError):
        init.write(path, "[node]\n", force=True)

    assert path.read_text(encoding="utf-8") == "# ours\n"
    assert list(path.parent.iterdir()) == [path]


def test_what_a_power_cut_left_is_no_obstacle(path: Path) -> None:
    """A half-written file of the time before is written anew."""
    path.with_name(".node.toml.new").write_text("half", encoding="utf-8")

    init.run(path, SILENT, None, print)

    assert list(path.parent.iterdir()) == [path]


def failing(code: int) -> Callable[..., Any]:
    """A call that fails with this error of the system."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, "a reason")

    return fail


@pytest.mark.parametrize("call", ["open", "replace", "is_dir"])
def test_a_disk_that_refuses_is_told_and_nothing_is_left(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The reason and the next step, and no half file."""
    path.write_text("# ours\n", encoding="utf-8")

    with monkeypatch.context() as patched:
        patched.setattr(Path, call, failing(errno.EROFS))
        with pytest.raises(InitError, match=r"can't be written \(a reason\)\. Next: "):
            init.run(path, SILENT, None, print, force=True)

    assert path.read_text(encoding="utf-8") == "# ours\n"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("missing/node.toml", r"its directory isn't there\. Next: mkdir -p .*/missing\."),
        (".", r"isn't a file\. Next: name another one with --config\."),
        ("/dev/null", r"isn't a file\. Next: name another one with --config\."),
    ],
)
def test_a_place_that_cannot_have_a_file_is_told_before_anything_is_asked(
    tmp_path: Path, place: str, told: str
) -> None:
    """Not even --force replaces what isn't a file."""
    person = Person()

    with pytest.raises(InitError, match=told):
        init.run(tmp_path / place, {}, person.ask, person.tell, force=True)

    assert person.told == ""


def test_a_directory_without_rights_is_told_before_anything_is_asked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forgot sudo doesn't answer ten questions first."""
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(InitError, match=r"can't be written \(Permission denied\)\. Next: run it as root \(sudo\)"):
        init.run(path, {}, Person().ask, print)


def run_command(*words: str | Path) -> int:
    """The exit code of a command line."""
    return main.main([str(word) for word in words])


def test_the_command_writes_and_tells_the_next_steps(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal it takes flags, one for each key, and a check of that file comes next."""
    code = run_command("init", *flags(SECURE), "--config", path)

    assert code == 0
    assert capsys.readouterr().out.endswith(f"\n{path} is written. Next:\n  alarm-node check --config {path}\n")
    assert config.load(path).brokers[0].login == config.Login("room-214", Path("broker.password"))


def test_files_that_are_not_there_yet_are_named(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With their keys; what systemd hands over can't be looked for, and what is there needs no word."""
    (path.parent / "ca.pem").touch()
    files = {"broker.ca_file": str(path.parent / "ca.pem"), "broker.password_file": str(path.parent / "password")}

    run_command("init", *flags(SECURE | files), "--config", path)
    some = capsys.readouterr().out.splitlines()
    run_command("init", *flags(SECURE | {"broker.ca_file": "ca.pem"}), "--config", path, "--force")
    none = capsys.readouterr().out

    assert some[0] == f"Not there yet: password_file {path.parent / 'password'}: put it there before the start."
    assert len([line for line in some if line.startswith("Not there yet")]) == 1
    assert "Not there yet" not in none


def test_the_usual_file_is_the_services(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a FILE it is the one that the service reads, which can be started then."""
    monkeypatch.setattr(main, "DEFAULT_CONFIG", path)

    code = run_command("init", *flags(LOUD))

    assert code == 0
    assert capsys.readouterr().out.endswith(
        "Next:\n  sudo alarm-node check\n  sudo systemctl enable --now alarm-node\n"
    )
    assert path.exists()


def test_the_command_tells_every_problem_and_then_the_error(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each on standard error, and exit code 1."""
    code = run_command("init", "--config", path)

    lines = capsys.readouterr().err.splitlines()
    assert code == 1
    assert [line.split()[0] for line in (lines[0], lines[-1])] == ["--node-id", "E007"]


def test_every_key_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """Declared once, in node/config, and therefore here."""
    with pytest.raises(SystemExit):
        run_command("init", "--help")

    told = capsys.readouterr().out
    for question in init.QUESTIONS.values():
        assert f"\n  {question.table.flag(question.key)} VALUE" in told
