"""``alarm-node init``: what is asked, what is refused, what is written, and what isn't."""

import errno
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from node import config
from node.cli import init, main
from node.core.settings import Lamp, Sound
from node.errors import ConfigError, InitError

SHIPPED = Path(__file__).parents[3] / "deploy" / "node.example.toml"
SILENT = {
    "node.id": "room-214",
    "node.site": "mitte",
    "node.location": "2. OG, Zimmer 214",
    "button.pin": "17",
    "button.wiring": "normally-closed",
    "button.class": "threat",
    "button.sound": "silent",
    "button.lamp": "discreet",
    "lamp.pin": "23",
    "broker.host": "127.0.0.1",
    "broker.port": "1883",
}
LOUD = {name: typed for name, typed in SILENT.items() if name != "button.lamp"} | {
    "button.sound": "loud",
    "buzzer.pin": "22",
}
SECURE = SILENT | {
    "broker.host": "broker.example.org",
    "broker.port": "8883",
    "broker.ca_file": "/etc/alarm-node/ca.pem",
    "broker.username": "room-214",
    "broker.password_file": "broker.password",
}
ROOMS = {"silent": SILENT, "loud": LOUD, "secure": SECURE}
COMMENTED = re.compile(r"^#([a-z_]+) = .*$", re.MULTILINE)


class Person:
    """Answers each prompt that begins with a word by the next of its answers; keeps what was asked and told."""

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)
        self.prompts: list[str] = []
        self.told = ""

    def ask(self, prompt: str) -> str:
        """The next answer; the end of the input after the last."""
        self.prompts.append(prompt)
        try:
            return next(self._answers)
        except StopIteration:
            raise EOFError from None

    def tell(self, said: str) -> None:
        """Keep what is said."""
        self.told += f"{said}\n"

    @property
    def asked(self) -> list[str]:
        """The keys that were asked for."""
        return [prompt.split()[0] for prompt in self.prompts]


def without(given: Mapping[str, str], *names: str) -> dict[str, str]:
    """The same without these."""
    return {name: typed for name, typed in given.items() if name not in names}


def interviewed(given: Mapping[str, str], *answers: str) -> tuple[init.Answers, Person]:
    """What comes of an interview in which all but this was given, and who was asked."""
    person = Person(*answers)
    return init.interview(init.answers_of(given), person.ask, person.tell), person


def file_of(given: Mapping[str, str]) -> str:
    """The text that is written of these answers."""
    return init.text(init.answers_of(given))


def flags(given: Mapping[str, str]) -> list[str]:
    """The same as a command line."""
    named = ((init.QUESTIONS[name], typed) for name, typed in given.items())
    return [word for question, typed in named for word in (question.table.flag(question.key), typed)]


def refused(given: Mapping[str, str], path: Path) -> InitError:
    """The error of a command line with these flags."""
    with pytest.raises(InitError) as caught:
        init.run(path, given, None, print)
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file may be written."""
    return tmp_path / "node.toml"


@pytest.mark.parametrize("given", ROOMS.values(), ids=ROOMS)
def test_a_file_of_flags_loads_and_says_what_was_given(path: Path, given: Mapping[str, str]) -> None:
    """The real reader takes it, and has the values of the flags."""
    init.run(path, given, None, print)

    loaded = config.load(path)
    (button,), (broker,) = loaded.settings.inputs, loaded.brokers
    assert (loaded.node, loaded.site, loaded.location) == ("room-214", "mitte", "2. OG, Zimmer 214")
    assert tomllib.loads(path.read_text(encoding="utf-8"))["button"][0]["pin"] == 17
    assert (button.sound, button.lamp) == ((Sound.LOUD, Lamp.SHOWN) if given is LOUD else (Sound.SILENT, Lamp.DISCREET))
    assert loaded.buzzer_pin == (22 if given is LOUD else None)
    assert broker.name == ("broker.example.org:8883" if given is SECURE else "127.0.0.1:1883")
    assert (broker.tls is not None) == (broker.login is not None) == (given is SECURE)


@pytest.mark.parametrize("given", ROOMS.values(), ids=ROOMS)
def test_every_key_is_in_the_file(given: Mapping[str, str]) -> None:
    """Each key of each table stands below its heading, as a line of its own or commented out, and is explained."""
    blocks: dict[str, str] = {}
    for block in re.split(r"^(?=#?\[)", file_of(given), flags=re.MULTILINE):
        blocks.setdefault(block.splitlines()[0].strip("#[]"), block)

    for table in config.NODE_FILE.tables:
        for key in table.declared:
            assert re.search(rf"^# .+\n#?{key.encode_name} = ", blocks[table.name], re.MULTILINE), key.encode_name


def test_what_is_commented_out_is_allowed_there() -> None:
    """Whoever takes a "#" away has a line that its key may have."""
    table = ""
    seen = set()

    for line in file_of(SILENT).splitlines():
        table = line.strip("#[]") if re.match(r"#?\[", line) else table
        if COMMENTED.match(line):
            ((name, shown),) = tomllib.loads(line.removeprefix("#")).items()
            convert(shown, init.QUESTIONS[f"{table}.{name}"].key.type)
            seen.add((table, name))

    assert len(seen) > 15


def test_what_is_called_the_default_is_the_default(path: Path) -> None:
    """Taking the "#" away from every default changes nothing."""
    written = file_of(LOUD)
    spelled_out, count = re.subn(r"(?<=default:\n)#", "", written)

    path.write_text(written, encoding="utf-8")
    silently = config.load(path)
    path.write_text(spelled_out, encoding="utf-8")
    openly = config.load(path)

    assert count > 5
    assert openly == silently


def test_a_table_that_is_not_needed_is_commented_out_whole() -> None:
    """Without a loud button there is no buzzer, and the file shows how one would be written."""
    assert "\n#[buzzer]\n" in file_of(SILENT)
    assert "\n[buzzer]\n" in file_of(LOUD)
    assert not tomllib.loads(file_of(SILENT)).keys() & {"buzzer"}


def test_a_table_that_may_come_again_is_shown_again() -> None:
    """A second broker and a second button are there to be used."""
    assert "# One more broker, of 4 at most:\n#[[broker]]\n#host = " in file_of(SILENT)
    assert "# One more button, of 16 at most:\n#[[button]]\n#pin = " in file_of(SILENT)


def test_text_is_written_as_toml_reads_it(path: Path) -> None:
    """Quotes, backslashes and umlauts come back as they were typed, however long."""
    place = 'Erdgeschoß, "Schalter" \\ ' + "ä" * 170

    init.run(path, SILENT | {"node.location": place}, None, print)

    assert config.load(path).location == place


def test_every_missing_flag_is_told_at_once(path: Path) -> None:
    """Each with what it must be and an example that a shell takes; and nothing is written."""
    error = refused({}, path)

    told = [problem.split()[0] for problem in error.problems]
    assert told == [
        "--node-id",
        "--node-site",
        "--node-location",
        "--button-pin",
        "--button-wiring",
        "--button-class",
        "--button-sound",
        "--lamp-pin",
        "--broker-host",
        "--broker-port",
    ]
    assert all(" is missing: must be " in problem for problem in error.problems)
    assert error.problems[2].endswith("for example --node-location '2. OG, Zimmer 214'")
    assert str(error).startswith("E007 10 flags are missing or wrong: nothing was written. Next: ")
    assert not path.exists()


@pytest.mark.parametrize(
    ("given", "missing", "why"),
    [
        (without(SILENT, "button.lamp"), "--button-lamp", "for a silent button it must be"),
        (without(LOUD, "buzzer.pin"), "--buzzer-pin", "must be a BCM number"),
        (without(SECURE, "broker.ca_file"), "--broker-ca-file", "or write --broker-insecure true, which stays a fault"),
        (without(SECURE, "broker.username"), "--broker-username", "where there is password_file it must be"),
        (SECURE | {"broker.certificate_file": "a.pem"}, "--broker-key-file", "where there is certificate_file"),
    ],
)
def test_what_another_answer_makes_necessary_is_missing(
    path: Path, given: Mapping[str, str], missing: str, why: str
) -> None:
    """The rules of config say what is missing, each with its reason."""
    error = refused(given, path)

    (problem,) = error.problems
    assert problem.startswith(f"{missing} is missing: ")
    assert why in problem
    assert str(error).startswith("E007 1 flag is missing")


def test_wrong_and_missing_flags_come_together(path: Path) -> None:
    """What is wrong is told as it would be of a file; both at once, so that one more try is enough."""
    error = refused(without(SILENT, "node.site") | {"button.sound": "low", "lamp.pin": "17"}, path)

    missing, sound, pin = error.problems
    assert missing.startswith("--node-site is missing: ")
    assert sound.startswith('[[button]] 1 sound = "low": must be "loud" or "silent" (no default: ')
    assert pin.startswith("[lamp] pin = 17: is the pin of [[button]] 1 already")


def test_a_password_in_the_place_of_its_file_is_not_shown(path: Path) -> None:
    """What is refused there may be the secret itself."""
    error = refused(SECURE | {"broker.password_file": "hunter2/"}, path)

    assert "hunter2" not in f"{error} {error.problems}"


@pytest.mark.parametrize("typed", ["2. OG\x7f", "2. OG\udcff", "2. OG\x1b[D"])
def test_a_character_that_is_none_is_refused(path: Path, typed: str) -> None:
    """An arrow key, or bytes that aren't UTF-8, never reach the file."""
    error = refused(SILENT | {"node.location": typed}, path)

    assert "node.location has a character that can't be printed: type it anew" in error.problems
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "typed", "meant"),
    [
        ("node.id", "room-214", "room-214"),
        ("node.id", '"room-214"', "room-214"),
        ("node.id", "214", "214"),
        ("node.location", "true", "true"),
        ("node.location", '"2. OG"', "2. OG"),
        ("button.pin", "17", 17),
        ("panel.sample_hz", "50", 50),
        ("broker.insecure", "true", True),
        ("supervision.monitors", '["guard-desk", "porter"]', ["guard-desk", "porter"]),
        ("button.pin", "seventeen", "seventeen"),
        ("button.pin", "", ""),
        ("button.pin", "28", 28),
        ("supervision.monitors", "[" * 100_000, "[" * 100_000),
    ],
)
def test_an_answer_is_what_the_key_can_take(name: str, typed: str, meant: object) -> None:
    """As node.toml has it, or a text without its quotes; what the key can't take stays, to be refused."""
    found = init.value(init.QUESTIONS[name].key, typed)

    assert (found, type(found)) == (meant, type(meant))


def test_everything_that_has_no_default_is_asked_for_in_the_order_of_the_file() -> None:
    """The lamp right after the silent sound, no buzzer, and nothing about TLS for a broker on this machine."""
    typed = ("room-214", "mitte", "2. OG", "4", "normally-open", "amok", "silent", "shown", "5", "localhost", "1884")

    answers, person = interviewed({}, *typed)

    assert person.asked == ["id", "site", "location", "pin", "wiring", "class", "sound", "lamp", "pin", "host", "port"]
    assert init.questions(answers) == []


def test_what_flags_gave_is_not_asked_for() -> None:
    """Only what is left."""
    _, person = interviewed(without(LOUD, "buzzer.pin", "node.id"), "room-214", "22")

    assert person.asked == ["id", "pin"]


def test_a_question_says_what_the_key_is_for_and_must_be() -> None:
    """With the reason why there is no default, where lives depend on it."""
    _, person = interviewed(without(LOUD, "button.sound"), "loud")

    told = " ".join(person.told.split())
    assert "[[button]] sound: whether a press sounds the buzzer must be" in told
    assert "(no default: an alarm that can be heard may provoke an attacker)" in told


@pytest.mark.parametrize(
    ("left", "wrong", "right", "told"),
    [
        ("node.id", "Room 214", "room-214", '[node] id = "Room 214": must be 1 to 63 lower-case'),
        ("button.wiring", "closed", "normally-closed", 'wiring = "closed": must be "normally-open"'),
        ("button.sound", "", "loud", 'sound = "": must be "loud" or "silent"'),
        ("lamp.pin", "17", "23", "[lamp] pin = 17: is the pin of [[button]] 1 already"),
        ("lamp.pin", "28", "23", "[lamp] pin = 28: must be a BCM number from 0 to 27"),
        ("broker.host", "mqtt://broker", "localhost", 'host = "mqtt://broker": must be a name or address alone'),
        ("node.location", "\x1b[A", "2. OG", "node.location has a character that can't be printed"),
    ],
)
def test_a_wrong_answer_is_refused_and_asked_for_again(left: str, wrong: str, right: str, told: str) -> None:
    """At once, with what is allowed, by config's own rules."""
    answers, person = interviewed(without(LOUD, left), wrong, right)

    assert len(person.prompts) == 2
    assert told in " ".join(person.told.split())
    assert str(answers[left]) == right


@pytest.mark.parametrize(
    ("left", "host", "offered"),
    [
        ("button.pin", "localhost", "17"),
        ("lamp.pin", "localhost", "23"),
        ("broker.port", "localhost", "1883"),
        ("broker.port", "broker.example.org", "8883"),
    ],
)
def test_a_pin_and_a_port_are_offered(left: str, host: str, offered: str) -> None:
    """Enter takes the wiring of INSTALL.md, and the broker's usual port."""
    answers, person = interviewed(without(LOUD, left) | {"broker.host": host, "broker.insecure": "true"}, "")

    assert person.prompts == [f"{left.partition('.')[2]} [{offered}] = "]
    assert answers[left] == int(offered)


def test_a_pin_that_is_taken_is_not_offered() -> None:
    """Enter would only be refused."""
    _, person = interviewed(without(LOUD, "lamp.pin") | {"buzzer.pin": "23"}, "24")

    assert person.prompts == ["pin = "]


def test_nothing_else_is_offered() -> None:
    """Where a habit could do harm, Enter isn't an answer."""
    for name, typed in SILENT.items():
        if not name.endswith((".pin", ".port")):
            _, person = interviewed(without(SILENT, name), typed)

            assert person.prompts == [f"{name.partition('.')[2]} = "]


def test_a_broker_in_the_network_is_asked_for_its_authority_and_login() -> None:
    """By the rules the authority is missing; the login may be left out."""
    answers, person = interviewed(
        without(SECURE, "broker.ca_file", "broker.username", "broker.password_file"), "/ca.pem", "room-214", "/secret"
    )

    assert person.prompts == ["ca_file = ", "username [none] = ", "password_file [none] = "]
    assert answers["broker.password_file"] == "/secret"


def test_a_login_may_be_left_out() -> None:
    """Enter leaves it out, and its password isn't asked for."""
    answers, person = interviewed(without(SECURE, "broker.username", "broker.password_file"), "")

    assert person.asked == ["username"]
    assert "broker.username" not in answers


def test_an_answer_may_be_a_line_of_the_same_table() -> None:
    """The question for the authority names the other way, insecure = true, and that can be typed as it stands."""
    answers, person = interviewed(
        without(SECURE, "broker.ca_file", "broker.username", "broker.password_file"), "insecure = true"
    )

    assert "or write insecure = true, which stays a fault" in " ".join(person.told.split())
    assert answers["broker.insecure"] is True
    assert "broker.ca_file" not in answers


def test_a_line_that_is_shown_stays_on_one_line() -> None:
    """An example that is broken in two can't be copied."""
    _, person = interviewed(without(SECURE, "broker.ca_file"), "/ca.pem")

    assert re.search(r"ca_file = \"/etc/alarm-node/ca\.pem\".*insecure = true", person.told, re.DOTALL)
    assert max(map(len, person.told.splitlines())) <= 80


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_an_interview_that_is_broken_off_writes_nothing(path: Path, end: type[BaseException]) -> None:
    """Ctrl-C or the end of the input: nothing is there afterwards, and the last line says so."""

    def ask(prompt: str) -> str:
        if prompt.startswith("site"):
            raise end
        return "room-214"

    with pytest.raises(InitError, match=r"^E007 stopped before the last answer: nothing was written\. Next: "):
        init.run(path, {}, ask, lambda said: None)

    assert list(path.parent.iterdir()) == []


def test_wrong_flags_are_told_before_anything_is_asked(path: Path) -> None:
    """At a terminal too, and without what would have been asked for."""
    person = Person()

    with pytest.raises(InitError) as caught:
        init.run(path, {"button.pin": "99"}, person.ask, person.tell)

    assert len(caught.value.problems) == 1
    assert person.prompts == []


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example that `make install` has put into the documentation."""
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
    """Nobody has written anything into what `make install` put there."""
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
    monkeypatch.setattr("os.access", lambda *_: False)

    with pytest.raises(InitError, match=r"can't be written \(Permission denied\)\. Next: run it as root \(sudo\)"):
        init.run(path, {}, Person().ask, print)


def run_command(*words: str | Path) -> int:
    """The exit code of a command line."""
    return main.main([str(word) for word in words])


def test_the_command_writes_and_tells_the_next_steps(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal it takes flags, one for each key, and a check of that file comes next."""
    code = run_command("init", *flags(SECURE), "--config", path)

    assert code == 0
    assert capsys.readouterr().out == f"\n{path} is written. Next:\n  alarm-node check --config {path}\n"
    assert config.load(path).brokers[0].login == config.Login("room-214", Path("broker.password"))


def test_the_usual_file_is_the_services(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a FILE it is the one that the service reads, which can be started then."""
    monkeypatch.setattr(main, "DEFAULT_CONFIG", path)

    code = run_command("init", *flags(LOUD))

    assert code == 0
    assert capsys.readouterr().out.endswith("Next:\n  alarm-node check\n  systemctl enable --now alarm-node\n")
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
