"""[[broker]] with TLS and login: which keys go together, where files lie, and what is never shown."""

from pathlib import Path

import pytest

from node.config import Broker, Config, Login, Tls, load
from node.config.brokers import files, read_password, why_unusable
from node.config.files import FileError
from node.errors import ConfigError

BEFORE = """\
[node]
id = "room-214"
site = "mitte"
location = "2. OG, Zimmer 214"

[panel]
pin_factory = "gpiod"

[[button]]
pin = 17
wiring = "normally-open"
class = "threat"
sound = "silent"
lamp = "shown"

[lamp]
pin = 23

[[broker]]
"""

REMOTE = 'host = "broker.example"\nport = 8883\n'
FILE = "an absolute path, or the bare name of a file in $CREDENTIALS_DIRECTORY (systemd's LoadCredential=)"
GONE = "can't be read (No such file or directory): check that the file exists and that the service may read it"
BARE = (
    "is a bare name, and there is no $CREDENTIALS_DIRECTORY: write an absolute path, or let systemd give the file to "
    "the service by LoadCredential=NAME:PATH"
)


def read(broker: str, environ: dict[str, str] | None = None) -> Config:
    """The configuration of a node with these lines in [[broker]]."""
    path = Path("node.toml")
    path.write_text(BEFORE + broker, encoding="utf-8")
    return load(path, environ or {})


def problems(broker: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is answered to these lines, without the place that all answers begin with."""
    with pytest.raises(ConfigError) as caught:
        read(broker, environ)
    place = "node.toml: [[broker]] 1 "
    assert all(answer.startswith(place) for answer in caught.value.problems)
    return [answer.removeprefix(place) for answer in caught.value.problems]


def broker_of(broker: str, environ: dict[str, str] | None = None) -> Broker:
    """The broker that these lines describe."""
    return read(broker, environ).brokers[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LocalHost."])
@pytest.mark.parametrize("more", ["", "insecure = true\n"])
def test_plain_text_on_this_machine_is_no_fault(host: str, more: str) -> None:
    """Nothing leaves it."""
    config = read(f'host = "{host}"\nport = 1883\n{more}')

    assert config.brokers == (Broker(f"{host}:1883", host, 1883),)
    assert config.settings.insecure_links == ()
    assert files(config.brokers[0]) == {}


HOSTS_AWAY = ["broker", "localhost.example", "127.example", "192.168.0.7", "0.0.0.0", "fd00::7"]  # noqa: S104 - refused


@pytest.mark.parametrize("host", HOSTS_AWAY)
def test_plain_text_over_a_network_is_refused(host: str) -> None:
    """The answer says what can happen, and both ways on."""
    answers = problems(f'host = "{host}"\nport = 1883\n')

    assert answers == [
        (
            f'ca_file is missing: "{host}" is reached over a network, where plain text can be read, forged and held '
            f'back: it must be {FILE}, for example ca_file = "/etc/alarm-node/ca.pem" (TLS is usually on port 8883); '
            "or write insecure = true, which stays a fault"
        )
    ]


@pytest.mark.parametrize("host", HOSTS_AWAY)
def test_whoever_insists_on_plain_text_gets_it_with_a_fault(host: str) -> None:
    """The core is told which links these are."""
    config = read(f'host = "{host}"\nport = 1883\ninsecure = true\n')

    assert config.brokers[0].insecure
    assert config.settings.insecure_links == (f"{host}:1883",)


def test_tls_with_everything() -> None:
    """All keys together, in absolute paths."""
    found = broker_of(
        REMOTE + 'ca_file = "/a/ca"\ncertificate_file = "/a/node"\nkey_file = "/a/key"\n'
        'username = "room-214"\npassword_file = "/a/password"\n'
    )

    tls = Tls(Path("/a/ca"), Path("/a/node"), Path("/a/key"))
    assert found == Broker(
        "broker.example:8883", "broker.example", 8883, tls, Login("room-214", Path("/a/password")), insecure=False
    )
    assert files(found) == {
        "ca_file": Path("/a/ca"),
        "certificate_file": Path("/a/node"),
        "key_file": Path("/a/key"),
        "password_file": Path("/a/password"),
    }


def test_an_account_without_a_password_needs_no_file() -> None:
    """Some brokers take the name from the certificate, or ask for no more than a name."""
    found = broker_of(REMOTE + 'ca_file = "/a/ca"\nusername = "room-214"\n')

    assert (found.tls, found.login) == (Tls(Path("/a/ca")), Login("room-214"))
    assert files(found) == {"ca_file": Path("/a/ca")}


def test_a_bare_name_lies_in_the_credentials_directory(tmp_path: Path) -> None:
    """Where systemd puts what LoadCredential= names."""
    (tmp_path / "ca.pem").write_bytes(b"")

    found = broker_of(REMOTE + 'ca_file = "ca.pem"\n', {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert found.tls == Tls(tmp_path / "ca.pem")


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    """$CREDENTIALS_DIRECTORY or not."""
    (tmp_path / "ca.pem").write_bytes(b"")

    found = broker_of(REMOTE + f'ca_file = "{tmp_path}/ca.pem"\n', {"CREDENTIALS_DIRECTORY": "/elsewhere"})

    assert found.tls == Tls(tmp_path / "ca.pem")


def needs(key: str, value: str, needed: str, example: str) -> tuple[str, str]:
    """The line of a key without its other half, and the answer."""
    return f'{key} = "{value}"\n', f"{needed} is missing: where there is {key} it must be {example}"


WRONG = {
    "certificate without key": needs(
        "certificate_file", "/n", "key_file", f'{FILE}, for example key_file = "/etc/alarm-node/node.key"'
    ),
    "key without certificate": needs(
        "key_file", "/k", "certificate_file", f'{FILE}, for example certificate_file = "/etc/alarm-node/node.pem"'
    ),
    "password without account": needs(
        "password_file", "/p", "username", '1 to 200 characters on one line, for example username = "room-214"'
    ),
    "a contradiction": ("insecure = true\n", "insecure = true: contradicts ca_file: leave one of them out"),
    "a relative path": (
        'certificate_file = "a/b"\nkey_file = "/k"\n',
        f'certificate_file = "a/b": must be {FILE}, for example certificate_file = "/etc/alarm-node/node.pem"',
    ),
}


@pytest.mark.parametrize(("more", "answer"), WRONG.values(), ids=WRONG.keys())
def test_keys_that_do_not_go_together_are_answered(more: str, answer: str) -> None:
    """One line for each, with what is missing."""
    answers = problems(REMOTE + 'ca_file = "/ca"\n' + more)

    assert answers == [answer]


def test_a_certificate_without_an_authority_is_answered() -> None:
    """Plain text shows no certificate, not even to this machine."""
    answers = problems('host = "127.0.0.1"\nport = 1883\ncertificate_file = "/n"\nkey_file = "/k"\n')

    assert answers == [
        (
            f"ca_file is missing: where there is certificate_file it must be {FILE}, "
            'for example ca_file = "/etc/alarm-node/ca.pem"'
        )
    ]


def test_a_wrong_authority_file_hides_nothing_and_adds_nothing() -> None:
    """It isn't called missing, since it stands there."""
    answers = problems(REMOTE + "ca_file = 1\n")

    assert answers == [f'ca_file = 1: must be {FILE}, for example ca_file = "/etc/alarm-node/ca.pem"']


@pytest.mark.parametrize(
    ("key", "path", "answer"),
    [
        ("ca_file", "/absent/ca", GONE),
        (
            "certificate_file",
            "/",
            "can't be read (Is a directory): check that the file exists and that the service may read it",
        ),
        ("key_file", "node.key", BARE),
        ("password_file", "/absent/password", GONE),
    ],
)
def test_a_file_that_cannot_be_used_is_answered(key: str, path: str, answer: str) -> None:
    """With what is wrong and what to do."""
    assert why_unusable(key, Path(path)) == answer


def test_nobody_opens_what_is_only_looked_up() -> None:
    """`alarm-node log` wants the state directory, and may be run by somebody who may not read a password."""
    config = read(REMOTE + 'ca_file = "/absent/ca"\nusername = "x"\npassword_file = "password"\n')

    assert config.brokers[0].login == Login("x", Path("password"))


@pytest.mark.parametrize("broken", ['ca_file = "/absent"\n', 'ca_file = "node.pem"\n'])
def test_a_file_that_cannot_be_used_is_no_reason_not_to_start(broken: str) -> None:
    """It is the fault of its own broker: the node has others, and a buzzer."""
    config = read(REMOTE + broken + 'username = "x"\npassword_file = "hunter2"\n', {})

    assert len(config.brokers) == 1


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_a_password_is_the_one_line_of_its_file(tmp_path: Path, content: bytes) -> None:
    """With or without an end of line, as editors leave it."""
    (tmp_path / "password").write_bytes(content)

    password = read_password(tmp_path / "password")

    assert password == b"hunter2"


def test_a_password_keeps_every_other_byte(tmp_path: Path) -> None:
    """Spaces, and what isn't UTF-8: MQTT takes bytes."""
    (tmp_path / "password").write_bytes(b" a\xff b \n")

    password = read_password(tmp_path / "password")

    assert password == b" a\xff b "


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"", "is empty: write the password into it, on one line"),
        (b"\n", "is empty: write the password into it, on one line"),
        (b"\r\n", "is empty: write the password into it, on one line"),
        (b"hunter2\nhunter3\n", "holds several lines: leave one, the password"),
        (b"hunter2\n\n", "holds several lines: leave one, the password"),
        (b"x" * 65_536, "is too long: MQTT takes 65535 bytes"),
    ],
)
def test_a_file_that_holds_no_password_is_answered(tmp_path: Path, content: bytes, answer: str) -> None:
    """With what is wrong, and nothing of what it holds."""
    (tmp_path / "password").write_bytes(content)

    with pytest.raises(FileError) as caught:
        read_password(tmp_path / "password")

    assert caught.value.reason == why_unusable("password_file", tmp_path / "password") == answer


def test_a_file_that_can_be_read_is_no_problem(tmp_path: Path) -> None:
    """What a certificate holds is the link's to judge: it may be renewed while the node runs."""
    (tmp_path / "ca.pem").write_text("rubbish", encoding="ascii")

    answer = why_unusable("ca_file", tmp_path / "ca.pem")

    assert answer == ""
