"""``alarm-node init``: makes a node.toml for this room from answers or from flags.

1. Nothing about a key stands here. node/config has its meaning, limits and default. What to ask also comes from
   config: whatever it finds missing, in the order of the file. An answer counts once config has no objection. So init
   asks for a silent button's lamp at once, and refuses a pin that is taken at once.
2. A key without a default gets none here. Only pins, ports and the node's id as its username are offered: the first
   test finds a wrong one.
3. Nothing is written before all questions are answered and ``config.load`` has accepted the result. Then the new file
   replaces the old one in one step; a file that people have written is replaced only if they say so.
"""

import errno
import os
import shlex
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, ValidationError, convert
from msgspec.structs import FieldInfo, replace

from node import config
from node.config import commented_file
from node.config.brokers import files, is_loopback, is_secret_name
from node.config.commented_file import wrapped
from node.config.declarations import Table, allowed, choices, example, example_value, purpose, written
from node.config.reader import lacking
from node.errors import InitError

EXPLAINED = Path("/usr/share/doc/alarm-node/node.example.toml")
"""Explains every key. The package puts it there."""

_HEADER = (
    "What this room has, for alarm-node. Every key at length, with all alternatives:",
    str(EXPLAINED),
    "",
    "Change it, then try it: sudo alarm-node check. The service reads it again: sudo systemctl reload alarm-node.",
)
_TLS_PORT = 8883
_OFFERED = ("pin", "port")
_LEFT_OUT = "none"
_MAY_FOLLOW = (("broker.ca_file", "broker.username"), ("broker.username", "broker.password_file"))
"""If the first is answered, init also asks for the second, which may be left out."""

Answers = dict[str, Any]
"""The answers, each value under its "table.key"."""
Ask = Callable[[str], str]
Tell = Callable[[str], None]


class Question(Struct, frozen=True):
    """A key to ask for; ``wanted`` says what it must be, and why it is needed if that depends on other answers."""

    table: Table
    key: FieldInfo
    wanted: str
    optional: bool = False

    @property
    def name(self) -> str:
        """The key of the answer in ``Answers``."""
        return f"{self.table.name}.{self.key.encode_name}"

    @property
    def by_flag(self) -> str:
        """What is missing on the command line, and what to add."""
        wanted = self.wanted
        for key in self.table.declared:
            shown = example_value(key)
            typed = shlex.quote(shown if isinstance(shown, str) else written(shown))
            wanted = wanted.replace(example(key), f"{self.table.flag(key)} {typed}")
        return f"{self.table.flag(self.key)} is missing: {wanted}"


_DECLARED = [Question(table, key, allowed(key)) for table in config.NODE_FILE.tables for key in table.declared]
QUESTIONS = {question.name: question for question in _DECLARED}


def run(path: Path, given: Mapping[str, str], ask: Ask | None, tell: Tell, *, force: bool = False) -> None:
    """Write this file from the flags (text by "table.key") and from answers to ``ask``, if there is somebody to ask."""
    _may_be_written(path, force=force)
    answers = answers_of(given)
    missing = [question.by_flag for question in questions(answers)] if ask is None else []
    if wrong := (*missing, *_objections(answers)):
        count = "1 flag is" if len(wrong) == 1 else f"{len(wrong)} flags are"
        raise InitError(
            f"{count} missing or wrong: nothing was written", "correct the lines above, then try again", wrong
        )
    if ask is not None:
        tell(f"This writes {path}.\nEnter takes what stands in [brackets]. Ctrl-C ends it, and nothing is written.")
        try:
            answers = interview(answers, ask, tell)
        except (KeyboardInterrupt, EOFError):
            tell("")
            raise InitError("stopped before the last answer: nothing was written", "begin again") from None
    write(path, text(answers), force=force)
    for each in _missing(path):
        tell(f"Not there yet: {each}: put it there before the start.")


def _missing(path: Path) -> list[str]:
    """The files that the new file names and that aren't there; a bare name is one that systemd hands over."""
    named = [(key, file) for broker in config.load(path).brokers for key, file in files(broker).items()]
    return [
        key if is_secret_name(key, file) else f"{key} {file}"
        for key, file in named
        if file.is_absolute() and not os.path.lexists(file)
    ]


def answers_of(given: Mapping[str, str]) -> Answers:
    """The values that flags gave, and those that have only one choice."""
    needed = {name: choices(question.key) for name, question in QUESTIONS.items() if question.key.required}
    foregone = {name: found[0] for name, found in needed.items() if len(found) == 1}
    return foregone | {name: value(QUESTIONS[name].key, typed) for name, typed in given.items()}


def questions(answers: Answers) -> list[Question]:
    """The questions still to be answered, in the order of the file."""
    wanted: dict[str, str] = {}
    for problem in config.problems_of(_document(answers)):
        match lacking(problem):
            case (table, "", _):
                keys = [key for key in config.NODE_FILE.table(table).declared if key.required]
                wanted |= {f"{table}.{key.encode_name}": allowed(key) for key in keys}
            case (table, key, why):
                wanted[f"{table}.{key}"] = why
    return [replace(question, wanted=wanted[name]) for name, question in QUESTIONS.items() if name in wanted]


def interview(answers: Answers, ask: Ask, tell: Tell) -> Answers:
    """The given answers, and those to all remaining questions."""
    while missing := questions(answers):
        answers = answers | _answer(missing[0], answers, ask, tell)
    for before, name in _MAY_FOLLOW:
        if before in answers and name not in answers:
            answers = answers | _answer(replace(QUESTIONS[name], optional=True), answers, ask, tell)
    return answers


def _answer(question: Question, answers: Answers, ask: Ask, tell: Tell) -> Answers:
    """The answer to this question, which is asked until config has no objection."""
    name, offer = question.key.encode_name, _offer(question, answers)
    shown = f" [{offer}{' or none' if question.optional else ''}]" if offer else " [none]" if question.optional else ""
    tell("\n" + wrapped(": ".join(filter(None, [f"{question.table.heading} {name}", purpose(question.key)])), 80))
    tell(wrapped(question.wanted, 80, "  "))
    while True:
        typed = ask(f"{name}{shown} = ").strip() or offer
        if question.optional and typed in ("", _LEFT_OUT):
            return {}
        answer = _understood(question, typed)
        objections = _objections(answers | answer)
        if not objections:
            return answer
        for objection in objections:
            tell(wrapped(objection, 80))


def _offer(question: Question, answers: Answers) -> str:
    """The value that Enter stands for, if config has no objection; empty for keys that people must choose with care."""
    name, offered = question.key.encode_name, example_value(question.key)
    if name == "username":
        return str(answers.get("node.id", ""))
    if name not in _OFFERED:
        return ""
    if name == "port" and not is_loopback(answers.get("broker.host", "")):
        offered = _TLS_PORT
    return "" if _objections(answers | {question.name: offered}) else str(offered)


def _understood(question: Question, typed: str) -> Answers:
    """The answer that was typed: a value, or a line for the same table as examples show it (``insecure = true``)."""
    name, equals, rest = typed.partition("=")
    other = f"{question.table.name}.{name.strip()}"
    if equals and other in QUESTIONS:
        return {other: value(QUESTIONS[other].key, rest.strip())}
    return {question.name: value(question.key, typed)}


def value(key: FieldInfo, typed: str) -> Any:
    """What the typed text means: a value as in node.toml, or a text without quotes, whichever the key can have."""
    candidates = [*_toml(typed), typed]
    for candidate in candidates:
        with suppress(ValidationError):
            convert(candidate, key.type)
            return candidate
    return candidates[0]


def _toml(typed: str) -> list[Any]:
    try:
        return [tomllib.loads(f"value = {typed}")["value"]]
    except (ValueError, RecursionError):
        return []


def _objections(answers: Answers) -> list[str]:
    """What is wrong with the answers; what is only missing doesn't count."""
    unprintable = [name for name, answer in answers.items() if not str(answer).isprintable()]
    return [
        *(f"{name} has a character that can't be printed: type it anew" for name in unprintable),
        *(problem for problem in config.problems_of(_document(answers)) if lacking(problem) is None),
    ]


def _document(answers: Answers) -> dict[str, Any]:
    """The answers as config reads them from a file."""
    tables: dict[str, dict[str, Any]] = {}
    for name, answer in answers.items():
        table, _, key = name.partition(".")
        tables.setdefault(table, {})[key] = answer
    return {name: [keys] if config.NODE_FILE.table(name).most > 1 else keys for name, keys in tables.items()}


def text(answers: Answers) -> str:
    """The file: the answers, and every other key commented out, with its default or an example."""
    return commented_file.text(_HEADER, config.NODE_FILE.tables, answers)


def write(path: Path, content: str, *, force: bool = False) -> None:
    """Write the file in one step, once config has accepted it."""
    _may_be_written(path, force=force)
    try:
        commented_file.write(path, content, config.load)
    except OSError as failure:
        raise _unwritable(path, failure) from failure


def _may_be_written(path: Path, *, force: bool) -> None:
    """Raises InitError if the file can't be written or must not be replaced, before people answer ten questions."""
    target = Path(os.path.realpath(path))
    try:
        if not target.parent.is_dir():
            raise InitError(f"{path} can't be written: its directory isn't there", f"mkdir -p {target.parent}")
        if target.exists():
            _may_be_replaced(path, target, force=force)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as failure:
        raise _unwritable(path, failure) from failure


def _may_be_replaced(path: Path, target: Path, *, force: bool) -> None:
    if not target.is_file():
        raise InitError(f"{path} isn't a file", "name another one with --config")
    # A plain copy of the example: people have written nothing that could be lost.
    pristine = EXPLAINED.is_file() and EXPLAINED.read_bytes() == target.read_bytes()
    if not force and not pristine:
        raise InitError(
            f"{path} is there already, and stays as it is", "name another with --config, or replace it with --force"
        )


def _unwritable(path: Path, failure: OSError) -> InitError:
    return InitError(
        f"{path} can't be written ({failure.strerror})", "run it as root (sudo), or name another with --config"
    )
