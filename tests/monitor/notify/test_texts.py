"""What people read: short titles, what to do, tests as tests, many as one; in German and English."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract_from_file
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import node.monitor
from node.core.settings import AlarmClass
from node.errors.faults import FAULTS
from node.errors.severity import Severity
from node.monitor.api.operations.answers import NOTES, REFUSALS, UNHEARD_OF, UNSAID, UNSTORED
from node.monitor.cli.api_client.monitor_client import ApiError
from node.monitor.cli.api_client.name_lookup import SeveralError
from node.monitor.core.decisions.deliveries import Delivery
from node.monitor.core.model.catalogue import FINDINGS, kind_of
from node.monitor.core.model.monitor_settings import Language, Place
from node.monitor.core.model.next_steps import next_step
from node.monitor.core.model.records import FindingKey, NodeKey, Notice, NoticeKind
from node.monitor.locale.translation import TITLE_LENGTH, Words, catalog
from node.monitor.notify.texts.message import Message, Mood
from node.monitor.notify.texts.vocabulary import counted
from node.monitor.notify.texts.wording import message, worded
from node.sanitize import plain
from tests.support.notices import AT, alarm, finding

PLACES = {NodeKey("mitte", "room-214"): Place(NodeKey("mitte", "room-214"), "2", "2. OG, Zimmer 214")}
BERLIN = ZoneInfo("Europe/Berlin")
CODES = (*FINDINGS, *FAULTS, "F999")


ENGLISH = Words("en", UTC, {})


def told(*notices: Notice, language: Language = "de", uncertain: bool = False) -> Message:
    """The message of these."""
    deliveries = [Delivery(id=number, notice=each, uncertain=uncertain) for number, each in enumerate(notices)]
    return message(deliveries, Words(language, BERLIN, PLACES))


def test_an_alarm_says_class_place_time_and_what_to_do_in_german() -> None:
    """Literal text: whoever changes a word of it has to mean it."""
    assert told(alarm(presses=2)) == Message(
        "ALARM, Bedrohung: 2. OG, Zimmer 214",
        "Wo: 2. OG, Zimmer 214 (Etage 2, mitte/room-214)\n"
        "Was: Bedrohung, ausgelöst an button, 25.11.2026, 14:03:12\n"
        "2 mal gedrückt\n"
        "Wachdienst: nach Dienstanweisung hingehen. Alle anderen: fernbleiben.\n"
        "Wenn Sie hingehen, quittieren Sie: alarm-monitor acknowledge mitte/room-214/0a1b2c3d-7",
        Mood.ALARM,
    )


def test_an_alarm_says_class_place_time_and_what_to_do_in_english() -> None:
    """Literal text, with the time as the British write it."""
    assert told(alarm(), language="en") == Message(
        "ALARM, threat: 2. OG, Zimmer 214",
        "Where: 2. OG, Zimmer 214 (floor 2, mitte/room-214)\n"
        "What: threat, raised by button, 25 Nov 2026, 14:03:12\n"
        "Guards: go there as your instructions say. Everybody else: stay away.\n"
        "If you go there, acknowledge: alarm-monitor acknowledge mitte/room-214/0a1b2c3d-7",
        Mood.ALARM,
    )


def test_the_next_group_reads_first_that_nobody_comes_yet() -> None:
    """A higher level is told why it is asked."""
    later = told(alarm(level=1))

    assert later.title.startswith("NOCH KOMMT NIEMAND! ALARM, Bedrohung: 2. OG")
    assert "noch niemand quittiert" in later.body


@pytest.mark.parametrize("kind", [NoticeKind.ALARM, NoticeKind.ACKNOWLEDGED, NoticeKind.RESET])
def test_a_test_is_named_a_test_before_anything_else(kind: NoticeKind) -> None:
    """In the title and in the first line, and it doesn't look like an alarm."""
    made = told(alarm(kind=kind, test=True))

    assert made.title.startswith("PROBE, keine Gefahr: ")
    assert made.body.startswith("Dies ist eine Probe. Niemand ist in Gefahr.\n")
    assert made.mood is Mood.GOOD


@pytest.mark.parametrize("alarm_class", list(AlarmClass))
def test_every_class_says_what_to_do(alarm_class: AlarmClass) -> None:
    """Colleagues, guards, everybody: each has its own instruction."""
    others = {told(alarm(alarm_class=each)).body for each in AlarmClass if each is not alarm_class}

    made = told(alarm(alarm_class=alarm_class))

    assert len(made.body.splitlines()) == 4
    assert made.body not in others


def test_who_comes_and_how_it_ended_are_told() -> None:
    """By a desk's name, with the reason in words."""
    coming = told(alarm(kind=NoticeKind.ACKNOWLEDGED, by="guard-desk"))
    over = told(alarm(kind=NoticeKind.RESET, by="guard-desk", reason="mistaken"))

    assert coming.title == "Es kommt jemand: 2. OG, Zimmer 214"
    assert "quittiert von guard-desk, 25.11.2026, 14:03:12" in coming.body
    assert over.title == "Alarm beendet, versehentlich gedrückt: 2. OG, Zimmer 214"
    assert "beendet von guard-desk" in over.body


def test_what_waits_of_one_node_is_one_message_with_its_worst_open_call_on_top() -> None:
    """Each of the rest is a line: what it was, when, and by which id it is acknowledged."""
    calls = [alarm(incident="0a1b2c3d-1"), alarm(incident="0a1b2c3d-2", alarm_class=AlarmClass.AMOK)]
    made = told(
        *calls,
        alarm(incident="0a1b2c3d-2", alarm_class=AlarmClass.AMOK, kind=NoticeKind.RESET, reason="mistaken"),
        alarm(incident="0a1b2c3d-3", alarm_class=AlarmClass.ASSIST),
    )

    assert made.title == "ALARM, Bedrohung: 2. OG, Zimmer 214"
    assert made.body.endswith(
        "Wenn Sie hingehen, quittieren Sie: alarm-monitor acknowledge mitte/room-214/0a1b2c3d-1\n"
        "Von dort außerdem:\n"
        "- ALARM, Amok: 2. OG, Zimmer 214, 25.11.2026, 14:03:12 (0a1b2c3d-2)\n"
        "- Alarm beendet, versehentlich gedrückt: 2. OG, Zimmer 214, 25.11.2026, 14:03:12\n"
        "- ALARM, Kollegin oder Kollege braucht Hilfe: 2. OG, Zimmer 2…, 25.11.2026, 14:03:12 (0a1b2c3d-3)"
    )
    assert made.mood is Mood.ALARM


def test_a_call_that_waits_with_its_further_presses_is_said_once() -> None:
    """The newest says how often somebody has called."""
    made = told(alarm(), alarm(presses=2), alarm(presses=3))

    assert "Von dort" not in made.body
    assert "3 mal gedrückt" in made.body


def test_calls_of_one_node_that_are_all_over_say_so_first() -> None:
    """That there were any stands below."""
    made = told(alarm(), alarm(kind=NoticeKind.RESET, reason="mistaken"))

    assert made.title == "Alarm beendet, versehentlich gedrückt: 2. OG, Zimmer 214"
    assert "- ALARM, Bedrohung: 2. OG, Zimmer 214" in made.body


def test_hundreds_of_messages_of_one_node_are_one_short_message() -> None:
    """The newest of the worst calls stands in the title, 20 are named, the rest is counted."""
    made = told(*(alarm(incident=f"0a1b2c3d-{number}") for number in range(600)))

    assert "acknowledge mitte/room-214/0a1b2c3d-599" in made.body
    assert made.body.endswith("- und 579 weitere: mitte 579")
    assert len(made.body) < 2500


def test_a_finding_says_what_it_means_and_what_to_do_next() -> None:
    """Literal text; the place stands first, what is wrong right after it."""
    assert told(finding(detail="silent")) == Message(
        "2. OG, Zimmer 214: ein Gerät ist ausgefallen",
        "Wo: 2. OG, Zimmer 214 (Etage 2, mitte/room-214)\n"
        "M001: ein Gerät ist ausgefallen: von einem Druck dort erfährt hier niemand\n"
        "Näheres: es kommt kein Lebenszeichen\n"
        "Seit: 25.11.2026, 14:03:12\n"
        "Zu tun: den Personen dort Bescheid geben und ihnen ein Telefon geben; dann Strom, Kabel und Lampe prüfen",
        Mood.ALARM,
    )


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (FindingKey("M006", "mitte", "room-214", "desk"), "walk-test start --site mitte,"),
        (FindingKey("M009", "mitte", "room-214", "0badcafe-7"), "reset mitte/room-214/0badcafe-7 --reason …"),
        (FindingKey("M016", "mitte", "room-214", "0badcafe-7"), "reset mitte/room-214/0badcafe-7 --reason …"),
        (FindingKey("M019", "mitte", "room-214", "pause"), "resume mitte/room-214"),
        (FindingKey("M019", "mitte", "", "w-0badcafe"), "walk-test end w-0badcafe"),
        (FindingKey("M022", "", "", "guard-desk/sms"), "restore-target sms;"),
    ],
)
def test_a_next_step_names_what_its_command_needs(key: FindingKey, command: str) -> None:
    """It can be typed as it stands, in either language; only of what is told together the names stand apart."""
    notice = replace(finding("room-214"), finding=key)
    other = replace(notice, key="other", finding=key._replace(site="nord", subject="guard/mail"))
    english, german = (told(notice, language=language).body for language in ("en", "de"))

    assert [f"alarm-monitor {command}" in body for body in (english, german)] == [True, True]
    assert next_step(key) not in german
    assert f"alarm-monitor {command}" not in told(notice, other, language="en").body


def test_calls_that_nobody_takes_are_told_by_site_and_class() -> None:
    """In the title, too: of them somebody has to think now. Several at once are told apart."""
    key = FindingKey("M018", "", "", "guard-desk/mitte/threat")
    one = replace(finding("", "M018", site=""), finding=key, detail="isolated: sms")
    other = replace(one, key="other", finding=key._replace(subject="guard-desk/nord"), detail="")

    alone, many = told(one), told(one, other)

    assert alone.title == "mitte: Bedrohung (threat): kein Empfänger für diese Alarme"
    assert alone.body.splitlines()[0] == "Wo: mitte: Bedrohung (threat)"
    assert "Näheres: abgeschaltet: sms" in alone.body.splitlines()
    assert "alarm-monitor restore-target sms" in alone.body
    assert "guard-desk" not in alone.body
    assert "- mitte: Bedrohung (threat), " in many.body
    assert "- nord: alle Alarme, " in many.body
    assert "alarm-monitor restore-target NAME" in many.body


@pytest.mark.parametrize("name", ["button", "test", "yes", "no", "Date"])
def test_a_name_is_not_translated(name: str) -> None:
    """Also one that is a word of this program: it is looked for as it is written at the wall."""
    assert f"Näheres: {name}" in told(finding(code="F040", subject=name)).body.splitlines()


@pytest.mark.parametrize(
    ("code", "one", "many"),
    [
        ("M003", "1 Ereignis", "4 Ereignisse"),
        ("M006", "1 Tag", "4 Tage"),
        ("M007", "1 Alarm", "4 Alarme"),
        ("M019", "1 Gerät", "4 Geräte"),
        ("M023", "1 Störung", "4 Störungen"),
        ("M999", "1", "4"),
    ],
)
def test_a_number_says_what_it_counts(code: str, one: str, many: str) -> None:
    """Days, nodes, calls; of a kind that this monitor doesn't know the number alone is known."""
    words = Words("de", UTC, {})

    assert [counted(code, count, words) for count in (1, 4, None)] == [one, many, ""]


def test_a_finding_of_the_monitor_itself_has_a_place_too() -> None:
    """It is about no node."""
    made = told(finding("", "M008", site="", subject="broker-a"))

    assert made.title == "der Monitor: ein Broker ist von hier nicht erreichbar"
    assert "Näheres: broker-a" in made.body


def test_a_finding_that_is_over_says_so() -> None:
    """And asks for nothing."""
    made = told(finding(over=True))

    assert made.title == "Vorbei: 2. OG, Zimmer 214: ein Gerät ist ausgefallen"
    assert "Zu tun" not in made.body
    assert made.mood is Mood.GOOD


def test_ten_thousand_nodes_are_one_short_message() -> None:
    """The first 20 are named, the rest is counted by site."""
    nodes = [finding(f"room-{number:05}", site="nord" if number < 4000 else "sued") for number in range(10_000)]

    made = told(*nodes)

    assert made.title == "sued 6.000, nord 4.000: 10.000 x ein Gerät ist ausgefallen"
    assert made.body.count("nord/room-") == 20
    assert made.body.endswith("- und 9.980 weitere: sued 6.000, nord 3.980")
    assert len(made.body) < 2000


@pytest.mark.parametrize(
    ("rooms", "codes", "german", "english"),
    [
        (
            ("room-214", "x"),
            ("M001",),
            "2. OG, Zimmer 214; mitte/x: 2 x ein Gerät",
            "2. OG, Zimmer 214; mitte/x: 2 x a node",
        ),
        (
            ("room-214",),
            ("M001", "M006"),
            "2. OG, Zimmer 214: 1 x ein Gerät",
            "2. OG, Zimmer 214: 1 x a node is down, and 1 mo",
        ),
        (("a" * 20, "b" * 20), ("M001",), f"mitte/{'a' * 20} +1: 2 x ein Gerät", f"mitte/{'a' * 20} +1: 2 x a node"),
        (("a" * 60, "b" * 60), ("M001",), f"mitte/{'a' * 22}… +1: 2 x ein Gerät", f"mitte/{'a' * 22}… +1: 2 x a node"),
        (("a", "b", "c", "d"), ("M001",), "mitte 4: 4 x ein Gerät", "mitte 4: 4 x a node is down"),
    ],
)
def test_the_title_of_several_findings_begins_with_their_places(
    rooms: Sequence[str], codes: Sequence[str], german: str, english: str
) -> None:
    """In either language, and with room for what is wrong: few by name, more counted by site."""
    notices = [finding(room, code) for code in codes for room in rooms]

    titles = [told(*notices, language=language).title for language in ("de", "en")]

    assert [title.startswith(each) for title, each in zip(titles, (german, english), strict=True)] == [True, True], (
        titles
    )


def test_findings_of_many_kinds_stand_with_the_worst_first() -> None:
    """What is over comes last; each kind says its next step once."""
    made = told(
        finding("b", over=True), finding("a", "M006"), finding("a", "M006", subject="x"), finding("c"), language="en"
    )

    assert made.title == "mitte/c; mitte/a; mitte/b: 1 x a node is down, and 3 more"
    kinds = [line for line in made.body.splitlines() if " x " in line]
    assert kinds == [
        "1 x a node is down (M001)",
        "2 x a button's test is overdue (M006)",
        "over: 1 x a node is down (M001)",
    ]
    assert made.body.count("Next: ") == 2


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Pacific/Auckland"])
@pytest.mark.parametrize("year", [1, 9999])
def test_every_date_can_be_said_in_every_zone(zone: str, year: int) -> None:
    """A date that a zone doesn't have is said as it came: it must not keep an alarm from being told."""
    when = datetime(year, 1, 1, tzinfo=UTC) if year == 1 else datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    late = replace(alarm(), at_utc=when)

    assert message([Delivery(id=1, notice=late)], Words("en", ZoneInfo(zone), {})).title.startswith("ALARM")


def unspeakable(notice: Notice) -> Notice:
    """One that no test thought of."""
    return replace(notice, key=f"unspeakable:{notice.key}", at_utc=None)


def test_a_call_that_cannot_be_put_into_words_is_told_in_few_and_the_rest_below(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever is wrong with it, somebody calls for help there."""
    notices = [unspeakable(alarm()), alarm(kind=NoticeKind.RESET, incident="0a1b2c3d-3")]
    made, unsaid = worded([Delivery(id=each, notice=notice) for each, notice in enumerate(notices)], ENGLISH)

    assert made is not None
    assert made.title == "ALARM, of an unknown kind: mitte/room-214"
    assert "alarm-monitor acknowledge mitte/room-214/0a1b2c3d-7" in made.body
    assert "Alarm is over" in made.body
    assert made.mood is Mood.ALARM
    assert not unsaid
    assert "unspeakable" in caplog.text


def test_another_notice_that_cannot_be_put_into_words_is_set_aside() -> None:
    """It doesn't hold back what can be; and alone it is no message."""
    bad = Delivery(id=1, notice=unspeakable(alarm(kind=NoticeKind.RESET)))
    good = Delivery(id=2, notice=alarm())

    made, unsaid = worded([bad, good], ENGLISH)

    assert made == message([good], ENGLISH)
    assert unsaid == [bad]
    assert worded([bad], ENGLISH) == (None, [bad])


def test_what_was_perhaps_told_before_says_so() -> None:
    """Its monitor died while it told it."""
    assert told(alarm(), uncertain=True).body.endswith("Vielleicht haben Sie diese Nachricht schon bekommen.")


def test_what_comes_over_the_network_stays_on_its_line() -> None:
    """A detail with line breaks makes no lines of its own, and no header of a mail."""
    made = told(finding(code="F010", subject="x\r\nBcc: all@example.org\x1b[2J", detail="y" * 5000))

    assert "\r" not in made.body
    assert "\x1b" not in made.body
    assert max(map(len, made.body.splitlines())) < 300


TEXT = st.text(max_size=80)


@given(
    st.lists(
        st.builds(
            Notice,
            key=TEXT,
            kind=st.sampled_from(NoticeKind),
            site=TEXT,
            node=TEXT,
            at_utc=st.datetimes(timezones=st.just(timezone(timedelta(0)))).filter(lambda at: 1 < at.year < 9999),
            level=st.integers(0, 5),
            input=TEXT,
            alarm_class=st.sampled_from([None, *AlarmClass]),
            incident=TEXT,
            presses=st.integers(0, 10**9),
            by=TEXT,
            reason=TEXT,
            test=st.booleans(),
            finding=st.none() | st.builds(FindingKey, TEXT, TEXT, TEXT, TEXT),
            severity=st.none() | st.sampled_from(Severity),
            count=st.none() | st.integers(0, 10**9),
            detail=TEXT,
        ),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(("de", "en")),
)
def test_every_notice_has_a_message(notices: list[Notice], language: Language) -> None:
    """Whatever nodes say: braces in it are no placeholders, and the title is one short line."""
    made = told(*notices, language=language)

    assert 0 < len(made.title) <= TITLE_LENGTH
    assert plain(made.title) == made.title
    assert made.body
    assert [line for line in made.body.split("\n") if plain(line) != line] == []


SAYING = ("cli/api_client", "cli/export", "cli/output", "cli/state_words.py", "locale", "notify")
"""What says something to people."""


def texts_of_the_code() -> set[str]:
    """Every text that people may read."""
    folder = Path(node.monitor.__path__[0])
    keywords = {"say": None, "title": None, "mark": None}
    said = {
        str(text)
        for room in SAYING
        for path in ((folder / room).rglob("*.py") if (folder / room).is_dir() else (folder / room,))
        for _, text, _, _ in extract_from_file("python", path, keywords=keywords)
    }
    kinds = [kind_of(code) for code in CODES]
    errors = texts_of_errors(folder)
    answers = (*REFUSALS.values(), UNHEARD_OF, UNSAID)
    refusals = {text for texts in answers for text in texts} | {UNSTORED, *NOTES.values()}
    return (
        said
        | {kind.text for kind in kinds}
        | {kind.link_problem for kind in kinds if kind.link_problem}
        | {text for kind in FINDINGS.values() for text in kind.counted or ()}
        | {kind.next_step for kind in kinds if "{" not in kind.next_step}
        | errors
        | refusals
    )


ASKING = {ApiError.__name__, *(each.__name__ for each in ApiError.__subclasses__())} - {SeveralError.__name__}
"""The errors of commands that ask a monitor."""


def texts_of_errors(folder: Path) -> set[str]:
    """What a command ends with that the monitor refuses, or that can't ask it: text and next step."""
    places = (
        ("cli/commands/*.py", dict.fromkeys(ASKING, (1, 2))),
        ("monitor_client.py", dict.fromkeys(ASKING, (1, 2))),
        ("which_monitor.py", dict.fromkeys(ASKING, (1, 2))),
        ("name_lookup.py", {**dict.fromkeys(ASKING, (1, 2)), "SeveralError": (1,)}),
        ("http_client.py", dict.fromkeys(("AskError", "StrangerError", "UntrustedError"), (1,))),
        ("answers.py", {"ProblemError": (2, 3)}),
    )
    return {
        str(text)
        for name, calls in places
        for call, indexes in calls.items()
        for index in indexes
        for path in folder.rglob(name)
        for _, text, _, _ in extract_from_file("python", path, keywords={call: (index,)})
    }


def placeholders(text: str) -> set[str | None]:
    """What stands in braces."""
    return {name for _, name, _, _ in Formatter().parse(text)} - {None}


def test_every_text_is_translated_with_the_same_placeholders() -> None:
    """And the catalog holds nothing that nobody says."""
    german = catalog("de")
    assert german is not None

    translations = {str(each.id): str(each.string) for each in german if each.id and not each.context}

    assert set(translations) == texts_of_the_code()
    assert all(translations.values())
    assert {text for text, made in translations.items() if placeholders(text) != placeholders(made)} == set()


def test_a_text_that_says_its_meaning_after_a_colon_does_so_in_german() -> None:
    """The title of a finding is what stands before it."""
    words = Words("de", BERLIN, {})
    kinds = [kind_of(code) for code in CODES]

    assert [each.code for each in kinds if (":" in each.text) != (":" in words.translate(each.text))] == []


def test_times_are_told_in_the_zone() -> None:
    """In summer too."""
    words = Words("de", BERLIN, {})

    assert words.time(AT) == "25.11.2026, 14:03:12"
    assert words.time(AT.replace(month=7)) == "25.07.2026, 15:03:12"
