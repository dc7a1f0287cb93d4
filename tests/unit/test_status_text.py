"""How the node is, in plain words, and what the journal is told of an event."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import controller
from node.core.contact import Contact, unread
from node.core.effects import LoggedEvent
from node.core.line import ContactState, Line
from node.core.model import EventKind, Incident, Key, Step
from node.core.settings import AlarmClass, InputSettings, Lamp, Settings, Sound, Wiring
from node.core.state import State, WalkTest
from node.core.supervision import FaultId
from node.service.status_text import fields, is_ready, last_words, sentence, status

BOOT = "0badcafe"
NOTIFICATION_MAX = 4096


def node(*, up: Iterable[str] = ("a", "b"), **changes: Any) -> State:
    """A node with two brokers and one button, which has read its button and stored all."""
    button = InputSettings("button", Wiring.NORMALLY_OPEN, AlarmClass.THREAT, Sound.LOUD, Lamp.SHOWN)
    state = controller.start(Settings((button,), ("a", "b")), BOOT, 0.0, 0.0)
    links = tuple(replace(link, up=link.name in up) for link in state.supervision.links)
    supervision = replace(state.supervision, links=links)
    contacts = {"button": Contact((Line(),), ContactState.NORMAL)}
    settled: dict[str, Any] = {"begun": True, "contacts": contacts, "supervision": supervision}
    return replace(state, **(settled | changes))


def incident(name: str = "button", step: Step = Step.TOLD, **changes: Any) -> Incident:
    """An open incident of this input."""
    made: dict[str, Any] = {
        "id": f"{BOOT}-1",
        "input": name,
        "alarm_class": AlarmClass.ASSIST,
        "loud": True,
        "lamp": Lamp.SHOWN,
        "step": step,
        "press": Key(BOOT, 1),
        "presses": 1,
        "since_utc": 0.0,
    }
    return Incident(**(made | changes))


def faults(*told: tuple[str, str]) -> dict[FaultId, float]:
    """These faults as they stand."""
    return {FaultId(*each): 0.0 for each in told}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (node(), "ready, 2 of 2 brokers connected"),
        (node(up="a", faults=faults(("F010", "b"))), "ready, 1 of 2 brokers connected, fault F010 (b)"),
        (
            node(faults=faults(("F030", ""), ("F020", ""))),
            "ready, 2 of 2 brokers connected, fault F020, fault F030",
        ),
        (node(incidents=(incident(),)), "ALARM button: told, 2 of 2 brokers connected"),
        (
            node(incidents=(incident(step=Step.NOBODY),), up="", faults=faults(("F010", "a"))),
            "ALARM button: nobody has it, 0 of 2 brokers connected, fault F010 (a)",
        ),
        (
            node(incidents=(incident(), incident("door", Step.PRESSED, alarm_class=AlarmClass.AMOK))),
            "ALARM door: pressed, ALARM button: told, 2 of 2 brokers connected",
        ),
        (node(incidents=(incident(test=True),)), "TEST button: told, 2 of 2 brokers connected"),
        (node(walk_test=WalkTest(0.0, 60.0, "facilities")), "ready, walk test, 2 of 2 brokers connected"),
        (node(walk_test=WalkTest(0.0, 60.0, "facilities", over=True)), "ready, 2 of 2 brokers connected"),
        (
            node(walk_test=WalkTest(0.0, 60.0, "facilities"), incidents=(incident(),)),
            "ALARM button: told, walk test, 2 of 2 brokers connected",
        ),
        (node(stopping=True), "stopping, 2 of 2 brokers connected"),
        (node(up="", stopping=True), "stopping, 0 of 2 brokers connected"),
    ],
)
def test_a_node_is_told_in_plain_words(state: State, words: str) -> None:
    """An open alarm comes first, the worst before all; then the brokers, and each fault with what it is about."""
    assert status(state, ready=True) == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            node(faults=faults(("F001", "button"), ("F030", ""))),
            "NOT READY: button can't be read (F001), 2 of 2 brokers connected, fault F030",
        ),
        (
            node(faults=faults(("F040", "button"))),
            "NOT READY: button is inhibited (F040), 2 of 2 brokers connected",
        ),
        (
            node(up="a", faults=faults(("F043", "button"), ("F010", "b"))),
            "NOT READY: button has a faulty wire (F043), 1 of 2 brokers connected, fault F010 (b)",
        ),
        (node(faults=faults(("F001", "case"))), "ready, 2 of 2 brokers connected, fault F001 (case)"),
        (
            node(up="", faults=faults(("F026", "a"))),
            "NOT READY: no broker is connected (0 of 2), fault F026 (a)",
        ),
        (
            node(up="", walk_test=WalkTest(0.0, 60.0, "facilities"), faults=faults(("F001", "button"))),
            "NOT READY: button can't be read (F001), no broker is connected (0 of 2), walk test",
        ),
        (
            node(incidents=(incident("door"),), faults=faults(("F001", "button"))),
            "ALARM door: told, 2 of 2 brokers connected, fault F001 (button)",
        ),
    ],
)
def test_a_node_whose_press_may_do_nothing_is_not_ready(state: State, words: str) -> None:
    """People read the first word: an input that may raise no alarm and a node without a broker aren't ready."""
    assert status(state, ready=True) == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (node(stopping=True), "stopped: a press does nothing"),
        (node(incidents=(incident(test=True),)), "stopped: a press does nothing"),
        (node(incidents=(incident(),)), "stopped with an open alarm: a press does nothing"),
    ],
)
def test_the_last_words_say_what_a_press_does(state: State, words: str) -> None:
    """The service manager goes on showing them while the node is off."""
    assert last_words(state) == words


def test_a_node_that_starts_says_so() -> None:
    """Before it is ready it doesn't say that it is."""
    assert status(node(up=""), ready=False) == "starting, 0 of 2 brokers connected"


def test_the_words_stay_short() -> None:
    """However much there is to tell, one notification holds it, and says how much more there is."""
    name = "a" * 63
    alarms = tuple(incident(name, id=f"{BOOT}-{number}") for number in range(48))
    told = faults(*((f"F{number:03}", name * 2) for number in range(100)))

    words = status(node(incidents=alarms, faults=told), ready=True)

    assert len(words.encode()) < NOTIFICATION_MAX // 2
    assert words.count("ALARM ") == 3
    assert "45 more alarms, " in words
    assert words.endswith(", 95 more faults")


UNREAD = {"button": unread(Wiring.NORMALLY_OPEN, 0.0)}


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        (node(), True),
        (node(up="", faults=faults(("F010", "a"), ("F010", "b"))), True),
        (node(begun=False), False),
        (node(contacts=UNREAD), False),
        (node(contacts=UNREAD, faults=faults(("F001", "door"))), False),
        (node(contacts=UNREAD, faults=faults(("F001", "button"))), True),
    ],
)
def test_ready_is_what_knows_its_inputs(state: State, ready: bool) -> None:
    """Every input was read, or its fault is raised; a broker that is away is a fault and not a failed start."""
    assert is_ready(state) is ready


@pytest.mark.parametrize(("code", "ready"), [("F010", False), ("F020", True), ("F059", True)])
def test_ready_is_what_stores_its_events(code: str, ready: bool) -> None:
    """What the record was given is on the disk, or the record's fault is raised."""
    state = node(faults=faults((code, "")))
    state = replace(state, supervision=replace(state.supervision, unstored={Key(BOOT, 1): 0.0}))

    assert is_ready(state) is ready


def test_the_journal_is_told_what_is_known_of_an_event() -> None:
    """Each field that the event has is one to search by; what it hasn't is no empty field."""
    event = LoggedEvent(
        key=Key(BOOT, 7),
        kind=EventKind.PRESSED,
        at=0.0,
        at_utc=0.0,
        synchronised=True,
        input="button",
        alarm_class="threat",
        incident=f"{BOOT}-7",
        presses=1,
        subject="",
        test=True,
    )

    assert fields(event) == {
        "ALARM_KEY": f"{BOOT}-7",
        "ALARM_EVENT": "pressed",
        "ALARM_INPUT": "button",
        "ALARM_CLASS": "threat",
        "ALARM_INCIDENT": f"{BOOT}-7",
        "ALARM_PRESSES": "1",
        "ALARM_TEST": "1",
    }


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("pressed", f"pressed button {BOOT}-7"),
        ("restored", f"restored button {BOOT}-7: it was let go"),
        ("adopted", f"adopted button {BOOT}-7: the broker knew this alarm, the record didn't"),
    ],
)
def test_a_line_of_the_journal_says_what_happened(kind: str, line: str) -> None:
    """Its words are the event's, and what that means where they alone don't say it."""
    assert (
        sentence(LoggedEvent(Key(BOOT, 7), EventKind(kind), 0.0, 0.0, True, input="button", incident=f"{BOOT}-7"))
        == line
    )


def test_a_fault_says_how_many_if_it_knows() -> None:
    """In the journal, together with what it is about."""
    event = LoggedEvent(
        Key(BOOT, 7), EventKind.FAULT_RAISED, 0.0, 0.0, True, fault="F002", subject="desk", reason="7 edges were lost"
    )

    assert sentence(event).startswith("F002 (desk: 7 edges were lost) the processor misses changes of an input: ")


def test_a_fault_is_found_by_its_code() -> None:
    """What facilities look up is a field."""
    event = LoggedEvent(Key(BOOT, 7), EventKind.FAULT_RAISED, 0.0, 0.0, True, fault="F010", subject="broker-b:8883")

    told = fields(event)

    assert (told["ALARM_FAULT"], told["ALARM_SUBJECT"]) == ("F010", "broker-b:8883")
    assert "ALARM_TEST" not in told
