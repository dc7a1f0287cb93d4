"""Answers to ``alarm-node init``, and a person who gives them."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from node.cli import init
from node.errors import InitError

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
