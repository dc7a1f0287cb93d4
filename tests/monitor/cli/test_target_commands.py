"""tell --test, isolate and restore-target: on a real monitor, with real receivers, over a restart."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.broker import Broker, free_port
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.receivers import HttpReceiver, Posted
from tests.support.standins import StandIns


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A private broker."""
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def mail() -> Iterator[HttpReceiver]:
    """Where some people are told."""
    with HttpReceiver() as started:
        yield started


@pytest.fixture
def sms() -> Iterator[HttpReceiver]:
    """Where others are."""
    with HttpReceiver() as started:
        yield started


def configured(tmp_path: Path, broker: Broker, mail: HttpReceiver, sms: HttpReceiver) -> Path:
    """A monitor with two targets, of which one reads German."""
    targets = [
        {"name": "mail", "url": mail.url, "language": "de", "findings": "none"},
        {"name": "sms", "url": sms.url, "language": "en", "findings": "none"},
    ]
    return write_monitor(tmp_path / "monitor", broker.port, targets=targets)


def titles(receiver: HttpReceiver) -> list[str]:
    """What came there."""
    return [posted.title for posted in receiver.taken.items]


def test_a_test_message_says_what_the_other_side_answers(
    tmp_path: Path, broker: Broker, mail: HttpReceiver, sms: HttpReceiver
) -> None:
    """In both languages, as a test; its date stands in check, and no part of an URL anywhere."""
    config = configured(tmp_path, broker, mail, sms)
    with RunningMonitor(config):
        never = alarm_monitor(config, "check")
        sms.behaviour = "fail"
        both = alarm_monitor(config, "tell", "--test")
        one = alarm_monitor(config, "tell", "--test", "mail")
        check = alarm_monitor(config, "check")
        nobody = alarm_monitor(config, "tell", "--test", "fax")

    assert "UNKNOWN target mail was never tested. Next: sudo alarm-monitor tell --test mail." in never.stdout
    assert (both.returncode, one.returncode, nobody.returncode) == (1, 0, 1), both.stdout + one.stdout + one.stderr
    assert "mail: the test message was accepted. Sent JSON POST notification." in both.stdout
    assert "sms: E061 " in both.stdout
    assert "error=503" in both.stdout
    assert both.stdout.count("\n") == 2
    assert "there is no target fax" in nobody.stdout
    assert "ok      target mail accepted a test message, 20" in check.stdout
    assert "FINDING target sms didn't accept the last test message, 20" in check.stdout
    posted: list[Posted] = mail.taken.items
    assert [each.title for each in posted] == ["PROBE / TEST: guard-desk"] * 2
    assert "Dies ist eine Probe. Niemand ist in Gefahr." in posted[0].body
    assert "This is a test. Nobody is in danger." in posted[0].body
    said = "".join((never.stdout, both.stdout, both.stderr, one.stdout, check.stdout, nobody.stdout))
    assert not any(part in said for part in ("verysecret", "tokentoken", str(mail.port), "json://"))


def test_without_a_monitor_nothing_is_sent_and_that_is_said(tmp_path: Path) -> None:
    """It alone tells people, and keeps the date."""
    told = alarm_monitor(write_monitor(tmp_path, free_port()), "tell", "--test")

    assert told.returncode == 1
    assert "find out why it doesn't run: sudo alarm-monitor check" in told.stderr


def test_an_isolated_target_is_told_nothing_and_the_others_are_also_over_a_restart(
    tmp_path: Path, broker: Broker, mail: HttpReceiver, sms: HttpReceiver
) -> None:
    """What came meanwhile isn't told later; once it is back it is told as before."""
    config = configured(tmp_path, broker, mail, sms)
    with RunningMonitor(config) as monitor, StandIns(broker.port) as nodes:
        isolated = alarm_monitor(config, "isolate", "mail", "--for", "1h", "--reason", "new gateway")
        nodes.press("wall-1")
        sms.taken.wait(lambda taken: [each for each in taken if each.title == "ALARM, threat: mitte/wall-1"])
        sms.taken.wait(lambda taken: [each for each in taken if "a target is isolated" in each.title])
        monitor.wait(lambda: all(each["waiting"] == 0 for each in monitor.get("/fleet")["targets"]), what="settled")
        monitor.kill()
        monitor.start()
        nodes.press("wall-2")
        sms.taken.wait(lambda taken: [each for each in taken if each.title == "ALARM, threat: mitte/wall-2"])
        monitor.wait(lambda: "M022" in monitor.codes(), what="the finding")
        fleet = monitor.get("/fleet")
        restored = alarm_monitor(config, "restore-target", "mail")
        nodes.press("wall-3")
        mail.taken.wait(lambda taken: [each for each in taken if each.title == "ALARM, Bedrohung: mitte/wall-3"])
        sms.taken.wait(lambda taken: [each for each in taken if each.title.startswith("Over: ")])
        monitor.wait(lambda: "M022" not in monitor.codes(), what="no finding")

    assert (isolated.returncode, restored.returncode) == (0, 0), isolated.stderr + restored.stderr
    [begun] = [each["isolated_until"] for each in fleet["targets"] if each["name"] == "mail"]
    with_zone = datetime.fromisoformat(begun).astimezone(ZoneInfo("Europe/Berlin"))
    assert isolated.stdout.startswith("mail is isolated until ")
    assert f"{with_zone:%H:%M:%S}: until then it gets no messages." in isolated.stdout
    assert restored.stdout == "mail is restored: it gets messages again\n"
    assert titles(mail) == ["ALARM, Bedrohung: mitte/wall-3"]
    assert sum("a target is isolated" in each for each in titles(sms)) == 2
    assert [(each["name"], each["isolated_by"] != "") for each in fleet["targets"]] == [("mail", True), ("sms", False)]
