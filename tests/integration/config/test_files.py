"""Files that may be anything at any time: what is read, what is refused, and what is kept."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config.files import LIMIT, FileError, Kept, content, one_line, open_file, require_file, socket_path
from tests.support.damage import DAMAGES, NO_FILES, Damage, mend

MARK = b"\xef\xbb\xbf"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One that is in order."""
    path = tmp_path / "secret"
    path.write_bytes(b"hunter2\n")
    return path


@pytest.mark.parametrize("before", [b"", MARK])
@pytest.mark.parametrize("behind", [b"", b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("line", [b"hunter2", b" hunter 2 ", "Schlüssel".encode(), b"a\xffb", b"a" + MARK])
def test_a_line_is_what_stands_between_mark_and_end(file: Path, before: bytes, behind: bytes, line: bytes) -> None:
    """Whatever editor has written it; every other byte is left as it is."""
    file.write_bytes(before + line + behind)

    assert one_line(file, "password") == line


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (b"", "is empty: write the password into it, on one line"),
        (MARK, "is empty: write the password into it, on one line"),
        (b" \t\n", "is empty: write the password into it, on one line"),
        (b"\r\n", "is empty: write the password into it, on one line"),
        (b"one\ntwo\n", "holds several lines: leave one, the password"),
        (b"one\rtwo", "holds several lines: leave one, the password"),
        (b"one\n\n", "holds several lines: leave one, the password"),
        (b"one\0", "contains a NUL byte: write the password into it as plain text (UTF-8)"),
        ("one".encode("utf-16"), "contains a NUL byte: write the password into it as plain text (UTF-8)"),
        (b"x" * (LIMIT + 1), f"is larger than {LIMIT} bytes"),
    ],
)
def test_what_is_no_line_is_refused_with_the_reason(file: Path, held: bytes, reason: str) -> None:
    """By the file's name, and with nothing of what it holds."""
    file.write_bytes(held)

    with pytest.raises(FileError) as caught:
        one_line(file, "password")

    assert (str(caught.value), caught.value.reason) == (f"{file} {reason}", reason)


@given(held=st.binary(max_size=40))
def test_whatever_a_file_holds_is_a_line_or_one_error(tmp_path_factory: pytest.TempPathFactory, held: bytes) -> None:
    """No other exception, and never a line that has an end of line or a NUL in it."""
    path = tmp_path_factory.getbasetemp() / "held"
    path.write_bytes(held)

    try:
        line = one_line(path, "password")
    except FileError:
        return

    assert line.strip()
    assert not {b"\n", b"\r", b"\0"} & {bytes([each]) for each in line}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_one_error_that_names_it(file: Path, damage: Damage) -> None:
    """Nothing else is raised, and nothing is waited for."""
    damage(file)

    with pytest.raises(FileError) as caught:
        one_line(file, "password")

    assert str(caught.value).startswith(f"{file} ")
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("damage", NO_FILES.values(), ids=NO_FILES.keys())
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_RDONLY | os.O_CREAT], ids=["read", "write", "create"])
def test_what_is_no_file_is_not_opened_and_nothing_of_it_is_kept(file: Path, damage: Damage, flags: int) -> None:
    """Nobody waits for it, and a file that is looked at each minute costs no descriptor each time."""
    damage(file)
    before = set(Path("/proc/self/fd").iterdir())

    with pytest.raises(OSError, match=r"Is a directory|Is a pipe or a device|Too many levels"):
        open_file(file, flags)
    with pytest.raises(OSError, match=r"Is a directory|Is a pipe or a device|Too many levels"):
        require_file(file)
    with pytest.raises(FileError):
        content(file)

    # What an earlier test left behind may be closed meanwhile.
    assert set(Path("/proc/self/fd").iterdir()) - before == set()


def test_a_bare_name_is_no_file_of_the_working_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service runs wherever it was started; its files lie where somebody has said."""
    monkeypatch.chdir(file.parent)

    with pytest.raises(FileError, match=r"^secret is a bare name, and there is no \$CREDENTIALS_DIRECTORY"):
        content(Path("secret"))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_was_read_last_is_kept_until_the_file_is_mended(file: Path, damage: Damage) -> None:
    """The problem names the file for as long as it stands."""
    kept = Kept([file], lambda: one_line(file, "password"))
    kept.look()

    damage(file)
    kept.look()
    damaged = (kept.value, kept.problem.startswith(f"{file} "))
    mend(file, b"hunter3\n")
    kept.look()

    assert damaged == (b"hunter2", True)
    assert (kept.value, kept.problem) == (b"hunter3", "")


def test_nothing_is_known_of_a_file_that_was_never_in_order(file: Path) -> None:
    """Until it is."""
    file.unlink()
    kept = Kept([file], lambda: one_line(file, "password"))

    kept.look()

    assert kept.value is None
    assert "No such file" in kept.problem


def test_a_file_that_comes_back_unchanged_is_in_order(file: Path) -> None:
    """A disk that was unmounted for a while."""
    kept = Kept([file], lambda: one_line(file, "password"))
    kept.look()

    file.rename(file.with_name("elsewhere"))
    kept.look()
    away = kept.problem
    file.with_name("elsewhere").rename(file)
    kept.look()

    assert "No such file" in away
    assert (kept.value, kept.problem) == (b"hunter2", "")


@pytest.mark.parametrize("length", [1, 200])
def test_a_socket_has_a_path_of_any_length(tmp_path: Path, length: int) -> None:
    """The kernel takes 107 bytes, and pytest's own directories may be longer."""
    directory = tmp_path / ("x" * length)
    directory.mkdir()
    path = directory / "api.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with socket_path(path) as name:
            server.bind(name)
        server.listen()
        with socket_path(path) as name:
            client.connect(name)

    assert path.is_socket()
