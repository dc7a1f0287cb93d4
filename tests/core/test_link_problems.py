"""Why no session can begin: the fault that a link names itself, plain text, and certificates that run out."""

import pytest

from node.core.effects import SendHeartbeat, SetLamp
from node.core.events import CanaryHeard, ClockRead, CredentialsSeen, LinkDown, LinkUp
from node.core.signals import LampPattern
from node.errors.faults import BROKER_FORBIDS, BROKER_UNTRUSTED, CREDENTIALS_UNUSABLE, NO_ROUTE
from tests.core.playbook import BRANCH, LINK, START, UTC_OFFSET, Playbook, Stage

DAY_S = 86_400.0
COMMAND_TOPIC = f"{BRANCH}/command"
NOW_UTC = START + UTC_OFFSET


def fail(play: Playbook, problem: str | None, link: str = LINK) -> Playbook:
    """An attempt that comes to nothing."""
    return play >> LinkDown(play.now, link, play.session(link), "no session", problem=problem)


def see(play: Playbook, *, usable: bool = True, link: str = LINK, **ends_utc: float) -> Playbook:
    """The link looks at certificates and files."""
    return play >> CredentialsSeen(play.now, link, ends_utc, usable)


def expiring(words: str, whose: str = "broker") -> tuple[str, str]:
    """The fault of a certificate."""
    return ("F024", f"{whose} certificate on {LINK}: {words}")


def test_a_link_that_knows_why_names_the_fault_at_once(stage: Stage) -> None:
    """No grace: a wrong authority doesn't get better by waiting. The lamp and a heartbeat over the other link tell."""
    play = stage(links=("a", "b"), connected=False)
    play.connect("b").monitor(link="b").wait(0.5).skip()

    fail(play, BROKER_UNTRUSTED.code, "a")

    assert play.faults() == [("F017", "a")]
    (sent,) = play.take(SendHeartbeat)
    assert [(fault.code, fault.subject) for fault in sent.heartbeat.faults] == [("F017", "a")]


def test_a_named_fault_stands_in_the_place_of_the_unnamed_one(alone: Stage) -> None:
    """One link that is down is one fault, however long it lasts."""
    play = alone()

    fail(play.link_down(), NO_ROUTE.code).wait(60.0).skip()

    assert play.faults() == [("F016", LINK)]


def test_a_broker_that_refuses_is_told_with_its_reason_code(stage: Stage) -> None:
    """People look for it in the broker's log."""
    play = stage()

    play >> LinkDown(play.now, LINK, play.session(LINK), "refused", problem=BROKER_FORBIDS.code, code=0x9B)

    assert play.skip().faults() == [("F051", f"{LINK} (0x9B)")]


def test_a_broker_that_takes_only_short_packets_is_named_for_the_session(stage: Stage) -> None:
    """The list of many alarms may be too long for it."""
    play = stage(connected=False)

    play >> LinkUp(play.now, LINK, 1, packet_limit=1_000)
    short = play.skip().faults()
    play >> LinkUp(play.now, LINK, 2)

    assert short == [("F052", f"{LINK}: 1000 bytes")]
    assert play.skip().faults() == []


def test_a_topic_that_the_broker_does_not_tell_of_is_named_for_the_session(stage: Stage) -> None:
    """As one that it doesn't take."""
    play = stage(connected=False)

    play >> LinkUp(play.now, LINK, 1, refused={COMMAND_TOPIC: 0x87})
    refused = play.skip().faults()
    play >> LinkUp(play.now, LINK, 2)

    assert refused == [("F011", f"{COMMAND_TOPIC} (0x87)")]
    assert play.skip().faults() == []


def test_a_canary_without_its_expiry_is_a_fault_until_one_keeps_it(stage: Stage) -> None:
    """No command would be obeyed; a new session alone shows nothing else."""
    play = stage()
    play.link_up()

    play >> CanaryHeard(play.now, LINK, play.state.boot, play.session(LINK), expiring=False)
    lost = play.skip().faults()
    play.link_up().skip()
    still = play.faults()
    play.canary().skip()

    assert lost == still == [("F054", LINK)]
    assert play.faults() == []


def test_a_copy_of_a_canary_that_nobody_awaits_says_nothing_of_the_broker(stage: Stage) -> None:
    """Somebody else has sent it, without the expiry that ours had."""
    play = stage()

    play >> CanaryHeard(play.now, LINK, play.state.boot, play.session(LINK), expiring=False)

    assert play.skip().faults() == []


def test_a_link_that_knows_no_more_why_is_unreachable(stage: Stage) -> None:
    """It has been away since it went, so nothing is waited for."""
    play = stage()
    fail(play.link_down(), NO_ROUTE.code).wait(3.0).skip()

    fail(play, None)

    assert play.faults() == [("F010", LINK)]
    assert play.kinds() == ["fault-raised", "fault-cleared"]


def test_another_reason_is_another_fault(stage: Stage) -> None:
    """The next step follows what is wrong now."""
    play = stage()
    fail(play.link_down(), NO_ROUTE.code).skip()

    fail(play, BROKER_UNTRUSTED.code).skip()

    assert play.faults() == [("F017", LINK)]


def test_a_session_ends_the_named_fault(stage: Stage) -> None:
    """And a loss without a reason afterwards has its 3 s again."""
    play = stage()
    fail(play.link_down(), BROKER_UNTRUSTED.code).skip()

    play.connect()

    play.only(SetLamp) << [SetLamp(LampPattern.READY)]
    assert play.faults() == []
    play.link_down().wait(2.999).skip()
    assert play.faults() == []


def test_plain_text_over_a_network_is_a_standing_fault(stage: Stage) -> None:
    """Of the link that has it alone, whether it is up or not."""
    play = stage(links=("a", "b"), insecure_links=("b",))

    play.link_down("b").wait(1.0).skip()

    assert play.faults() == [("F025", "b")]


@pytest.mark.parametrize(
    ("days", "words"),
    [(31.0, None), (30.0, "within 30 days"), (14.0, "within 14 days"), (3.0, "within 3 days"), (0.0, "expired")],
)
def test_a_certificate_that_runs_out_is_a_fault_that_tells_how_soon(
    stage: Stage, days: float, words: str | None
) -> None:
    """One step at a time."""
    play = stage()

    see(play, broker=NOW_UTC + days * DAY_S).skip()

    assert play.faults() == ([] if words is None else [expiring(words)])


def test_each_step_takes_the_place_of_the_one_before(stage: Stage) -> None:
    """At its instant, without anybody looking at the certificate again."""
    play = stage()
    see(play, node=NOW_UTC + 14 * DAY_S + 10.0).skip()
    assert play.faults() == [expiring("within 30 days", "node")]

    play.wait(9.999).skip()
    assert play.faults() == [expiring("within 30 days", "node")]
    play.wait(0.001)

    assert play.faults() == [expiring("within 14 days", "node")]
    assert play.kinds() == ["fault-raised", "fault-cleared"]


def test_certificates_are_faults_of_their_own(stage: Stage) -> None:
    """Each of a link's, and each link's."""
    play = stage(links=("a", "b"))

    see(play, link="a", node=NOW_UTC + DAY_S, authority=NOW_UTC + 20 * DAY_S, broker=NOW_UTC + 300 * DAY_S)
    see(play, link="b", node=NOW_UTC + DAY_S).skip()

    assert play.faults() == [
        ("F024", "authority certificate on a: within 30 days"),
        ("F024", "node certificate on a: within 3 days"),
        ("F024", "node certificate on b: within 3 days"),
    ]


def test_a_renewed_certificate_ends_its_fault(stage: Stage) -> None:
    """What was seen last counts."""
    play = stage()
    see(play, node=NOW_UTC + DAY_S).skip()

    see(play, node=NOW_UTC + 300 * DAY_S)

    assert play.faults() == []
    assert play.kinds() == ["fault-cleared"]


def test_what_was_seen_outlasts_the_session(stage: Stage) -> None:
    """A certificate runs out whether the link is up or not."""
    play = stage()
    see(play, usable=False, node=NOW_UTC + DAY_S)

    play.link_down().connect().skip()

    assert play.faults() == [expiring("within 3 days", "node"), ("F026", LINK)]


def test_a_clock_that_is_set_moves_the_steps(stage: Stage) -> None:
    """A certificate's end is wall time: here alone the wall clock decides."""
    play = stage()
    see(play, node=NOW_UTC + 20 * DAY_S).skip()

    play >> ClockRead(play.now, UTC_OFFSET + 10 * DAY_S, True)
    play.skip()

    assert play.faults() == [expiring("within 14 days", "node")]


def test_files_that_cannot_be_used_are_a_fault_while_the_link_lives_on(stage: Stage) -> None:
    """What they last held is used as long as it goes, but a restart would end it."""
    play = stage()

    see(play, usable=False).skip()
    assert play.faults() == [("F026", LINK)]
    see(play)

    assert play.faults() == []
    assert play.kinds() == ["fault-cleared"]


def test_a_link_that_is_down_for_its_files_is_one_fault(stage: Stage) -> None:
    """Both ways to tell it come to the same."""
    play = stage()

    see(fail(play.link_down(), CREDENTIALS_UNUSABLE.code), usable=False).skip()

    assert play.faults() == [("F026", LINK)]


def test_credentials_of_an_unknown_link_change_nothing(stage: Stage) -> None:
    """They are recorded as unexpected."""
    play = stage()
    links = play.state.supervision.links

    see(play, link="stranger", usable=False)

    assert play.state.supervision.links == links
    assert play.kinds() == ["unexpected"]


def cut(play: Playbook, after_s: float = 1.0) -> Playbook:
    """A session comes up, and the broker ends it."""
    play.connect().wait(after_s)
    return play >> LinkDown(play.now, LINK, play.session(LINK), "connection lost", by_broker=True)


def test_sessions_that_a_broker_cuts_short_again_and_again_are_no_cable_fault(stage: Stage) -> None:
    """Whoever has the same client id or login throws the node off: nobody is sent to the cable for that."""
    play = stage(connected=False)

    cut(cut(play)).wait(3.5).skip()
    twice = play.faults()
    cut(play).wait(3.5).skip()

    assert (twice, play.faults()) == ([("F010", LINK)], [("F047", LINK)])


def test_it_is_told_for_a_minute_and_then_whatever_is_true(alone: Stage) -> None:
    """A broker that is away after that is a cable's matter again; one that stays ends the fault."""
    play = alone(connected=False)
    cut(cut(cut(play)))

    play.wait(59.999).skip()
    before = play.faults()
    play.wait(0.001).skip()
    away = play.faults()
    play.connect().wait(10.0).skip()

    assert (before, away, play.faults()) == ([("F047", LINK)], [("F010", LINK)], [])


@pytest.mark.parametrize("lasts_s", [10.0, 600.0])
def test_a_session_that_lasted_is_not_counted(stage: Stage, lasts_s: float) -> None:
    """A broker that is restarted now and then throws nobody off."""
    play = stage(connected=False)

    cut(cut(cut(play, lasts_s), lasts_s), lasts_s).skip()

    assert "F047" not in [code for code, _ in play.faults()]


def test_sessions_cut_over_a_long_time_are_not_counted_together(alone: Stage) -> None:
    """Three within a minute are no accident; three within an hour may be."""
    play = alone(connected=False)

    for _ in range(3):
        cut(play).wait(40.0).skip()

    assert play.faults() == [("F010", LINK)]


def test_a_session_that_the_node_gave_up_is_not_counted(stage: Stage) -> None:
    """A broker that is silent for too long is a path's fault."""
    play = stage(connected=False)

    for _ in range(4):
        play.connect().wait(1.0).link_down().skip()
    play.wait(3.0).skip()

    assert play.faults() == [("F010", LINK)]


def test_where_the_broker_says_that_it_was_taken_over_that_is_the_fault(stage: Stage) -> None:
    """One cause is one fault, and the more precise one is told."""
    play = stage(connected=False)
    cut(cut(play))

    play.connect().wait(1.0)
    taken = LinkDown(play.now, LINK, play.session(LINK), "session taken over", taken_over=True, by_broker=True)
    (play >> taken).wait(5.0).skip()

    assert play.faults() == [("F013", LINK)]
