"""One target on real receivers: what arrives, what a failure says, and that no try hangs for long."""

import logging
import threading
import time
from collections.abc import Iterator
from io import StringIO
from threading import Timer

import pytest

from node.monitor.notify.sender import HUNG_MAX, Sender, problem_of, struck_out
from node.monitor.notify.texts.message import Message, Mood
from tests.support.broker import free_port
from tests.support.receivers import HttpReceiver, MailServer, text_of

MESSAGE = Message("ALARM, Bedrohung: 2. OG", "Wo: <b>Zimmer</b> & 214\nWas: Bedrohung", Mood.ALARM)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A started HTTP receiver."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A started mail server."""
    with MailServer() as started:
        yield started


@pytest.fixture
def log() -> Iterator[StringIO]:
    """All that reaches the log (pytest's own capture listens behind the loggers that are shut)."""
    text = StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_post_brings_title_and_text_as_they_are(receiver: HttpReceiver) -> None:
    """Nothing in the text is taken for markup."""
    outcome = Sender("desk", receiver.url).send(MESSAGE)

    assert outcome.told
    [posted] = receiver.taken.items
    assert (posted.title, posted.body, posted.type) == (MESSAGE.title, MESSAGE.body, "failure")


def test_a_mail_brings_title_and_text_as_they_are(mail_server: MailServer) -> None:
    """With umlauts, with its lines, to whom the URL names."""
    message = MESSAGE._replace(title="PROBE, keine Gefahr: Geschäftsstelle", body="Was: <b>Übung</b> & mehr\nZeile")

    outcome = Sender("guards", mail_server.url).send(message)

    assert outcome.told
    [mail] = mail_server.mails.items
    assert (mail["subject"], mail["to"]) == (message.title, "guards@example.org")
    assert text_of(mail).split() == message.body.split()


def test_one_alarm_is_not_held_back_behind_another(mail_server: MailServer) -> None:
    """Apprise by itself waits 5.5 s between two mails."""
    sender = Sender("guards", mail_server.url)
    begun = time.monotonic()

    assert [sender.send(MESSAGE).told for _ in range(3)] == [True] * 3

    assert time.monotonic() - begun < 5.0


def test_what_a_server_refuses_is_a_failure_with_its_reason(mail_server: MailServer) -> None:
    """Of a mail server, too."""
    mail_server.refusing = True

    outcome = Sender("guards", mail_server.url).send(MESSAGE)

    assert not outcome.told
    assert "451" in outcome.reason


def test_a_failure_says_why_and_nothing_of_the_url(receiver: HttpReceiver, log: StringIO) -> None:
    """Neither its reason nor the log, though everything is logged."""
    receiver.behaviour = "fail"

    outcome = Sender("desk", receiver.url).send(MESSAGE)

    assert not outcome.told
    assert not outcome.uncertain
    assert "error=503" in outcome.reason
    said = outcome.reason + log.getvalue()
    assert not [secret for secret in ("desk:", "verysecret", "tokentoken", "127.0.0.1") if secret in said]


def test_nobody_listens_says_so() -> None:
    """With the cause, not only that there was an error."""
    outcome = Sender("desk", f"json://user:verysecret@127.0.0.1:{free_port()}/tokentoken").send(MESSAGE)

    assert not outcome.told
    assert "Connection refused" in outcome.reason
    assert not outcome.uncertain
    assert not [secret for secret in ("verysecret", "tokentoken", "127.0.0.1") if secret in outcome.reason]


def test_a_server_that_hangs_ends_by_apprises_own_timeout(receiver: HttpReceiver) -> None:
    """Which the URL can set; whether it took the message isn't known."""
    receiver.behaviour = "hang"
    begun = time.monotonic()

    outcome = Sender("desk", receiver.url + "?rto=0.5").send(MESSAGE)

    assert (outcome.told, outcome.uncertain) == (False, True)
    assert "timed out" in outcome.reason
    assert time.monotonic() - begun < 4.0


def test_a_server_may_think_for_longer_than_apprise_would_wait(receiver: HttpReceiver) -> None:
    """A gateway that answers after 5 s has told it, and isn't asked again."""
    receiver.behaviour = "slow"
    timer = Timer(5.0, receiver.answering.set)
    timer.start()

    outcome = Sender("desk", receiver.url).send(MESSAGE)

    timer.join()
    assert outcome.told


def test_a_server_that_breaks_off_may_have_taken_it(receiver: HttpReceiver) -> None:
    """It heard the whole message and gave no answer."""
    receiver.behaviour = "hang"
    receiver.closing.set()

    outcome = Sender("desk", receiver.url).send(MESSAGE)

    assert (outcome.told, outcome.uncertain) == (False, True)


def test_a_server_that_drips_is_left_alone_at_the_deadline(receiver: HttpReceiver) -> None:
    """No timeout of Apprise's ends that; perhaps it was told all the same."""
    receiver.behaviour = "drip"
    begun = time.monotonic()

    outcome = Sender("desk", receiver.url, send_s=1.0).send(MESSAGE)

    assert (outcome.told, outcome.uncertain) == (False, True)
    assert outcome.reason == "no answer within 1 s"
    assert 1.0 <= time.monotonic() - begun < 3.0


def test_something_else_is_done_while_a_try_hangs(receiver: HttpReceiver) -> None:
    """Again and again, up to the deadline and not for longer."""
    receiver.behaviour = "drip"
    calls: list[float] = []

    outcome = Sender("desk", receiver.url, send_s=0.5).send(MESSAGE, lambda: calls.append(time.monotonic()), 0.05)

    assert outcome.reason == "no answer within 0.5 s"
    assert len(calls) >= 2


def test_an_answer_that_comes_while_something_else_is_done_counts(receiver: HttpReceiver) -> None:
    """Even where that has taken longer than the deadline."""
    receiver.behaviour = "slow"
    begun = time.monotonic()

    def outlast() -> None:
        receiver.answering.set()
        for thread in threading.enumerate():
            if thread.name == "tell-desk":
                thread.join()
        time.sleep(max(0.0, begun + 1.0 - time.monotonic()))

    outcome = Sender("desk", receiver.url, send_s=0.5).send(MESSAGE, outlast, 0.1)

    assert outcome.told


def test_tries_that_hang_are_bounded_and_it_works_again_once_they_end(receiver: HttpReceiver) -> None:
    """Not a thread more for each retry of a day."""
    receiver.behaviour = "drip"
    sender = Sender("desk", receiver.url, send_s=0.3)
    for _ in range(HUNG_MAX):
        sender.send(MESSAGE)

    outcome = sender.send(MESSAGE)

    assert outcome.reason == "3 earlier tries still hang"
    assert len(receiver.asked.items) == HUNG_MAX
    receiver.behaviour = "take"
    receiver.closing.set()
    for thread in list(sender.hanging):
        thread.join(30.0)
    assert sender.send(MESSAGE).told


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("json://127.0.0.1/hook", True),
        ("mailtos://monitor:secret@example.org?to=guards@example.org", True),
        ("nonsense://127.0.0.1", False),
        ("tgram://too-short", False),
        ("", False),
    ],
)
def test_a_url_is_judged_without_sending(url: str, usable: bool, log: StringIO) -> None:
    """And without a word in the log."""
    assert (problem_of(url) is None) is usable
    assert log.getvalue() == ""


def test_an_unusable_url_is_a_failure_and_ends_nothing() -> None:
    """The monitor runs all the same, for the other targets."""
    outcome = Sender("desk", "nonsense://secret").send(MESSAGE)

    assert not outcome.told
    assert "secret" not in outcome.reason


@pytest.mark.parametrize(
    "text",
    [
        "no way to HOOKS.example.org",
        "user jane.doe@example.org was refused",
        "url: /T0K3N-part/other%2Ftoken failed",
        "token other/token is wrong",
    ],
)
def test_whatever_the_url_holds_is_struck_out(text: str) -> None:
    """As it stands there, decoded, and in capitals."""
    made = struck_out(
        text, "json://jane.doe:pa%20ss@hooks.example.org/T0K3N-part/other%2Ftoken?to=jane.doe@example.org"
    )

    assert "…" in made
    assert not [each for each in ("hooks", "jane", "T0K3N", "other") if each.lower() in made.lower()]
