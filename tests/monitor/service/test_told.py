"""From a press to what people read, over a real broker, to a real mail server and real HTTP receivers."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.monitor import RunningMonitor, write_monitor
from tests.support.node import NODE, SITE, SimulatedNode, write_config
from tests.support.receivers import HttpReceiver, MailServer, text_of
from tests.support.standins import StandIns

OTHER_SITE = "nord"
ESCALATE_S = 10

ROSTER = [
    {"id": NODE, "site": SITE, "floor": "2", "location": "2. OG, Zimmer 214"},
    {"id": "gate", "site": OTHER_SITE, "location": "Tor 3"},
]


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server."""
    with MailServer() as started:
        yield started


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    """An HTTP receiver."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def other() -> Iterator[HttpReceiver]:
    """Another one."""
    with HttpReceiver() as started:
        yield started


def test_a_press_is_told_by_class_site_and_language(
    tmp_path: Path, broker: Broker, mail: MailServer, http: HttpReceiver, other: HttpReceiver
) -> None:
    """Guards get a mail in German, the switchboard all of it in English, the other site only what is its own."""
    targets: list[Mapping[str, object]] = [
        {"name": "guards", "url": mail.url, "language": "de", "classes": ["threat", "amok"], "sites": [SITE]},
        {"name": "switchboard", "url": http.url, "language": "en"},
        {"name": "gatekeepers", "url": other.url, "language": "de", "sites": [OTHER_SITE]},
    ]
    config = write_monitor(tmp_path / "monitor", broker.port, sites=[SITE, OTHER_SITE], roster=ROSTER, targets=targets)
    with (
        RunningMonitor(config) as monitor,
        SimulatedNode(write_config(tmp_path, broker.port)) as node,
        StandIns(broker.port, site=OTHER_SITE) as nodes,
    ):
        monitor.expect_status(NODE, "up")
        node.tap()
        node.expect(ladder="told")
        ((letter,), (posted,)) = mail.mails.first(1), http.taken.first(1)
        nodes.press("gate", "assist")
        ((gate,), (_, again)) = other.taken.first(1), http.taken.first(2)

    assert letter["subject"] == "ALARM, Bedrohung: 2. OG, Zimmer 214"
    assert "Wo: 2. OG, Zimmer 214 (Etage 2, mitte/room-214)" in text_of(letter)
    assert posted.title == "ALARM, threat: 2. OG, Zimmer 214"
    assert "Guards: go there" in posted.body
    assert gate.title == "ALARM, Kollegin oder Kollege braucht Hilfe: Tor 3"
    assert again.title == "ALARM, colleague needs help: Tor 3"
    assert (len(mail.mails.items), len(other.taken.items)) == (1, 1)


def test_who_is_next_is_told_level_by_level_until_somebody_comes(
    tmp_path: Path, broker: Broker, http: HttpReceiver
) -> None:
    """Each level after escalate_s and not before, once; then all who were called hear who comes, and nobody else."""
    targets = [
        {"name": f"level-{level}", "url": http.url, "language": "en", "level": level, "findings": "none"}
        for level in range(4)
    ]
    config = write_monitor(tmp_path / "monitor", broker.port, targets=targets, incidents={"escalate_s": ESCALATE_S})
    with RunningMonitor(config) as monitor, StandIns(broker.port) as nodes:
        incident = nodes.press("wall")
        told = http.taken.first(3)
        nodes.acknowledge(incident)
        after = http.taken.first(6)
        monitor.wait(lambda: [each["phase"] for each in monitor.items("/incidents")] == ["acknowledged"])
        (shown,) = monitor.items("/incidents")

    assert [each.title.partition("!")[0] for each in told] == [
        "ALARM, threat: mitte/wall",
        "NOT ACKNOWLEDGED",
        "NOT ACKNOWLEDGED",
    ]
    waits = [later.at - sooner.at for sooner, later in pairwise(told)]
    assert all(ESCALATE_S - 0.5 <= wait < 2 * ESCALATE_S for wait in waits), waits
    assert [each.title for each in after[3:]] == ["Somebody is coming: mitte/wall"] * 3
    assert (shown["told_level"], shown["next_level_s"]) == (2, None)  # nobody calls the fourth level any more


def test_a_target_that_fails_is_told_to_the_other_one(
    tmp_path: Path, broker: Broker, mail: MailServer, http: HttpReceiver
) -> None:
    """The mail server refuses; whoever reads the other target hears of it, and the mail goes out once it is mended."""
    mail.refusing = True
    targets = [
        {"name": "guards", "url": mail.url, "language": "de"},
        {"name": "switchboard", "url": http.url, "language": "en"},
    ]
    config = write_monitor(tmp_path / "monitor", broker.port, targets=targets)
    with RunningMonitor(config) as monitor, StandIns(broker.port) as nodes:
        nodes.press("wall")
        alarm, found = http.taken.first(2)
        failing = monitor.codes()
        mail.refusing = False
        (letter, *_) = mail.mails.first(1)
        monitor.wait(lambda: "M010" not in monitor.codes(), what="a target that works")

    assert alarm.title == "ALARM, threat: mitte/wall"
    assert "M010" in found.body
    assert "guards" in found.body
    assert "M010" in failing
    assert letter["subject"] == "ALARM, Bedrohung: mitte/wall"
