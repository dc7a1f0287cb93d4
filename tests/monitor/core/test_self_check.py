"""What the monitor finds about itself: its brokers, its history, its targets, and too much that is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.monitor.core.decisions.batch import Remembered, Stored
from node.monitor.core.decisions.ledger import Moment
from node.monitor.core.findings.self_check import BROKER_GRACE_S, SHORT_S, SHOWN_S, THROWS_S, SelfCheck
from node.monitor.core.model.monitor_settings import Place, Target
from node.monitor.core.model.records import EventKey, FindingKey, NodeKey, Status
from node.monitor.core.model.requests import StartWalkTest
from node.monitor.core.nodes.events.receipts import STORING_S
from node.monitor.core.nodes.roster import STRANGERS_LIMIT
from tests.monitor.core.node_messages import (
    BOOT,
    BROKER,
    LATER_BOOT,
    OTHER_BROKER,
    ROOM,
    SITE,
    alarm,
    birth,
    event,
    heartbeat,
    press,
    reply,
    will,
)
from tests.monitor.core.play import DrivenHub, Play
from tests.monitor.core.settings import TWO_BROKERS


@pytest.mark.parametrize(
    ("what", "arguments", "code", "subject", "detail"),
    [
        (SelfCheck.refused, (BROKER, "alarm/v1/x", 0x87), "M013", BROKER, "alarm/v1/x (0x87)"),
        (SelfCheck.refused, (BROKER, "alarm/v1/x", 0x95), "M037", BROKER, "alarm/v1/x (0x95)"),
        (SelfCheck.refused, (BROKER, "alarm/v1/x", 0x97), "M037", BROKER, "alarm/v1/x (0x97)"),
        (SelfCheck.refused, (BROKER, "alarm/v1/x", 0x9A), "M036", BROKER, "alarm/v1/x (0x9A)"),
        (SelfCheck.stolen, (BROKER,), "M014", BROKER, ""),
        (SelfCheck.flooded, ("messages",), "M012", "messages", ""),
    ],
)
def test_what_is_seen_is_shown_for_a_minute_after_the_last_time(
    what: Callable[..., None], arguments: tuple[Any, ...], code: str, subject: str, detail: str
) -> None:
    """And told once."""
    play = Play()

    for at in (1.0, 31.0):
        play.report(at, what, *arguments)
    finding = next(iter(play.findings.values()))
    play.until(31.0 + SHOWN_S - 0.5)
    before = play.found()
    play.until(31.0 + SHOWN_S + 0.5)

    assert (finding.key, finding.detail) == (FindingKey(code, "", "", f"guard-desk/{subject}"), detail)
    assert (before, play.found()) == ([code], [])
    assert len([each for each in play.all.notices if each.kind == "finding"]) == 1


def test_what_was_too_much_is_counted_and_shown() -> None:
    """Somebody floods."""
    play = Play()

    play.dropped(1.0, 7)

    assert (play.view().counters.malformed, play.view().counters.dropped, play.found()) == (0, 7, ["M012"])


def test_what_means_nothing_is_counted_alone() -> None:
    """One wrong message is nobody's business."""
    play = Play()

    play.dropped(1.0, 3, malformed=True)

    assert (play.view().counters.malformed, play.view().counters.dropped, play.found()) == (3, 0, [])


def test_strangers_beyond_their_limit_are_counted_and_shown() -> None:
    """Those that the roster knows are heard all the same."""
    play = Play(roster=(Place(ROOM),))
    for number in range(STRANGERS_LIMIT + 2):
        play.hear(1.0, heartbeat(), NodeKey(SITE, f"n-{number}"))

    play.hear(2.0, press(1))

    assert play.view().counters.dropped == 2
    assert "M012" in play.found()
    assert play.receipts() == [(BOOT, 1)]
    assert play.view(2.0).counters.unknown_nodes == 2


def test_a_history_that_fails_is_found_until_it_works() -> None:
    """The API says so, too."""
    play = Play()

    play.report(1.0, SelfCheck.history_failed, "disk full")
    failing = play.found(), play.view(1.0).history_ok
    play.report(2.0, SelfCheck.history_works)

    assert failing == (["M011"], False)
    assert (play.found(), play.view().history_ok) == ([], True)


def test_a_target_that_fails_is_found_until_it_works() -> None:
    """With what it said."""
    play = Play(targets=(Target("mail", "json://x"),))

    play.report(1.0, SelfCheck.target_failed, "mail", "refused")
    failing = play.view(1.0, {"mail": (3, 4)}).targets[0]
    play.report(2.0, SelfCheck.target_works, "mail")
    works = play.view(2.0).targets[0]

    assert (failing.failing, failing.problem, failing.waiting, failing.told) == (True, "refused", 3, 4)
    assert (works.failing, works.problem, works.waiting, works.told) == (False, "", 0, 0)
    assert play.found() == []


def test_a_broker_is_missed_after_its_grace() -> None:
    """A link that only blinks is nobody's business; how long it is away counts from its loss."""
    play = Play()
    play.link_down(1.0, "reset")
    play.until(4.0)
    play.link_down(4.0, "refused")

    play.until(1.0 + BROKER_GRACE_S - 0.5)
    before = play.found()
    play.until(1.0 + BROKER_GRACE_S + 0.5)
    after = play.found()
    play.link_up(8.0)

    assert (before, after, play.found()) == ([], ["M008"], [])
    assert [each.detail for each in play.all.raised] == ["refused"]


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ("connection refused", "M008"),
        ("F022 refused: not authorised (0x87)", "M008"),
        ("F050 refused: unsupported protocol version (0x84)", "M035"),
        ("F051 refused: QoS not supported (0x9B)", "M036"),
        ("F052 ended by the broker: packet too large (0x95)", "M037"),
        ("F053 refused: quota exceeded (0x97)", "M037"),
    ],
)
def test_what_stands_in_a_brokers_own_way_is_named_as_that(problem: str, code: str) -> None:
    """With its own next step, and in the place of what was found before; nothing stands once it is reached."""
    play = Play()
    play.link_down(1.0, "connection lost")
    play.until(1.0 + BROKER_GRACE_S + 0.5)
    before = play.found()

    play.link_down(8.0, problem)
    play.until(9.0)
    after = play.found()
    play.link_up(10.0)

    assert (before, after, play.found()) == (["M008"], [code], [])


def test_a_refusal_that_is_shown_stands_though_the_broker_is_reached_again() -> None:
    """The next session may not have said it yet."""
    play = Play()
    play.report(1.0, SelfCheck.refused, BROKER, "alarm/v1/x", 0x97)

    play.link_down(2.0, "connection lost")
    play.link_up(3.0)

    assert play.found() == ["M037"]


def fall(play: Play, at: float, lasted_s: float, reason: str = "receive maximum exceeded (0x93)") -> None:
    """A session begins at this instant and ends so much later."""
    play.until(at)
    play.link_up(at)
    play.until(at + lasted_s)
    play.link_down(at + lasted_s, reason)


def test_a_broker_that_throws_the_monitor_off_again_and_again_is_found() -> None:
    """However soon it lets it in again: with why, and until a session has lasted."""
    play = Play()
    for at in (10.0, 15.0, 20.0):
        fall(play, at, 2.0)
    thrown = play.found()

    play.link_up(23.0)
    play.until(23.0 + SHORT_S - 1.0)
    before = play.found()
    play.until(23.0 + SHORT_S + 1.0)

    assert (thrown, before, play.found()) == (["M034"], ["M034"], [])
    assert [each.detail for each in play.all.raised] == ["receive maximum exceeded (0x93)"]


@pytest.mark.parametrize(
    "falls",
    [
        [(10.0, 2.0), (15.0, 2.0)],
        [(10.0, SHORT_S), (80.0, SHORT_S), (150.0, SHORT_S)],
        [(0.0, 2.0), (150.0, 2.0), (THROWS_S + 1.0, 2.0)],
    ],
    ids=["twice", "lasting", "seldom"],
)
def test_a_broker_that_is_lost_now_and_then_throws_nobody_off(falls: list[tuple[float, float]]) -> None:
    """It is restarted, or the network is."""
    play = Play()

    for at, lasted_s in falls:
        fall(play, at, lasted_s)

    assert "M034" not in play.found()


def test_a_throw_of_before_a_restart_stands_until_a_session_has_lasted() -> None:
    """It may go on, and nobody is told of it anew."""
    before = Play()
    for at in (10.0, 15.0, 20.0):
        fall(before, at, 2.0)
    play = Play(Remembered(findings=tuple(before.findings.values())))
    found = play.found()

    play.link_up(1.0)
    play.until(1.0 + SHORT_S + 1.0)

    assert (found, play.found()) == (["M034"], [])


@pytest.mark.parametrize(
    "message",
    [heartbeat(), press(1), reply("x"), will()],
    ids=["heartbeat", "event", "reply", "will"],
)
def test_what_a_broker_kept_is_no_sign_of_life(message: Any) -> None:
    """And gives no receipt."""
    play = Play()

    play.hear(1.0, message, retained=True)

    assert play.node().heard_s is None
    assert (play.receipts(), play.all.events) == ([], [])


def test_a_list_that_comes_now_is_a_sign_of_life() -> None:
    """As anything is."""
    play = Play()

    play.hear(1.0, alarm())

    assert play.node().status is Status.UP


def test_an_event_that_is_never_stored_is_taken_again() -> None:
    """After 30 s at the latest."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    play.hear(1.0 + STORING_S, press(1))
    once = len(play.all.events)

    play.hear(1.0 + STORING_S + 1.0, press(1))

    assert (once, len(play.all.events)) == (1, 2)
    assert play.receipts() == []


def test_how_long_storing_took_is_measured_once() -> None:
    """What was stored for an earlier try counts no time."""
    play = Play()
    play.store = False
    play.hear(1.0, press(1))
    key = EventKey(*ROOM, BOOT, 1)

    for at in (1.25, 9.0):
        play.stored(at, Stored(events=(key,)))

    assert (play.view().counters.stored, play.view().counters.stored_s) == (1, 0.25)


def test_what_was_missing_and_came_is_missing_no_more() -> None:
    """The finding goes with the next heartbeat."""
    play = Play()
    play.hear(0.0, birth())
    play.hear(1.0, event(1, "started"))
    for at in range(10, 90, 10):
        play.hear(float(at), heartbeat(seq=3))
    missing = play.found()

    for seq in (2, 3):
        play.hear(91.0, event(seq, "identified"))
    play.hear(100.0, heartbeat(seq=3))

    assert (missing, play.found()) == (["M003"], [])


def test_a_faulty_heartbeat_that_says_the_same_changes_nothing() -> None:
    """Each fault is told once."""
    play = Play()

    for at in (0.0, 10.0, 20.0):
        play.hear(at, heartbeat(faults=(("F020", "record"),)))

    assert len(play.all.raised) == 1


def test_a_will_of_a_boot_that_nobody_heard_of_says_nothing_of_the_one_that_speaks() -> None:
    """It was on its way for long."""
    play = Play(brokers=TWO_BROKERS)
    play.link_up(0.0, OTHER_BROKER)
    play.hear(1.0, heartbeat(boot=LATER_BOOT))

    play.hear(2.0, will(), broker=OTHER_BROKER)
    play.until(10.0)

    assert play.node().status is Status.UP


def test_a_broker_by_which_a_node_never_came_says_nothing_of_it() -> None:
    """It was never there: its return gives nobody time."""
    play = Play(brokers=TWO_BROKERS)
    play.hear(1.0, heartbeat())

    play.link_up(15.0, OTHER_BROKER)
    play.until(20.0)

    assert play.node().status is Status.DOWN


def test_deadlines_of_nodes_wait_for_no_tick() -> None:
    """What is due between two ticks is decided at its own time."""
    play = Play()
    play.hear(0.1, heartbeat())
    play.jump(0.6)

    play.jump(0.7)

    assert play.next_due == 1.1


def test_a_batch_knows_whether_there_is_anything_to_store() -> None:
    """A receipt alone is none."""
    hub = DrivenHub()
    hub.link_up(0.0)
    hub.hear(1.0, press(1))
    hub.stored(1.0, Stored(events=(EventKey(*ROOM, BOOT, 1),)))
    hub.accept(1.0)
    hub.take()
    hub.hear(3.0, press(1))
    said = hub.take()  # held and told
    hub.hear(3.0, press(2, incident=1, presses=2))

    decided = hub.take()

    assert (len(said.says), said.to_store, decided.to_store) == (2, False, True)


def test_the_view_shows_what_a_walk_test_still_wants() -> None:
    """And where a node is, how long it may be silent, and that its broker is away."""
    play = Play(roster=(Place(ROOM, "2", "Counter"),))
    play.hear(0.0, heartbeat())
    play.ask(1.0, StartWalkTest(SITE, "x", 600.0))

    shown = play.view(2.0)
    play.link_down(3.0, "gone")
    away = play.view(4.0).nodes[0]

    assert shown.walk_tests[0].left_s == 599.0
    assert (shown.nodes[0].place, shown.nodes[0].floor, shown.nodes[0].due_s) == ("Counter", "2", 17.0)
    assert (away.reason, away.due_s) == ("broker-away", None)


@pytest.mark.parametrize(
    ("code", "see", "subject"),
    [
        ("M031", lambda own, now, problem: own.file_seen(now, BROKER, problem), f"guard-desk/{BROKER}"),
        ("M031", lambda own, now, problem: own.file_seen(now, "mail", problem), "guard-desk/mail"),
        ("M032", lambda own, now, problem: own.roster_seen(now, problem), "guard-desk"),
        ("M033", lambda own, now, problem: own.configuration_seen(now, problem), "guard-desk"),
    ],
)
def test_a_file_that_cannot_be_used_is_found_until_it_can(
    code: str, see: Callable[[SelfCheck, Moment, str], None], subject: str
) -> None:
    """With its name; people are told once, however often the monitor is started meanwhile."""
    target = Target("mail", "json://x", url_file=Path("/etc/mail.url"))
    play = Play(targets=(target,))
    play.report(1.0, see, "/etc/file is empty")
    finding = play.findings[FindingKey(code, "", "", subject)]
    again = Play(Remembered(findings=(finding,)), targets=(target,))
    again.report(2.0, see, "/etc/file is empty")
    standing = again.found()
    again.report(3.0, see, "")

    assert finding.detail == "/etc/file is empty"
    assert (standing, again.found()) == ([code], [])
    assert [each for each in again.all.notices if each.kind == "finding"] == []


def test_an_address_that_cannot_be_served_is_found_until_it_can_also_over_a_restart() -> None:
    """It is said anew after each start, so a restart ends nothing by itself."""
    play = Play()
    play.report(1.0, SelfCheck.address_failed, "api", "127.0.0.1 port 8780: Address already in use")
    (found,) = play.findings.values()

    restarted = Play(Remembered(findings=(found,)))
    before = restarted.found()
    restarted.report(1.0, SelfCheck.address_works, "api")

    assert (found.key, found.detail) == (
        FindingKey("M040", "", "", "guard-desk/api"),
        "127.0.0.1 port 8780: Address already in use",
    )
    assert (before, restarted.found()) == (["M040"], [])


def test_what_was_found_before_the_history_could_be_read_stands_on() -> None:
    """Of these things only a change is told; but that the history fails is over, and what is a node's is heard anew."""
    guards = Target("guards", "json://x")
    before = Play(targets=(guards,))
    before.hear(0.0, heartbeat())
    before.report(1.0, SelfCheck.address_failed, "api", "taken")
    before.report(1.0, SelfCheck.target_failed, "guards", "HTTP 500")
    before.report(1.0, SelfCheck.history_failed, "E027 no history")
    before.until(30.0)
    after = Play(targets=(guards,))

    after.go_on(2.0, before)

    assert (before.found(), after.found()) == (["M001", "M010", "M011", "M040"], ["M010", "M040"])
    assert after.view().targets[0].failing


def test_a_history_in_memory_is_found_anew_after_each_start() -> None:
    """It may be on a disk by then."""
    play = Play()
    play.report(1.0, SelfCheck.history_in_memory, "/run/alarm-monitor")
    (found,) = play.findings.values()

    restarted = Play(Remembered(findings=(found,)))

    assert (found.key, found.detail) == (FindingKey("M041", "", "", "guard-desk"), "/run/alarm-monitor")
    assert restarted.found() == []
