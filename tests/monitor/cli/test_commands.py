"""The commands at a terminal, on a real monitor, a real broker and a real node."""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest

from node.monitor.cli.api_client.monitor_client import ApiError, MonitorClient, on_this_machine
from node.monitor.cli.export.csv_cells import csv_lines
from node.monitor.cli.main import COMMANDS
from node.monitor.cli.parser import parser
from node.sanitize import plain
from tests.support.broker import Broker, free_port
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.node import NODE, SITE, SimulatedNode, write_config

ROSTER = [
    {"id": NODE, "site": SITE, "floor": "2", "location": "2. OG, Zimmer 214"},
    {"id": "room-300", "site": SITE, "floor": "3", "location": "3. OG, Zimmer 300"},
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A private broker."""
    with Broker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[RunningMonitor]:
    """A monitor with a roster of two nodes, of which one never speaks."""
    directory = tmp_path_factory.mktemp("monitor")
    with RunningMonitor(write_monitor(directory, broker.port, roster=ROSTER)) as running:
        yield running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, broker: Broker, monitor: RunningMonitor) -> Iterator[SimulatedNode]:
    """The node that does, up."""
    with SimulatedNode(write_config(tmp_path_factory.mktemp("node"), broker.port, heartbeat_s=1)) as running:
        monitor.expect_status(NODE, "up")
        yield running


def said(monitor: RunningMonitor, *arguments: str, code: int = 0) -> str:
    """What a command prints; it ends with this code."""
    done = alarm_monitor(monitor.config, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("de", ["Zu erledigen", "M004", "Was zu tun ist", "noch nicht gehört", "3. OG, Zimmer 300"]),
        ("en", ["Needs attention", "M004", "What to do", "not heard yet", "3. OG, Zimmer 300"]),
    ],
)
def test_the_status_says_what_needs_somebody_with_its_next_step(
    monitor: RunningMonitor, language: str, texts: list[str]
) -> None:
    """In people's own language; who needs somebody stands first."""
    monitor.wait(lambda: "M004" in monitor.codes(), 30.0, "the node that was never heard")

    shown = said(monitor, "status", "--language", language)

    assert [text for text in texts if text not in shown] == []
    table = shown.partition("Geräte" if language == "de" else "Nodes")[2]
    assert table.index("room-300") < table.index("room-214")


def test_the_status_is_json_for_tools(monitor: RunningMonitor, node: SimulatedNode) -> None:
    """As the API tells it."""
    told = json.loads(said(monitor, "status", "--json"))

    assert {each["node"]: each["status"] for each in told["nodes"]} == {NODE: "up", "room-300": "new"}
    assert told["nodes"][0]["boot"] == node.boot


def test_a_walk_test_records_each_button_and_hides_no_alarm(monitor: RunningMonitor, node: SimulatedNode) -> None:
    """The first press is the test, confirmed at the wall; the second is real; the record says so without names."""
    started = said(monitor, "walk-test", "start", "--site", SITE, "--floor", "2", "--for", "10m")
    monitor.wait(lambda: (monitor.node(NODE) or {})["walk_test_s"] is not None, what="a node in a walk test")
    mark = node.mark

    node.tap(45)
    node.expect(since=mark, output="lamp", pattern="received")
    monitor.wait(lambda: monitor.items("/walk-tests")[0]["tested"] == [f"{NODE}/button"], what="a tested button")
    listed = said(monitor, "walk-test", "list")
    past = said(monitor, "history", "tests")
    no_alarm = monitor.items("/incidents")
    node.tap(45)
    incident = monitor.expect_incident()
    said(monitor, "reset", incident["id"], "--reason", "drill")
    said(monitor, "walk-test", "end", started.split()[0])
    over = said(monitor, "history")

    assert "But: left out: " not in started
    assert "tested:   room-214/button" in listed
    assert said(monitor, "walk-test", "list") == "no walk test is running: every press is real\n"
    assert "mitte/room-214  button  " in past
    assert f"{incident['id']}  button  threat  1x  notified 20" in over
    assert "  over: it was a drill (by local-guard-desk)" in over
    assert no_alarm == []
    assert not incident["test"]
    rows = list(csv.DictReader(StringIO(said(monitor, "report", "tests", "--csv"))))
    assert [(row["kind"], row["node"], row["input"], row["result"]) for row in rows] == [
        ("test", NODE, "button", "passed"),
        ("button", "room-300", "", "never heard"),
        ("button", NODE, "button", ""),
    ]
    assert 0 < int(rows[0]["reaction_ms"]) < 5000
    assert [row["overdue"] for row in rows[1:]] == ["yes", "no"]


def test_people_are_answered_in_the_language_of_the_configuration(monitor: RunningMonitor, tmp_path: Path) -> None:
    """What tools read is the same in any."""
    config = tmp_path / "monitor.toml"
    text = monitor.config.read_text(encoding="utf-8")
    config.write_text(text.replace('language = "en"', 'language = "de"'), encoding="utf-8")

    listed = alarm_monitor(config, "walk-test", "list").stdout
    nothing = alarm_monitor(config, "history", "--until", "2026-03-01").stderr
    exported = [alarm_monitor(each, "history", "--csv").stdout for each in (config, monitor.config)]

    refusal = alarm_monitor(config, "acknowledge", f"{SITE}/{NODE}/0badcafe-1")

    assert refusal.returncode == 1
    assert refusal.stderr.startswith(f"E059 kein Alarm {SITE}/{NODE}/0badcafe-1 ist offen. Zu tun: nachsehen, ")
    assert listed == "Kein Begehungstest läuft: Jeder Druck ist echt.\n"
    assert nothing == "die Historie hat dazu keinen Eintrag\n"
    assert exported[0] == exported[1]


def test_the_record_of_tests_can_be_printed(monitor: RunningMonitor) -> None:
    """A whole page of HTML, in German, whose elements are closed."""
    page = said(monitor, "report", "tests", "--language", "de")

    class Closed(HTMLParser):
        """Counts what is open."""

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            """One more, unless it needs no end."""
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            """It closes what was opened last."""
            assert self.open.pop() == tag

    parser = Closed()
    parser.feed(page)
    assert parser.open == []
    assert "Proben der Alarmtaster" in page


@pytest.mark.usefixtures("node")
def test_a_pause_is_shown_with_its_reason_and_ends_by_command(monitor: RunningMonitor) -> None:
    """Who works there says why; nobody is looked for meanwhile."""
    begun = said(monitor, "pause", "room-300", "--for", "2h", "--reason", "neues Kabel")
    shown = said(monitor, "status", "--language", "de")
    paused = [each["code"] for each in monitor.items("/findings") if each["node"] == "room-300"]
    again = said(monitor, "pause", f"{SITE}/room-300", "--for", "3h", "--reason", "neues Kabel")
    ended = said(monitor, "resume", "room-300")

    [end] = re.findall(rf"^{SITE}/room-300 is paused until (.+): until then nobody", begun)
    assert f"\nThis replaces the pause by local-guard-desk until {end}.\n" in again
    assert "replaces" not in begun
    assert ended == f"{SITE}/room-300 is no longer paused: if it fails, that is reported again\n"
    assert "neues" in shown
    assert paused == ["M019"]
    assert (monitor.node("room-300") or {})["status"] == "new"


@pytest.mark.usefixtures("node")
def test_a_finding_that_is_over_can_be_looked_up(monitor: RunningMonitor) -> None:
    """By whom it isn't shown any more."""
    monitor.wait(lambda: "M004" in monitor.codes(), 30.0, "the node that was never heard")
    said(monitor, "pause", f"{SITE}/room-300", "--for", "2h", "--reason", "neues Kabel")
    past = "/findings/past?node=room-300"
    monitor.wait(
        lambda: any(each["code"] == "M004" and each["until"] for each in monitor.items(past)), what="one that is over"
    )

    shown = said(monitor, "history", "findings", "--node", "room-300")
    said(monitor, "resume", f"{SITE}/room-300")

    assert f"  {SITE}/room-300  M004  over " in shown


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("acknowledge", "mitte/room-214"), "no alarm mitte/room-214 is open"),
        (("acknowledge", "mitte/room-214/0badcafe-1/1"), "isn't SITE/NODE/INCIDENT"),
        (("acknowledge", "mitte/room-214/0badcafe-1"), "no alarm mitte/room-214/0badcafe-1 is open"),
        (("identify", "mitte/nowhere"), "there is no node mitte/nowhere"),
        (("resume", "mitte/room-300"), "that node isn't paused"),
        (("walk-test", "end", "walk-1"), "there is no running walk test walk-1"),
        (("walk-test", "end"), "no walk test is running"),
        (("walk-test", "start", "--site", "mitte", "--floor", "9"), "no such node, floor or site"),
        (("walk-test", "start", "--site", "Mitte"), "no such node, floor or site"),
        (("walk-test", "start", "--site", "mitte", "--node", "nord/room-214"), "no such node, floor or site"),
        (("walk-test", "start", "--site", "mitte", "--floor", "3"), "none of these nodes is heard now"),
        (("walk-test", "start", "--site", "mitte", "--node", "mitte/room-300"), "none of these nodes is heard now"),
        (("walk-test", "start"), "a walk test needs a site"),
        (("token", "create"), "a token needs a name"),
    ],
)
@pytest.mark.usefixtures("node")
def test_what_cannot_be_done_is_said_with_the_next_step(
    monitor: RunningMonitor, arguments: tuple[str, ...], reason: str
) -> None:
    """And changes nothing."""
    told = said(monitor, *arguments, code=1)

    assert reason in told
    assert " Next: " in told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("identify", "mitte/room-214", "--for", "2h"), "'2h' isn't from 1s to 60s"),
        (("identify", "mitte/room-214", "--for", "3"), "'3' isn't like 90s, 30m, 2h or 3d"),
        (("pause", "mitte/room-214", "--for", "10s", "--reason", "x"), "'10s' isn't from 1m to 30d"),
        (("pause", "mitte/room-214", "--for", "31d", "--reason", "x"), "'31d' isn't from 1m to 30d"),
        (("pause", "mitte/room-214", "--for", "2h", "--reason", ""), "1 to 120 characters"),
        (("walk-test", "start", "--site", "mitte", "--for", "3h"), "'3h' isn't from 1m to 60m"),
    ],
)
def test_a_time_or_a_text_that_can_not_be_is_refused_before_anybody_is_asked(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """In the words that were typed, not in those of the API."""
    told = alarm_monitor(write_monitor(tmp_path, 1), *arguments)

    assert told.returncode == 2
    assert reason in told.stderr


@pytest.mark.usefixtures("node")
def test_a_token_is_shown_once_and_can_be_taken_away(monitor: RunningMonitor, tmp_path: Path) -> None:
    """With a viewer's, nothing can be done."""
    secret = said(monitor, "token", "create", "board", "--role", "viewer").strip()
    file = tmp_path / "token"
    file.write_text(secret, encoding="utf-8")
    listed = said(monitor, "token", "list")

    looked = said(monitor, "status", "--json", "--token-file", str(file))
    refused = said(monitor, "identify", f"{SITE}/{NODE}", "--token-file", str(file), code=1)
    said(monitor, "token", "revoke", "board")
    locked_out = said(monitor, "status", "--token-file", str(file), code=1)

    assert "board" in listed
    assert secret not in listed
    assert json.loads(looked)
    assert refused.startswith("E057 this needs the role responder, but the token board has the role viewer. Next: ask ")
    assert locked_out.startswith("E056 the monitor doesn't know this token, or it was revoked. Next: name a valid one ")


def test_a_token_that_opens_nothing_cannot_be_revoked(monitor: RunningMonitor) -> None:
    """Whoever mistypes its name must not believe that the real one is taken away."""
    said(monitor, "token", "create", "tablet")

    mistyped = said(monitor, "token", "revoke", "tabelt", code=1)
    revoked = said(monitor, "token", "revoke", "tablet")
    once_more = said(monitor, "token", "revoke", "tablet", code=1)

    assert mistyped == "E059 there is no valid token tabelt. Next: list them: alarm-monitor token list.\n"
    assert revoked == "the token tablet is revoked: it no longer gives access\n"
    assert "there is no valid token tablet" in once_more


@pytest.mark.usefixtures("node")
def test_the_doctor_reads_what_the_service_finds(monitor: RunningMonitor) -> None:
    """Without a second connection that would throw the service off."""
    monitor.wait(lambda: "M004" in monitor.codes(), 30.0, "the node that was never heard")

    told = alarm_monitor(monitor.config, "check")

    assert told.returncode == 1
    assert "FINDING M004 mitte/room-300" in told.stdout
    assert "M004 mitte/room-300: a node of the roster was never heard" in monitor.log
    assert "Traceback" not in monitor.log


@pytest.mark.parametrize("name", ["monitor.toml", "nodes.toml"])
def test_the_doctor_says_what_the_service_has_not_read_yet(monitor: RunningMonitor, name: str) -> None:
    """A target that was added meanwhile is told of nothing, however good its lines are."""
    file = monitor.config.with_name(name)
    before = file.stat()
    unchanged = alarm_monitor(monitor.config, "check").stdout

    os.utime(file)
    changed = alarm_monitor(monitor.config, "check").stdout
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    said = f"FINDING {file} was changed after the service read it. Next: sudo systemctl restart alarm-monitor.\n"
    assert said in changed
    assert "was changed" not in unchanged


def test_the_doctor_finds_calls_that_nobody_is_told_of(tmp_path: Path, broker: Broker) -> None:
    """The running service has found it; without it the files say as much."""
    targets = [{"name": "guards", "url": "json://127.0.0.1", "sites": ["nord"], "classes": ["threat"]}]
    config = write_monitor(tmp_path, broker.port, name="other-desk", sites=[SITE, "nord"], targets=targets)
    before = alarm_monitor(config, "check")
    with RunningMonitor(config) as monitor:
        monitor.wait(lambda: "M018" in monitor.codes(), what="the finding")
        running = alarm_monitor(config, "check")

    found = [line.partition(": ")[0] for line in before.stdout.splitlines() if "M018" in line]
    assert found == [f"FINDING M018 {name}" for name in (SITE, "nord/assist", "nord/amok")]
    assert f"FINDING M018 other-desk/{SITE}: no target for these alarms" in running.stdout
    assert (before.returncode, running.returncode) == (1, 1)


def test_the_doctor_counts_one_node_as_one(tmp_path: Path) -> None:
    """As people do."""
    told = alarm_monitor(write_monitor(tmp_path, free_port(), roster=ROSTER[:1], targets=()), "check")

    assert "the roster lists 1 node\n" in told.stdout
    assert "FINDING nobody is notified of alarms" in told.stdout


def test_the_doctor_tries_the_broker_itself_where_no_service_runs(tmp_path: Path, broker: Broker) -> None:
    """It says that the service isn't there, and what of the rest works."""
    told = alarm_monitor(write_monitor(tmp_path, broker.port), "check")

    assert "FINDING the service doesn't run: nobody is notified. Next: start it: sudo systemctl start" in told.stdout
    assert f"ok      broker 127.0.0.1:{broker.port} accepts the monitor" in told.stdout


def test_the_doctor_says_why_a_broker_can_not_be_reached(tmp_path: Path) -> None:
    """With the code whose page says more."""
    told = alarm_monitor(write_monitor(tmp_path, free_port()), "check")

    assert told.returncode == 1
    assert ": connection refused: M008" in told.stdout


def test_a_broker_that_knows_another_password_is_not_looked_for_in_the_network(tmp_path: Path) -> None:
    """What is next is the login."""
    password = tmp_path / "password"
    password.write_text("wrong\n", encoding="utf-8")
    with Broker(tmp_path / "broker", anonymous=False, passwords={"guard-desk": "right"}) as closed:
        keys = {"host": "127.0.0.1", "port": closed.port, "username": "guard-desk", "password_file": str(password)}

        told = alarm_monitor(write_monitor(tmp_path / "monitor", brokers=[keys]), "check")

    assert (
        "the broker refuses the login: unknown name, wrong password or certificate (F022 refused: not "
        "authorised (0x87))" in told.stdout
    )
    assert "Next: compare username, password_file and certificate_file" in told.stdout


def test_without_a_monitor_a_command_says_how_to_start_it(tmp_path: Path) -> None:
    """It has never run."""
    told = alarm_monitor(write_monitor(tmp_path, 1), "status")

    assert told.returncode == 1
    assert (
        "api.socket: No such file or directory. Next: find out why it doesn't run: sudo alarm-monitor check"
        in told.stderr
    )


@pytest.mark.parametrize("arguments", [("create", "board"), ("list",), ("revoke", "board")])
def test_a_command_about_tokens_makes_no_history(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Of root's, say: the service couldn't open it when it starts."""
    (tmp_path / "state").mkdir()

    told = alarm_monitor(write_monitor(tmp_path, 1), "token", *arguments)

    assert told.returncode == 1
    assert told.stderr.startswith("E026 ")
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_asks_nothing_without_a_token(monitor: RunningMonitor) -> None:
    """It can't open the socket, however wide the way there is; and is told what it needs."""
    directory = monitor.config.parent / "state"
    os.seteuid(65534)
    try:
        with pytest.raises(
            ApiError,
            match=r"E058 this account may not ask the monitor at unix:.* Next: run this with sudo",
        ):
            MonitorClient(on_this_machine(directory)).get("fleet")
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1"])
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    """A cell that looks like a formula is text; numbers stay numbers, what is empty stays empty."""
    made = "".join(csv_lines([{"a": text, "b": None, "c": -3, "d": ["x"]}], ()))

    rows = list(csv.reader(StringIO(made, newline="")))
    assert rows == [["a", "b", "c", "d"], [f"'{plain(text)}", "", "-3", '["x"]']]


@pytest.mark.parametrize("text", ['a "quoted", one', "[links] im Flur", "größer", "👩\u200d🚒", ""])
def test_csv_brings_every_text_back(text: str) -> None:
    """Commas and quotes too."""
    made = "".join(csv_lines([{"a": text, "b": "x"}], ()))

    assert list(csv.DictReader(StringIO(made, newline=""))) == [{"a": text, "b": "x"}]


def test_whatever_can_be_asked_for_is_done() -> None:
    """Each command that the parser takes does something, and nothing else does."""
    [taken] = [each.choices for each in parser()._actions if isinstance(each, argparse._SubParsersAction)]  # noqa: SLF001

    assert list(taken) == list(COMMANDS)


def test_without_its_packages_a_command_says_what_to_install(tmp_path: Path) -> None:
    """A node alone is installed without them."""
    hiding = "import sys; sys.modules['rich'] = None; from node.monitor.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", hiding, "status", "--config", str(write_monitor(tmp_path, 1))]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False)

    assert done.returncode == 1
    assert "E005 alarm-monitor needs packages that aren't installed (rich)" in done.stderr
    assert "Next: install the Debian package alarm-monitor" in done.stderr
