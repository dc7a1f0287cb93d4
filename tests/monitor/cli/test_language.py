"""One output, one language: usage, errors, the doctor and the kinds of events are told as all else that people read."""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import node.monitor
from node.cli.main import parser as parser_of_node
from node.core.model import EventKind
from node.errors import ConfigError
from node.monitor.cli import main
from node.monitor.cli.api_client.http_client import AskError
from node.monitor.cli.api_client.monitor_client import ApiError
from node.monitor.cli.output.replies import done, refused, words_of
from node.monitor.cli.parser import parse, parser
from node.monitor.config import init_files, monitor_file
from node.monitor.locale.translation import FOREIGN, SAID, catalog
from tests.support.broker import free_port
from tests.support.foreign import foreign
from tests.support.monitor import alarm_monitor, write_monitor

GERMAN, ENGLISH = words_of("de"), words_of("en")
MONITOR = Path(node.monitor.__path__[0])
PROGRAM = MONITOR.parent
EXAMPLE = PROGRAM.parent / "deploy" / "monitor.example.toml"
NAMES = ("monitor.toml", "nodes.toml")


def names_of(error: type[Exception]) -> set[str]:
    """The names of this kind of error and of what derives from it."""
    return {error.__name__, *(each.__name__ for each in error.__subclasses__())}


TELLING: dict[str, tuple[int, ...]] = {
    "CheckResult": (1, 2),
    "ExampleError": (0, 1),
    "MonitorDirectoryError": (0, 1),
    "MonitorRunningError": (0, 1),
    "HistoryUrlError": (0, 1),
    "HistoryOlderError": (0, 1),
    "HistoryNewerError": (0, 1),
    "HistoryEncodingError": (0, 1),
    "TokenNameError": (0, 1),
    "ArgumentTypeError": (0,),
    **dict.fromkeys(names_of(ApiError) - {"SeveralError"}, (0, 1)),
    **dict.fromkeys(names_of(AskError), (0,)),
    "ProblemError": (1, 2),
}
"""What says something to people, and which of its arguments do."""

COMMANDS = ("sudo ", "systemctl ", "alarm-monitor ")
"""A next step that is a command is the same in any language."""


def skeleton(text: str) -> str:
    """The text with its values taken out: two that differ in their names alone are one."""
    return "".join(literal + ("{}" if name is not None else "") for literal, name, _, _ in Formatter().parse(text))


def literal(told: ast.expr) -> str | None:
    """What this expression says, its values as {}; None where it is worked out."""
    if isinstance(told, ast.Constant) and isinstance(told.value, str):
        return told.value
    if isinstance(told, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in told.values)
    return None


def said_in(folder: Path) -> Iterator[str]:
    """Each text that something of TELLING says."""
    for path in sorted(set(folder.rglob("*.py")) - set(folder.rglob("check_alarm_node.py"))):  # which speaks to tools
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(call.func).rpartition(".")[2] if isinstance(call, ast.Call) else ""
            for index in TELLING.get(name, ()):
                text = literal(call.args[index]) if isinstance(call, ast.Call) and index < len(call.args) else None
                if text:
                    yield text
            if name in names_of(AskError) and isinstance(call, ast.Call):
                yield from (text for each in call.keywords if each.arg == "next_step" and (text := literal(each.value)))


def known() -> set[str]:
    """The skeletons of all that the catalogue has."""
    german = catalog("de")
    assert german is not None
    return {skeleton(str(each.id)) for each in german if each.id}


def test_what_the_doctor_and_the_errors_say_is_known_in_german() -> None:
    """Whoever adds a finding adds its translation."""
    missing = {
        text
        for text in said_in(MONITOR)
        if skeleton(text) not in known()
        and not text.startswith(COMMANDS)
        and skeleton(text).replace("{}", "").strip(":; ")
    }

    assert missing == set()


def texts_of(made: argparse.ArgumentParser) -> Iterator[str]:
    """What a parser says in its help."""
    yield made.description or ""
    for action in made._actions:  # noqa: SLF001 - argparse has no public list of them
        yield action.help if action.help not in {None, argparse.SUPPRESS} else ""
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for command in action.choices.values():
                yield from texts_of(command)


def test_every_help_is_known_in_german() -> None:
    """And is shown so."""
    german, english = list(texts_of(parser(GERMAN.retold))), list(texts_of(parser()))

    same = {one for one, other in zip(german, english, strict=True) if one and one == other}
    assert same == set()
    assert "Aufruf: alarm-monitor" in parser(GERMAN.retold).format_help()


def test_every_command_takes_a_language() -> None:
    """Also those that ask nobody; before its name as well as after it."""
    for name in main.COMMANDS:
        needed = {
            "reset": ("x", "--reason", "real"),
            "identify": ("x",),
            "pause": ("x", "--for", "2h", "--reason", "x"),
        }
        needed |= {"resume": ("x",), "forget": ("x",), "walk-test": ("list",), "report": ("tests",), "token": ("list",)}
        needed |= {
            "tell": ("--test",),
            "isolate": ("x", "--for", "2h", "--reason", "x"),
            "restore-target": ("x",),
        }
        words, flag = (name, *needed.get(name, ())), ("--language", "de")
        assert parse([*words, *flag]).language == parse([*flag, *words]).language == "de"
        assert parse(["--language", "en", *words, *flag]).language == "de"
        assert parse(words).language is None


def test_every_text_with_values_is_retold_as_the_catalogue_has_it() -> None:
    """No shorter text takes its place, and quotes half of it as somebody else's words."""
    german = catalog("de")
    assert german is not None
    open_values = FOREIGN.keys() | {"problem"}

    wrong = []
    for each in german:
        names = {name for _, name, _, _ in Formatter().parse(str(each.id)) if name}
        if each.context == SAID and names and not names & open_values:
            values = {name: "F001" if name == "code" else "desk-1" for name in names}
            english, told = (str(text).format(**values) for text in (each.id, each.string))
            wrong += [english] * (GERMAN.retold(english) != told)

    assert wrong == []


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_has_a_german_name(kind: str) -> None:
    """In the history at a terminal; tools have the kind itself."""
    assert GERMAN.retold(kind) != kind
    assert ENGLISH.retold(kind) == kind


def test_nothing_stands_in_the_catalogue_that_nobody_says() -> None:
    """Each text stands somewhere in the program, or in argparse."""
    german = catalog("de")
    assert german is not None
    sources = [*PROGRAM.rglob("*.py"), Path(argparse.__file__)]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources]
    texts = {
        text for tree in trees for each in ast.walk(tree) if isinstance(each, ast.expr) and (text := literal(each))
    }
    whole = "\n".join(texts)
    loose = (
        "{",
        "Connection refused",
        "connection refused",
        "Permission denied",
        "No such file",
        "No space",
        "Read-only",
        "Is a",
    )

    unsaid = {
        str(each.id)
        for each in german
        if each.context == SAID and not any(mark in str(each.id) for mark in loose) and str(each.id) not in whole
    }

    assert unsaid - {"timed out", "the roster lists 1 node", "usage:", "positional arguments:", "options:"} == set()


def told_of_files() -> Iterator[str]:
    """Each text by which a file is refused, whose name stands before it."""
    for path in PROGRAM.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "FileError":
                text = literal(call.args[1])
                if text:
                    yield f"{{}} {text}"


def test_why_a_file_is_refused_is_known_in_german() -> None:
    """What this program says itself is translated, and not quoted as if somebody else had said it."""
    told = set(told_of_files())

    assert len(told) > 10
    assert told - known() == set()


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("/x can't be written (Permission denied)", "/x lässt sich nicht schreiben (kein Recht dazu)"),
        ("/x can't be written (Text file busy)", "/x lässt sich nicht schreiben (das System meldet: „Text file busy“)"),
        ("broker a: no connection within 5 s: M008", "Broker a: keine Verbindung binnen 5 s: M008"),
        ("broker a: host is down: M008", "Broker a: das System meldet: „host is down“: M008"),
        (
            "the history /x can't be used: disk I/O error",
            "die Historie /x ist unbrauchbar: das System meldet: „disk I/O error“",
        ),
        ("the body: Object missing required field `reason`", "der Inhalt: „Object missing required field `reason`“"),
    ],
)
def test_what_somebody_else_says_stands_in_quotes(english: str, german: str) -> None:
    """After words in the language that say whose it is; in English most of it is English anyhow."""
    assert GERMAN.retold(english) == german
    assert ENGLISH.retold(english) == english


def test_what_the_other_side_said_is_quoted() -> None:
    """The servers of targets speak English, or whatever they like."""
    said = done("tell", {}, GERMAN, name="sms", said="Sent 1 notification")

    assert said == "sms: Die Probenachricht wurde angenommen. Die Gegenseite sagt: „Sent 1 notification“"
    assert done("tell", {}, ENGLISH, name="sms", said="Sent") == "sms: the test message was accepted. Sent"


SPARED = {r"\bZiel(?:e|en|s)?\b": "Empfänger", r"\bTests?\b": "Probe", r"\b[Gg]etestet": "geprüft"}
"""German words for which the guide has another; compounds like Begehungstest are words of their own."""


@pytest.mark.parametrize(("spared", "word"), SPARED.items(), ids=SPARED.values())
def test_german_has_one_word_for_one_thing(spared: str, word: str) -> None:
    """As MONITOR.de.md has it: a target is an Empfänger, a test of a button or a target a Probe."""
    german = catalog("de")
    assert german is not None
    folder = PROGRAM.parent / "deploy" / "guides"
    guides = {name: (folder / name).read_text(encoding="utf-8") for name in ("MONITOR.de.md", "OPERATIONS.de.md")}

    told = [str(each.string) for each in german if each.id and re.search(spared, str(each.string))]
    written = [f"{name}: {found}" for name, text in guides.items() for found in re.findall(f".*{spared}.*", text)]

    assert told == []
    assert written == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("bogus",), "alarm-monitor: Fehler: COMMAND: 'bogus' geht nicht (zur Wahl stehen "),
        (("reset",), "alarm-monitor reset: Fehler: es fehlt: --reason"),
        (("status", "--bogus"), "alarm-monitor: Fehler: unbekannte Angaben: --bogus"),
        (
            ("pause", "x", "--for", "10s", "--reason", "x"),
            "alarm-monitor pause: Fehler: --for: '10s' liegt nicht zwischen 1m",
        ),
        (("pause", "x", "--for"), "alarm-monitor pause: Fehler: --for: verlangt eine Angabe"),
        (
            ("history", "--since", "gestern"),
            "alarm-monitor history: Fehler: --since: 'gestern' ist nicht wie 2026-03-01",
        ),
        (("init", "--broker-port", "x"), "alarm-monitor init: Fehler: --broker-port: 'x' geht nicht"),
        (
            ("--url", "http://x", "check"),
            "alarm-monitor: Fehler: check geht nur auf dem Rechner des Monitors: --url ",
        ),
        (("token", "list", "--token-file", "x"), "alarm-monitor: Fehler: token geht nur auf dem Rechner des Monitors"),
        (("status", "--url", "ftp://x"), "alarm-monitor status: Fehler: --url: 'ftp://x' ist nicht wie https://"),
    ],
)
def test_wrong_usage_is_told_in_german(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    """With the usage above it; the exit code is that of any language."""
    with pytest.raises(SystemExit) as usage:
        main.main([*arguments, "--language", "de"])

    said = capsys.readouterr().err
    assert usage.value.code == 2
    assert said.startswith("Aufruf: ")
    assert said.splitlines()[-1].startswith(line)


def test_the_doctor_speaks_german(tmp_path: Path) -> None:
    """In each of its lines, by the language of the configuration."""
    written = write_monitor(tmp_path, free_port(), language="de", targets=(), roster=[{"id": "a", "site": "mitte"}])

    told = alarm_monitor(written, "check").stdout.splitlines()
    english = alarm_monitor(written, "check", "--language", "en").stdout.splitlines()

    assert told[0] == f"ok      {written}: der Monitor guard-desk hört mitte"
    assert (
        "BEFUND  bei einem Alarm wird niemand benachrichtigt. Zu tun: in monitor.toml ein [[target]] eintragen." in told
    )
    assert any(line.startswith("BEFUND  der Dienst läuft nicht: niemand wird benachrichtigt") for line in told)
    assert [line for line in told if "Next:" in line or "FINDING" in line] == []
    assert len(english) == len(told)
    assert set(english) & set(told) == set()


@pytest.mark.parametrize(
    ("language", "hint"),
    [
        ("en", "[[target]] 1 step is called level now. Next: write level instead of step."),
        ("de", "[[target]] 1 step heißt jetzt level. Zu tun: level statt step schreiben."),
    ],
)
def test_the_doctor_says_what_a_key_is_called_now(tmp_path: Path, language: str, hint: str) -> None:
    """It is no finding: the monitor runs with the older name, too."""
    written = write_monitor(tmp_path, free_port(), targets=[{"name": "a", "url": "json://x", "step": 0}])

    told = alarm_monitor(written, "check", "--language", language).stdout.splitlines()

    assert told[1] == f"ok      {written}: {hint}"


def test_a_wrong_configuration_is_told_in_german(tmp_path: Path) -> None:
    """Each line of it, and what to do."""
    written = write_monitor(tmp_path, 1, language="de", api={"port": "x", "colour": "red"})

    told = alarm_monitor(written, "check").stderr.splitlines()

    assert told[:-1] == [
        f'{written}: [api] colour ist unbekannt: erlaubt sind hier "host", "port"',
        f'{written}: [api] port = "x": muss sein: eine ganze Zahl von 1 bis 65535, zum Beispiel port = 8780',
    ]
    again = f"alarm-monitor check --config {written}"
    assert told[-1] == f"E001 {written} hat 2 Fehler. Zu tun: die Zeilen darüber korrigieren, dann aufrufen: {again}."


def test_a_configuration_that_is_not_there_is_told_in_german(tmp_path: Path) -> None:
    """With the command that writes it."""
    absent = tmp_path / "monitor.toml"

    told = alarm_monitor(absent, "check", "--language", "de").stderr.splitlines()

    assert told[-1] == f"E001 {absent} hat 1 Fehler. Zu tun: sie anlegen: alarm-monitor init --config {absent}."


def test_what_init_writes_explains_itself_in_german(tmp_path: Path) -> None:
    """Every text of its comments is translated, and nothing else of it."""
    german, english = (tmp_path / language / "monitor.toml" for language in ("de", "en"))
    said: list[str] = []

    def note(text: str) -> str:
        said.append(text)
        return text

    german.parent.mkdir()
    told = alarm_monitor(german, "init", "--language", "de")
    init_files.write(
        english, note, monitor="guard-desk", sites=["mitte"], host="127.0.0.1", port=1883, language="de", force=False
    )

    assert told.stdout.splitlines()[:2] == [f"{german.with_name(name)} ist geschrieben" for name in NAMES]
    assert [text for text in said if GERMAN.retold(text) == text] == []
    for name in NAMES:
        ours, theirs = ((each.with_name(name)).read_text(encoding="utf-8").splitlines() for each in (german, english))
        keys, same_keys = ([line for line in lines if not line.startswith("# ")] for lines in (ours, theirs))
        assert keys == [line.replace(str(english.parent), str(german.parent)) for line in same_keys]
        assert not {line for line in ours if line.startswith("# ")} & set(theirs)
    assert monitor_file.load(german).monitor == "guard-desk"


def test_init_writes_the_example_of_the_guides(tmp_path: Path) -> None:
    """deploy/monitor.example.toml is what the command writes, but for the roster's place."""
    path = tmp_path / "monitor.toml"

    alarm_monitor(path, "init", "--language", "en")

    written = path.read_text(encoding="utf-8")
    assert written.replace(str(tmp_path), "/etc/alarm-monitor") == EXAMPLE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "before", "locale", "language", "why"),
    [
        ((), None, "de_DE.UTF-8", "de", "Sprache: Deutsch, wie dieses Konto; --language en ändert sie"),
        ((), None, "C.UTF-8", "en", "language: English, as this account has it; --language de changes it"),
        (("--language", "en"), None, "de_DE.UTF-8", "en", "language: English, as --language says"),
        (
            ("--force",),
            "de",
            "C.UTF-8",
            "de",
            "Sprache: Deutsch, wie in der Datei, die da war; --language en ändert sie",
        ),
        (("--force", "--language", "en"), "de", "de_DE.UTF-8", "en", "language: English, as --language says"),
    ],
    ids=["a German account", "an English account", "a flag", "a German file", "a flag over a file"],
)
def test_init_says_which_language_it_took(
    flags: tuple[str, ...], before: str | None, locale: str, language: str, why: str, tmp_path: Path
) -> None:
    """The flag decides, then the file that is replaced, then the account; what is written and said has that one."""
    path = tmp_path / "monitor.toml"
    if before:
        path.write_text(f'[monitor]\nlanguage = "{before}"\n', encoding="utf-8")

    told = alarm_monitor(path, "init", *flags, environ={"LC_ALL": locale, "LANGUAGE": ""})

    assert why in told.stdout.splitlines()
    assert f'\nlanguage = "{language}"\n' in path.read_text(encoding="utf-8")


def test_both_programs_name_what_they_are_given_alike() -> None:
    """Whoever has set up a node knows the flags of the monitor: --TABLE-KEY, and --config for the file."""
    init = vars(parser().parse_args(["init"]))
    node_init = vars(parser_of_node().parse_args(["init"]))

    assert {"config", "force"} <= init.keys() & node_init.keys()
    assert {"broker_host", "broker_port"} <= init.keys()
    assert {"broker.host", "broker.port"} <= node_init.keys()
    assert not {"id", "site", "host", "port", "file"} & (init.keys() | node_init.keys())


def test_a_monitor_of_several_sites_is_written_by_init(tmp_path: Path) -> None:
    """The roster's example is of the first."""
    path = tmp_path / "monitor.toml"

    alarm_monitor(path, "init", "--monitor-sites", "mitte", "nord")

    assert monitor_file.load(path).sites == ("mitte", "nord")


def test_an_error_that_is_not_known_stays_as_it_is() -> None:
    """Rather than half in one language."""
    error = ConfigError(("x: [y] is odd in a way that is new",), "x")

    assert refused(error, ENGLISH) == str(error)
    assert GERMAN.retold(error.problems[0]) == error.problems[0]
    assert refused(error, GERMAN).startswith("E001 x hat 1 Fehler. Zu tun: ")


@given(foreign | st.text(max_size=200))
def test_whatever_is_retold_is_text(text: str) -> None:
    """No words of others are a pattern, and none take long."""
    assert isinstance(GERMAN.retold(text), str)
    assert GERMAN.retold(f"target {text}: its URL can be used (nothing was sent)").startswith("Empfänger ") or not text
    assert ENGLISH.retold(text) == text
