"""``alarm-node init`` at a terminal: what is asked, offered and refused."""

import re
from pathlib import Path

import pytest

from node.cli import init
from node.errors import InitError
from tests.integration.cli.interview import LOUD, SECURE, SILENT, Person, interviewed, without


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
        without(SECURE, "broker.ca_file", "broker.username", "broker.password_file"), "/ca.pem", "", "/secret"
    )

    assert person.prompts == ["ca_file = ", "username [room-214 or none] = ", "password_file [none] = "]
    assert (answers["broker.username"], answers["broker.password_file"]) == ("room-214", "/secret")


def test_a_login_may_be_left_out() -> None:
    """By the word that the question shows; then its password isn't asked for."""
    answers, person = interviewed(without(SECURE, "broker.username", "broker.password_file"), "none")

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
