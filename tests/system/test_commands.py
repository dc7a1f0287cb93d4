"""Commands over a real broker: what each does on the wall, and what is refused without doing anything."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk, Message, faults, incidents
from tests.support.node import SimulatedNode, wait_until, write_config

Change = Callable[[Message], Message]


def _incident(desk: Desk, node: SimulatedNode) -> str:
    """Press, and wait until nothing more happens to it by itself."""
    mark = node.mark
    node.tap()
    pressed = desk.expect("event", kind="pressed")
    incident: str = pressed["incident"]
    desk.receive("event", kind="restored")
    desk.confirm(pressed)
    desk.receive("alarm", phase="received")
    node.expect(since=mark, ladder="stored")
    node.expect(since=mark, output="lamp", pattern="received")
    node.expect(since=mark, ladder="told")
    return incident


def _without(*names: str) -> Change:
    return lambda command: {name: value for name, value in command.items() if name not in names}


def _with(**fields: object) -> Change:
    return lambda command: {**command, **fields}


@pytest.mark.parametrize(
    ("change", "publishing", "reason"),
    [
        pytest.param(_with(), {"expiry_s": None}, "no-expiry", id="without expiry"),
        pytest.param(_with(), {"retain": True}, "retained", id="retained"),
        pytest.param(_with(), {"expiry_s": 50}, "expiry-too-long", id="expiry beyond ttl"),
        pytest.param(_with(ttl_s=61), {"expiry_s": 61}, "expiry-too-long", id="ttl too long"),
        pytest.param(_with(boot="00000000"), {}, "other-boot", id="other boot"),
        pytest.param(_with(action="open-the-door"), {}, "unknown-action", id="unknown action"),
        pytest.param(_with(incident="00000000-1"), {}, "no-such-incident", id="unknown incident"),
        pytest.param(_with(v=2), {}, "malformed", id="unknown version"),
        pytest.param(_with(by="Mrs. Miller"), {}, "malformed", id="a person"),
        pytest.param(_with(ttl_s="20"), {}, "malformed", id="wrong type"),
        pytest.param(_without("incident"), {}, "malformed", id="field missing"),
        pytest.param(_without("boot"), {}, "malformed", id="boot missing"),
    ],
)
def test_a_command_against_the_rules_changes_nothing_and_is_answered(
    desk: Desk, node: SimulatedNode, change: Change, publishing: Mapping[str, Any], reason: str
) -> None:
    """The reply gives the reason, the record keeps it, the heartbeat counts it, and the incident is as it was."""
    incident = _incident(desk, node)
    alarm = desk.heard("alarm")[-1]
    mark = node.mark
    command = change(desk.command("reset", incident=incident))

    desk.give(command, **publishing)

    reply = desk.expect("reply", outcome="refused")
    assert reply["id"] == command["id"]
    assert reply["reason"].startswith(reason)
    assert desk.expect("event", kind="command-refused")["subject"] == command["id"]
    _assert_as_before(desk, node, alarm, mark)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"v":1,"id":"order-1",', id="cut off"),
        pytest.param(b'["reset"]', id="no object"),
        pytest.param(b"reset\xff", id="no text"),
    ],
)
def test_what_is_no_command_changes_nothing_and_is_answered_without_an_id(
    desk: Desk, node: SimulatedNode, payload: bytes
) -> None:
    """Malformed JSON is refused like any other command, even where nobody can be named."""
    _incident(desk, node)
    alarm = desk.heard("alarm")[-1]
    mark = node.mark

    desk.give(payload)

    reply = desk.expect("reply", outcome="refused")
    assert reply["id"] is None
    assert reply["reason"].startswith("malformed")
    _assert_as_before(desk, node, alarm, mark)


def test_a_repeated_id_gets_the_first_answer_and_does_nothing(desk: Desk, node: SimulatedNode) -> None:
    """A reset that is sent twice doesn't end the incident that came in between; one that names it needs its own id."""
    command = desk.command("reset", incident=_incident(desk, node))
    desk.give(command)
    first = desk.expect("reply", id=command["id"])
    alarm_again = _incident(desk, node)

    desk.give(command)
    again = desk.expect("reply", id=command["id"])
    desk.give({**command, "incident": alarm_again})
    other = desk.expect("reply", id=command["id"])

    assert again["outcome"] == first["outcome"] == "done"
    assert (other["outcome"], other["reason"]) == ("refused", "id-used")
    assert desk.order("acknowledge", incident=alarm_again)["outcome"] == "done"


def test_a_reset_waits_until_the_button_is_released(desk: Desk, node: SimulatedNode) -> None:
    """Refused while pressed, with the reason; done afterwards, and the wall is at rest."""
    node.tell("button press")
    incident = desk.expect("event", kind="pressed")["incident"]

    refused = desk.order("reset", incident=incident)
    node.tell("button release")
    desk.receive("event", kind="restored")
    mark = node.mark
    done = desk.order("reset", incident=incident)

    assert (refused["outcome"], refused["reason"]) == ("refused", "input-active")
    assert done["outcome"] == "done"
    node.expect(output="buzzer", level=False, since=mark)
    node.expect(output="lamp", pattern="ready", since=mark)
    assert desk.expect("event", kind="reset")["by"] == "guard-desk"
    assert desk.heard("alarm")[-1]["incidents"] == []


def test_an_acknowledgement_of_fewer_presses_than_there_are_is_refused(desk: Desk, node: SimulatedNode) -> None:
    """Who accepts the first press hasn't seen the second; the lamp at the wall doesn't say that somebody is coming."""
    incident = _incident(desk, node)
    node.tap()
    desk.receive("event", kind="pressed", presses=2)

    refused = desk.order("acknowledge", incident=incident, presses=1)
    accepted = desk.order("acknowledge", incident=incident, presses=2)

    assert (refused["outcome"], refused["reason"]) == ("refused", "pressed-again")
    assert accepted["outcome"] == "done"
    node.expect(output="lamp", pattern="acknowledged")
    desk.receive("alarm", phase="acknowledged")


def test_silence_stops_the_buzzer_and_nothing_else(desk: Desk, node: SimulatedNode) -> None:
    """The alarm stays; the next press sounds again."""
    incident = _incident(desk, node)

    silenced = desk.order("silence", incident=incident)
    mark = node.mark
    again = desk.order("silence", incident=incident)

    assert silenced["outcome"] == "done"
    assert again["reason"] == "not-sounding"
    wait_until(lambda: node.lines(output="buzzer")[-1]["level"] is False)
    assert incidents(desk.heard("alarm")[-1]) == [incident]
    node.tap()
    node.expect(output="buzzer", level=True, since=mark)


def test_an_inhibited_button_raises_nothing_until_its_end(tmp_path: Path, broker: Broker) -> None:
    """Its presses are recorded, F040 stands meanwhile; at its end by itself the button is an alarm again."""
    config = write_config(tmp_path, broker.port, heartbeat_s=1)
    with Desk(broker.port) as desk, SimulatedNode(config) as node:
        refused = desk.order("inhibit", input="button", reason="cut-wire")
        done = desk.order("inhibit", input="button", reason="cut-wire", for_s=2)
        desk.expect_fault("F040")
        node.tap()
        recorded = desk.expect("event", kind="inhibited-press")
        desk.receive("event", kind="inhibit-ended")
        desk.receive("event", kind="fault-cleared", fault="F040")

        assert refused["reason"].startswith("malformed")
        assert done["outcome"] == "done"
        assert recorded.get("incident") is None
        assert not node.lines(output="buzzer")
        assert desk.heard("heartbeat")[-1]["incidents"] == 0
        node.tap()
        assert desk.expect("event", kind="pressed")["presses"] == 1


def test_an_inhibit_makes_an_input_that_stays_active_resettable(desk: Desk, node: SimulatedNode) -> None:
    """A cut wire that could never be reset: inhibited, then reset; released, it raises nothing."""
    node.tell("button press")
    incident = desk.expect("event", kind="pressed")["incident"]
    desk.order("inhibit", input="button", reason="cut-wire", for_s=60)
    mark = node.mark

    reply = desk.order("reset", incident=incident)

    assert reply["outcome"] == "done"
    node.expect(output="buzzer", level=False, since=mark)
    node.expect(output="lamp", pattern="nobody", since=mark)  # a fault: F040
    assert desk.heard("alarm")[-1]["incidents"] == []


def test_probe_and_identify_change_no_incident(desk: Desk, node: SimulatedNode) -> None:
    """A probe is answered and no more; identify sounds for as long as it says, and a press overrides it."""
    probed = desk.order("probe")
    before = node.lines(output="buzzer")
    identified = desk.order("identify", for_s=1)
    node.expect(output="buzzer", level=True)
    node.expect(output="buzzer", level=False)

    assert probed["outcome"] == identified["outcome"] == "done"
    assert before == []
    assert desk.expect("event", kind="identified")["by"] == "guard-desk"
    assert [each["incidents"] for each in desk.heard("alarm")] == [[]]
    assert _incident(desk, node)


def test_refusals_are_counted_and_limited_and_hold_up_no_press(tmp_path: Path, broker: Broker) -> None:
    """At most 10 a second are answered; all are counted; a press among them is an alarm at once."""
    config = write_config(tmp_path, broker.port, heartbeat_s=1)
    with Desk(broker.port) as desk, SimulatedNode(config) as node:
        desk.receive("heartbeat")
        command = desk.command("reset", boot="00000000", incident="00000000-1")
        began_at = time.monotonic()
        for number in range(60):
            desk.give({**command, "id": f"stale-{number}"})
            if number == 30:
                node.tell("button press")
        node.expect(output="buzzer", level=True)
        counted = desk.expect("heartbeat", lambda message: message["refused"] + message["dropped"] >= 60)
        desk.receive("event", kind="pressed")
        replied_at = time.monotonic()

    replies = [each for each in desk.heard("reply") if each["outcome"] == "refused"]
    assert faults(counted) == {}
    assert 10 <= len(replies) <= 10 * (replied_at - began_at + 1)


def _assert_as_before(desk: Desk, node: SimulatedNode, alarm: Message, mark: int) -> None:
    assert desk.order("probe")["outcome"] == "done"
    assert desk.heard("alarm")[-1] == alarm
    assert not node.lines(mark, output="lamp")
    assert not [line for line in node.lines(mark) if "ladder" in line]
    assert desk.order("reset", incident=incidents(alarm)[0])["outcome"] == "done"
