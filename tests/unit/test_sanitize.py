"""Words that others wrote: what steers a display is replaced, everything else stays as it was written."""

import json
import logging
import sys
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.event_log import line_of
from node.io.systemd import Notifier, journal_fields, logging_to
from node.io.terminal.check_result import CheckResult
from node.sanitize import as_json, plain, same
from tests.support.foreign import ODD, foreign, steering, written


@given(foreign | st.text())
def test_nothing_that_steers_is_left_and_nothing_else_is_lost(text: str) -> None:
    """On one line."""
    shown = plain(text)

    assert steering(shown) == []
    assert "\n" not in shown
    assert written(shown) == written(text)
    assert len(shown) == len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2. OG [links], Tür 3", "2. OG [links], Tür 3"),
        ("zwei\nZeilen\tund mehr", "zwei Zeilen und mehr"),
        ("\x1b[31mrot", "\ufffd[31mrot"),
        ("Raum \u202e412", "Raum \ufffd412"),
        ("Tu\u0308r", "Tu\u0308r"),
        ("\U0001f469\u200d\U0001f692", "\U0001f469\u200d\U0001f692"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_what_is_shown_instead(text: str, shown: str) -> None:
    """A line break is a space, anything else that steers the mark for what can't be shown."""
    assert plain(text) == shown


def test_two_ways_to_write_one_letter_are_the_same() -> None:
    """Keyboards and phones write the one, some file systems and copied texts the other."""
    assert same("Büro", "Bu\u0308ro")
    assert not same("Büro", "Buro")


@given(st.text(alphabet=st.characters(), max_size=20))
def test_json_keeps_what_it_does_not_show(text: str) -> None:
    """A tool reads exactly what was written, half characters too; a terminal that it is printed on isn't steered."""
    document = as_json({"text": text})

    assert json.loads(document) == {"text": text}
    assert steering(document) == []


@given(foreign)
def test_a_line_of_the_record_is_one_line(text: str) -> None:
    """As alarm-node log prints it."""
    told = {"at_utc": "-", "boot": "0badcafe", "seq": 1, "kind": "reset", "reason": text, "by": text}

    line = plain(line_of({**told, "held_by": text, "accepted_at_utc": None, "steps_ms": {}}, following=False))

    assert steering(line) == []
    assert "\n" not in line
    assert written(line).count(written(text)) >= 3 or not written(text)


@given(foreign)
def test_a_line_of_the_doctor_is_one_line(text: str) -> None:
    """Whatever a path or a subject is called."""
    line = str(CheckResult(False, text, text))

    assert steering(line) == []
    assert written(text) in written(line)


@pytest.mark.parametrize("text", ODD)
def test_a_line_of_the_log_is_one_line_and_so_are_those_of_a_traceback(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Nobody writes a line of their own into it, or hides one."""
    log = StringIO()
    monkeypatch.setattr(sys, "stderr", log)

    with logging_to(logging.INFO, {}):
        logging.getLogger("node").error("about %s", text, exc_info=ValueError(text))

    assert steering(log.getvalue()) == []
    first = log.getvalue().splitlines()[0]
    assert first.endswith(f"about {plain(text)}")


@pytest.mark.parametrize("text", ODD)
def test_the_journal_and_the_manager_are_told_the_same(text: str) -> None:
    """Else journalctl shows "blob data" where a reason should stand."""
    told: list[str] = []
    notifier = Notifier(told.append)

    notifier.status(f"ALARM {text}.")
    notifier.close()
    fields = journal_fields({"ALARM_REASON": text})

    assert steering(told[0] + str(fields["ALARM_REASON"])) == []
    assert written(text) in written(told[0])
