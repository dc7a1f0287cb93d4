"""A guard without root: an address and a token are enough, on any PC, and a room is enough instead of a whole name."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from node.errors import ConfigError
from node.monitor.cli.api_client import http_client, which_monitor
from node.monitor.cli.api_client.monitor_client import ApiError
from node.monitor.cli.api_client.which_monitor import Local, language_of, look, reach
from node.monitor.cli.state_words import STATES
from node.monitor.core.model.monitor_settings import SOCKET
from node.monitor.core.model.records import Role
from node.monitor.core.model.requests import Acknowledge, EndWalkTest, Identify, Reset, StartWalkTest
from tests.support.broker import Broker
from tests.support.building import building, incident, node
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.node import NODE, SITE, SimulatedNode, write_config
from tests.support.web import SECRETS, Behind, Site, serving

ROSTER = [{"id": NODE, "site": SITE, "floor": "2", "location": "2. OG, Zimmer 214"}]
ROOT = Path(__file__).parents[3]

GUARD = """\
import sys
from pathlib import Path
from node.monitor.cli.api_client import http_client
http_client.DEFAULT_CONFIG = Path(sys.argv.pop(1))
from node.monitor.cli.main import main
sys.exit(main())
"""
"""alarm-monitor where the usual monitor.toml lies elsewhere."""


class Guard:
    """The account nobody at the monitor's own PC, which may read none of its files; ``home`` is its own directory."""

    def __init__(self, home: Path, monitor: RunningMonitor) -> None:
        self.home, self._monitor = home, monitor
        self.token = home / ".config" / "alarm-monitor" / "token"
        self.url = f"http://127.0.0.1:{monitor.port}"

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """How a command ends."""
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(self.home), "LANGUAGE": "en"}
        who = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        return subprocess.run(
            [*who, sys.executable, "-c", GUARD, str(self._monitor.config), *command],
            cwd=self.home,
            env={**kept, "COLUMNS": "200", **environ},
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
        )

    def said(self, *command: str, **environ: str) -> str:
        """What a command that is done prints."""
        done = self.run(*command, **environ)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMonitor]:
    """A monitor and its node; all its files belong to another account than the guard's."""
    broker_directory, directory = (tmp_path_factory.mktemp(name) for name in ("broker", "monitor"))
    with Broker(broker_directory) as broker:
        config = write_monitor(directory, broker.port, roster=ROSTER)
        config.chmod(0o600)
        with (
            RunningMonitor(config) as running,
            SimulatedNode(write_config(tmp_path_factory.mktemp("node"), broker.port, heartbeat_s=1)) as simulated,
        ):
            running.expect_status(NODE, "up")
            running.simulated = simulated  # type: ignore[attr-defined] # what the tests press
            yield running


@pytest.fixture
def guard(monitor: RunningMonitor) -> Iterator[Guard]:
    """With the token of a manager at home."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be somebody else here")
    home = Path(tempfile.mkdtemp(prefix="guard-"))
    try:
        made = Guard(home, monitor)
        made.token.parent.mkdir(parents=True)
        secret = alarm_monitor(
            monitor.config, "token", "create", home.name.replace("_", "-").lower(), "--role", "manager"
        )
        made.token.write_text(secret.stdout, encoding="utf-8")
        made.token.chmod(0o600)
        for each in (home, *home.rglob("*")):
            os.chown(each, 65534, 65534)
        yield made
    finally:
        shutil.rmtree(home)


def press(monitor: RunningMonitor) -> dict[str, Any]:
    """Somebody calls; the incident."""
    monitor.simulated.tap(45)  # type: ignore[attr-defined] # as above
    return monitor.expect_incident()


def test_a_guard_needs_an_address_and_a_token(monitor: RunningMonitor, guard: Guard) -> None:
    """And nothing of the service: neither its rights, nor its configuration, nor a name to be copied."""
    called = press(monitor)
    names = {"ALARM_MONITOR_URL": guard.url}

    told = json.loads(guard.said("status", "--json", "--url", guard.url))
    shown = guard.said("status", **names)
    completed = guard.said("complete", "incidents", "alarm-monitor", "acknowledge", "--url", guard.url)
    acknowledged = guard.said("acknowledge", **names)
    ended = guard.said("reset", NODE, "--reason", "drill", **names)
    nothing = guard.run("acknowledge", **names)

    assert [each["id"] for each in told["incidents"]] == [called["id"]]
    assert "ALARM" in shown
    assert completed == f"{called['id']}\n"
    assert acknowledged.splitlines()[0].startswith(f"{called['id']}  2. OG, Zimmer 214  button  threat")
    assert acknowledged.splitlines()[1:] == ["acknowledged"]
    assert ended.splitlines()[1:] == ["the alarm is ended"]
    assert nothing.returncode == 1
    assert nothing.stderr.startswith("E060 no alarm is open. Next: ")


def test_a_guard_tests_buttons(monitor: RunningMonitor, guard: Guard) -> None:
    """Of a room, without its site; the only test is ended without its id."""
    made = guard.said("walk-test", "start", "--node", NODE, ALARM_MONITOR_URL=guard.url)
    listed = guard.said("walk-test", "list", ALARM_MONITOR_URL=guard.url)
    ended = guard.said("walk-test", "end", ALARM_MONITOR_URL=guard.url)

    assert listed.startswith(made.split()[0])
    assert ended.splitlines() == [f"{made.split()[0]} is ended: every press is real again"]
    assert monitor.items("/walk-tests") == []


@pytest.mark.parametrize("way", ["flag", "file", "value", "home"])
@pytest.mark.usefixtures("monitor")
def test_a_token_may_come_from_anywhere(guard: Guard, way: str) -> None:
    """A flag, the environment, or the file at home."""
    secret = guard.token.read_text(encoding="utf-8").strip()
    elsewhere = guard.home / "secret"
    guard.token.rename(elsewhere) if way != "home" else None
    environ = {"file": {"ALARM_MONITOR_TOKEN_FILE": str(elsewhere)}, "value": {"ALARM_MONITOR_TOKEN": secret}}
    flags = ("--token-file", str(elsewhere)) if way == "flag" else ()

    told = guard.said("status", "--json", "--url", guard.url, *flags, **environ.get(way, {}))

    assert json.loads(told)["nodes"][0]["node"] == NODE


def test_a_guard_without_a_token_is_told_how_to_get_one(guard: Guard) -> None:
    """Of the unreadable configuration of the service nothing is said."""
    guard.token.unlink()

    told = guard.run("status", "--url", guard.url)
    here = guard.run("status")

    assert told.stderr.startswith(f"E056 there is no token for {guard.url}. Next: save one in ~")
    assert "sudo alarm-monitor token create guard-pc --role responder" in told.stderr
    assert (told.returncode, here.returncode) == (1, 1)
    assert "monitor.toml" not in told.stderr + here.stderr
    assert "E001" not in here.stderr


# What is asked of stand-ins:


@pytest.fixture
def site() -> Iterator[Site]:
    """An API."""
    with serving(Behind()) as running:
        yield running


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file of a manager's token."""
    file = tmp_path / "token"
    file.write_text(SECRETS[Role.MANAGER], encoding="utf-8")
    return file


def ask(site: Site, token: Path, *command: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    """How a command of this API ends."""
    config = write_monitor(token.parent, 1, language=language, api={"port": urlsplit(site.url).port})
    return alarm_monitor(config, *command, "--token-file", str(token))


TWO = (
    incident("desk-1", phase="open"),
    incident("desk-2", phase="open", incident="0badcafe-9", id="mitte/desk-2/0badcafe-9"),
)


@pytest.mark.parametrize(
    ("incidents", "command", "meant"),
    [
        (TWO[:1], ("acknowledge",), "desk-1"),
        (TWO, ("acknowledge", "desk-2"), "desk-2"),
        (TWO, ("acknowledge", "mitte/desk-2"), "desk-2"),
        (TWO, ("acknowledge", "0badcafe-9"), "desk-2"),
        ((TWO[0], msgspec.structs.replace(TWO[1], phase="acknowledged")), ("acknowledge",), "desk-1"),
        ((msgspec.structs.replace(TWO[0], test=True), TWO[1]), ("acknowledge",), "desk-2"),
    ],
)
def test_the_alarm_that_is_meant_is_acknowledged(
    site: Site, token: Path, incidents: tuple[Any, ...], command: tuple[str, ...], meant: str
) -> None:
    """And it is said which: a real one before a test, one that nobody answered before others."""
    site.behind.view = building(incidents=incidents)

    told = ask(site, token, *command)

    assert (told.returncode, told.stderr) == (0, "")
    [asked] = site.behind.asked
    assert isinstance(asked, Acknowledge)
    assert asked.incident.of.node == meant
    assert told.stdout.startswith(f"{asked.incident}  Room {meant}  button  threat")


@pytest.mark.parametrize("command", [("acknowledge",), ("silence",), ("acknowledge", "desk-1")])
def test_several_alarms_are_listed_with_what_to_type(site: Site, token: Path, command: tuple[str, ...]) -> None:
    """Nobody's is answered by chance."""
    site.behind.view = building(incidents=(TWO[0], msgspec.structs.replace(TWO[1], node="desk-1")))

    told = ask(site, token, *command)

    assert (told.returncode, told.stdout, site.behind.asked) == (1, "", [])
    *lines, last = told.stderr.splitlines()
    assert lines == [
        f"alarm-monitor {command[0]} mitte/desk-1/0badcafe-7  Room desk-1  button  threat  {STATES['open']}",
        f"alarm-monitor {command[0]} mitte/desk-2/0badcafe-9  Room desk-2  button  threat  {STATES['open']}",
    ]
    assert last == "E052 2 alarms are open. Next: type one of the lines above."


def test_an_alarm_is_ended_by_its_room(site: Site, token: Path) -> None:
    """Whoever ends one says which: it may be another's by then. Without a name the open ones are listed."""
    told = ask(site, token, "reset", "desk-1", "--reason", "drill")
    unnamed = ask(site, token, "reset", "--reason", "drill")

    assert told.returncode == 0
    [asked] = site.behind.asked
    assert isinstance(asked, Reset)
    assert unnamed.returncode == 1
    *lines, last = unnamed.stderr.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"alarm-monitor reset {asked.incident}"]
    assert last == "E052 name the alarm that is over. Next: type one of the lines above."


def test_a_node_is_called_by_its_room(site: Site, token: Path) -> None:
    """Where there is one; at two sites it is said at which."""
    once = ask(site, token, "identify", "desk-1")
    site.behind.view = building(nodes=(node("desk-1"), node("desk-1", site="nord"), node("desk-2", site="nord")))
    twice = ask(site, token, "identify", "desk-1")
    history = ask(site, token, "history", "--node", "desk-1")
    never = ask(site, token, "identify", "desk-9")
    walk = ask(site, token, "walk-test", "start", "--node", "desk-2")

    asked, walked = site.behind.asked
    assert isinstance(asked, Identify)
    assert isinstance(walked, StartWalkTest)
    assert (str(asked.node), walked.site, walked.nodes) == ("mitte/desk-1", "nord", ("desk-2",))
    assert once.returncode == walk.returncode == 0
    assert twice.stderr.splitlines() == [
        "mitte/desk-1",
        "nord/desk-1",
        "E052 desk-1 is at 2 sites. Next: type one of the lines above.",
    ]
    assert history.stderr == twice.stderr
    assert never.stderr.startswith("E059 there is no node desk-9. ")


def test_the_only_walk_test_is_ended_without_its_id(site: Site, token: Path) -> None:
    """Of several none is, before somebody says which."""
    [walk] = building().walk_tests
    once = ask(site, token, "walk-test", "end")
    site.behind.view = building(walk_tests=(walk, msgspec.structs.replace(walk, id="w-2")))
    twice = ask(site, token, "walk-test", "end")
    site.behind.view = building(walk_tests=())
    never = ask(site, token, "walk-test", "end")

    assert [each.id for each in site.behind.asked if isinstance(each, EndWalkTest)] == ["w-1"]
    assert once.stdout.splitlines() == ["w-1 is ended: every press is real again"]
    assert twice.stderr.splitlines()[0] == "alarm-monitor walk-test end w-1  mitte"
    assert never.stderr == "E060 no walk test is running. Next: nothing needs doing.\n"


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("nodes", "mitte/desk-1 nord/desk-1 nord/desk-2 desk-2"),
        ("incidents", "mitte/desk-1/0badcafe-7"),
        ("walk-tests", "w-1"),
        ("targets", "sms"),
    ],
)
def test_the_shell_is_told_what_there_is(site: Site, token: Path, what: str, names: str) -> None:
    """A room that there is once by its own name, too."""
    site.behind.view = building(nodes=(node("desk-1"), node("desk-1", site="nord"), node("desk-2", site="nord")))
    line = ("alarm-monitor", "identify", "--url", site.url, "--token-file", str(token), "--for")

    told = subprocess.run(
        [sys.executable, "-m", "node.monitor", "complete", what, *line],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert (told.stdout.split(), told.stderr, told.returncode) == (names.split(), "", 0)


def test_flags_may_stand_before_the_command(site: Site, token: Path) -> None:
    """As those of other programs do; the helper of the shells is no command that somebody is offered."""
    flags = ("--language", "de", "--url", site.url, "--token-file", str(token))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "node.monitor", *words], capture_output=True, text=True, check=False, cwd=ROOT
        )

    before, after = run(*flags, "walk-test", "list"), run("walk-test", "list", *flags)
    wrong = run("bogus")

    assert (before.returncode, before.stderr) == (0, "")
    assert before.stdout == after.stdout
    assert "noch " in before.stdout
    assert "invalid choice: 'bogus' (choose from " in wrong.stderr
    assert "complete" not in wrong.stderr


@pytest.mark.parametrize(
    "line", [("--url", "http://127.0.0.1:1"), ("--url",), ("--token-file", "/nowhere", "--url", "x")]
)
def test_the_shell_is_told_nothing_where_nobody_answers(line: tuple[str, ...], tmp_path: Path) -> None:
    """Neither an error nor a wait: whoever presses Tab types on."""
    told = subprocess.run(
        [sys.executable, "-m", "node.monitor", "complete", "nodes", "alarm-monitor", "identify", *line],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ALARM_MONITOR_TOKEN": "x"},
    )

    assert (told.stdout, told.stderr, told.returncode) == ("", "", 0)


def chosen(parsed: Namespace, environ: Mapping[str, str]) -> tuple[str, str]:
    """The address that is asked, and the token that goes there."""
    api = reach(parsed, environ, 1.0).api
    return api.url, api.headers.get("Authorization", "").removeprefix("Bearer ")


@pytest.fixture
def at_home(tmp_path: Path) -> dict[str, str]:
    """The environment of an account with a token of its own."""
    file = tmp_path / ".config" / "alarm-monitor" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("home\n", encoding="ascii")
    return {"HOME": str(tmp_path)}


def test_the_order_of_choice(tmp_path: Path, at_home: dict[str, str]) -> None:
    """A flag before the environment, both before this machine; the socket before the token at home."""
    config = write_monitor(tmp_path, 1, api={"port": 9999})
    flag, state = tmp_path / "flag", tmp_path / "state"
    flag.write_text("flag\n", encoding="ascii")
    nothing = Namespace(url=None, token_file=None, config=config)
    there = {**at_home, "ALARM_MONITOR_URL": "https://guards.example", "ALARM_MONITOR_TOKEN": "environment"}
    by_flag = Namespace(url="http://flag", token_file=flag, config=config)

    assert chosen(by_flag, there) == ("http://flag", "flag")
    assert chosen(Namespace(url="http://flag", token_file=None, config=config), there) == ("http://flag", "environment")
    assert chosen(nothing, there) == ("https://guards.example", "environment")
    assert chosen(nothing, {**at_home, "ALARM_MONITOR_TOKEN": "x"}) == ("http://127.0.0.1:9999", "x")
    assert chosen(nothing, at_home) == ("http://127.0.0.1:9999", "home")
    state.mkdir()
    (state / SOCKET).touch()
    assert chosen(nothing, at_home) == (f"unix:{state / SOCKET}", "")
    assert chosen(nothing, {"HOME": "/nowhere"}) == (f"unix:{state / SOCKET}", "")


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"ALARM_MONITOR_URL": "ftp://x"}, "ftp://x isn't the address of a monitor"),
        ({"ALARM_MONITOR_URL": "http://x\ny"}, "isn't the address of a monitor"),
        ({"ALARM_MONITOR_TOKEN": "a b"}, "must hold one token, on one line"),
        ({"ALARM_MONITOR_TOKEN_FILE": "/nowhere"}, "the token in /nowhere can't be read"),
    ],
)
def test_what_is_no_address_or_token_is_said(at_home: dict[str, str], environ: dict[str, str], reason: str) -> None:
    """Before anything is sent."""
    nothing = Namespace(url=None, token_file=None, config=http_client.DEFAULT_CONFIG)

    with pytest.raises(ApiError) as caught:
        reach(nothing, {**at_home, **environ}, 1.0)

    assert reason in str(caught.value)


def test_of_the_services_configuration_a_command_needs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not read it, or finds it broken, is not told so; a file that somebody names has to be there."""
    usual = tmp_path / "monitor.toml"
    monkeypatch.setattr(which_monitor, "DEFAULT_CONFIG", usual)

    missing = look(usual, {})
    usual.write_text(
        '[monitor]\nlanguage = "xx"\n[api]\nhost = "::1"\nport = 1\n[[target]]\nurl = 5\n', encoding="utf-8"
    )
    odd = look(usual, {"STATE_DIRECTORY": "/a:/b"})
    usual.write_text("[monitor", encoding="utf-8")
    broken = look(usual, {})

    assert missing == broken == Local(None, "http://127.0.0.1:8780", Path("/var/lib/alarm-monitor"))
    assert odd == Local(None, "http://[::1]:1", Path("/a"))
    with pytest.raises(ConfigError):
        look(tmp_path / "other.toml", {})


@pytest.mark.parametrize(
    ("flag", "configured", "environ", "language"),
    [
        ("en", "de", {"LANG": "de_DE.UTF-8"}, "en"),
        (None, "de", {"LANG": "en_GB.UTF-8"}, "de"),
        (None, None, {"LANG": "de_DE.UTF-8"}, "de"),
        (None, None, {"LC_ALL": "fr_FR.UTF-8", "LANG": "de_DE.UTF-8"}, "en"),
        (None, None, {}, "en"),
    ],
)
def test_the_language_of_an_answer(flag: str | None, configured: Any, environ: dict[str, str], language: str) -> None:
    """A flag, else the configuration, else the account's own."""
    assert language_of(Namespace(language=flag), environ, Local(configured, "", Path())) == language
