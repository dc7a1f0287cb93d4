"""A token in a file: read as a password and a URL are, by the commands and by the plugin."""

from pathlib import Path

import pytest

from node.config.files import FileError
from node.monitor.cli.api_client.http_client import read_token
from node.monitor.cli.nagios.check_alarm_node import main as check_alarm_node
from tests.support.damage import DAMAGES, Damage
from tests.support.monitor import alarm_monitor, write_monitor

TOKEN = b"hunter2-hunter2"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One that is in order."""
    path = tmp_path / "token"
    path.write_bytes(TOKEN + b"\n")
    return path


@pytest.mark.parametrize("written", [TOKEN, TOKEN + b"\r\n", b"\xef\xbb\xbf" + TOKEN + b"\n", b" " + TOKEN + b" \n"])
def test_a_token_is_the_one_line_of_its_file(file: Path, written: bytes) -> None:
    """As an editor left it."""
    file.write_bytes(written)

    assert read_token(file) == TOKEN.decode()


@pytest.mark.parametrize("written", [b"two words", "schlüssel".encode(), b"\xff", b"a\x07b"])
def test_what_is_no_token_is_refused_without_being_shown(file: Path, written: bytes) -> None:
    """It would be no header of HTTP."""
    file.write_bytes(written)

    with pytest.raises(FileError) as caught:
        read_token(file)

    assert str(caught.value).startswith(f"{file} holds no token: ")
    assert "words" not in str(caught.value)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_the_plugin_names_a_damaged_file(file: Path, damage: Damage, capsys: pytest.CaptureFixture[str]) -> None:
    """It says UNKNOWN, and nothing of what the file holds."""
    damage(file)

    code = check_alarm_node(["--token-file", str(file), "node", "mitte/room-214"])
    printed = capsys.readouterr().out

    assert code == 3
    assert f"the token can't be read from {file}" in printed
    assert "hunter" not in printed


@pytest.mark.parametrize("name", ["emptied", "garbage", "a directory", "a pipe"])
def test_a_command_names_a_damaged_file(tmp_path: Path, file: Path, name: str) -> None:
    """With the next step, and without a traceback."""
    DAMAGES[name](file)

    told = alarm_monitor(write_monitor(tmp_path, 1), "status", "--token-file", str(file))

    assert told.returncode == 1
    assert f"the token in {file} can't be read" in told.stderr
    assert "Traceback" not in told.stderr
    assert "hunter" not in told.stderr
