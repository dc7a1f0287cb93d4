"""What a node makes of whatever it may hear: a meaning, or a ValueError with the reason."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import controller
from node.core import effects as ef
from node.core import events as ev
from node.core.model import Key, Restored
from node.core.settings import AlarmClass, InputSettings, Lamp, Settings, Sound, Wiring
from node.core.state import State
from node.protocol.messages import PAYLOAD_LIMIT
from node.protocol.record_codec import encode_snapshot, with_age
from tests.support.sayings import (
    BEAT,
    BOOT,
    COMMAND,
    EARLIER,
    HEARD,
    MONITOR,
    NOON,
    NOW,
    RECEIPT,
    SAID,
    WIRE,
    text,
)


def hear(topic: str, payload: bytes, *, retained: bool = True) -> ev.Event | None:
    """What a message means that came on link "b" at NOW, with an expiry of 20 s."""
    return WIRE.read("b", topic, payload, retained=retained, expiry_s=20.0, at=NOW)


def shortened(value: object) -> str:
    """A parameter as a test's name shows it."""
    return repr(value)[:40]


def command(action: str = "", malformed: str | None = None, **arguments: Any) -> ev.CommandHeard:
    """The command that ``COMMAND`` and an action are."""
    return ev.CommandHeard(NOW, "b", "order-1", BOOT, action, "guard-desk", 20.0, 20.0, False, arguments, malformed)


@pytest.mark.parametrize(
    ("topic", "payload", "meaning"),
    [
        (WIRE.state_topic, SAID["state-online"], ev.StateHeard(NOW, "b", BOOT, 3, "online", True)),
        (WIRE.state_topic, SAID["state-offline"], ev.StateHeard(NOW, "b", BOOT, 3, "offline", True)),
        (WIRE.state_topic, SAID["state-lost"], ev.StateHeard(NOW, "b", BOOT, 3, "lost", True)),
        (WIRE.alarm_topic, SAID["alarm-normal"], ev.AlarmHeard(NOW, "b", BOOT, (), True)),
        (WIRE.canary_topic, SAID["canary"], ev.CanaryHeard(NOW, "b", BOOT, 3)),
    ],
)
def test_a_retained_message_has_a_meaning(topic: str, payload: bytes, meaning: ev.Event) -> None:
    """What a broker keeps is read as what it says."""
    assert hear(topic, payload) == meaning


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b" " * (PAYLOAD_LIMIT + 1),
        b'{"deep":' + b"[" * 16_000,
        SAID["state-online"].replace(b'"v":1', b'"v":2'),
        SAID["state-online"].replace(b'"session":3', b'"session":1e30'),
        SAID["state-online"].replace(b'"session":3', b'"session":-1'),
        SAID["alarm-open"].replace(b"assist", b"a\xc3st"),
        SAID["alarm-open"].replace(b"2026-11-22T11", b"2026-02-30T11"),
        SAID["alarm-open"].replace(b'"sound_s":12.346', b'"sound_s":3601'),
    ],
    ids=shortened,
)
def test_what_nobody_can_read_on_our_own_topics_must_be_put_right(payload: bytes) -> None:
    """Deleted or spoilt, a retained state or alarm is one that nobody spoke: readers to come would find it there."""
    assert hear(WIRE.state_topic, payload) == ev.StateHeard(NOW, "b", "", 0, "unreadable", True)
    assert hear(WIRE.alarm_topic, payload) == ev.AlarmHeard(NOW, "b", "", (), True)


@pytest.mark.parametrize(
    ("topic", "payload", "alive", "birth"),
    [
        (f"{MONITOR}/heartbeat", text(**BEAT), True, False),
        (f"{MONITOR}/state", text(**BEAT, state="online"), True, True),
        (f"{MONITOR}/state", text(**BEAT, state="offline"), False, False),
        (f"{MONITOR}/state", text(**BEAT, state="lost"), False, False),
    ],
)
def test_a_monitor_is_heard_when_it_speaks_and_not_when_the_broker_remembers(
    topic: str, payload: bytes, alive: bool, birth: bool
) -> None:
    """Fresh, it says whether it lives and has just come; retained, it says nothing about now."""
    assert hear(topic, payload, retained=False) == ev.MonitorHeard(NOW, "b", "guard-desk", EARLIER, alive, birth)
    assert hear(topic, payload, retained=True) is None


@pytest.mark.parametrize("kind", ["held", "told"])
def test_a_receipt_names_the_monitor_the_event_and_what_became_of_it(kind: Literal["held", "told"]) -> None:
    """A fresh receipt says of which event, and whether it is held or told; unknown fields are ignored."""
    heard = hear(WIRE.receipt_topic, text(**{**RECEIPT, "kind": kind}, colour="green"), retained=False)

    assert heard == ev.ReceiptHeard(NOW, "b", "guard-desk", Key(BOOT, 7), kind)


@pytest.mark.parametrize(
    ("action", "given", "arguments"),
    [
        ("acknowledge", {"incident": f"{BOOT}-5"}, {"incident": f"{BOOT}-5"}),
        ("acknowledge", {"incident": f"{BOOT}-5", "presses": 2}, {"incident": f"{BOOT}-5", "presses": 2}),
        ("reset", {"incident": f"{BOOT}-5", "reason": "checked"}, {"incident": f"{BOOT}-5", "reason": "checked"}),
        ("silence", {"incident": f"{BOOT}-5", "for_s": 5}, {"incident": f"{BOOT}-5"}),
        ("identify", {}, {"for_s": 10.0}),
        ("identify", {"for_s": 60}, {"for_s": 60.0}),
        ("inhibit", {"input": "door", "for_s": 86400, "reason": "cut-wire"}, None),
        ("probe", {"colour": "green"}, {}),
        ("walk-test", {"for_s": 3600}, {"for_s": 3600.0}),
        ("walk-test-end", {"for_s": 60}, {}),
        ("dance", {"incident": f"{BOOT}-5"}, {}),
    ],
)
def test_a_command_carries_what_its_action_needs(
    action: str, given: dict[str, Any], arguments: dict[str, Any] | None
) -> None:
    """Arguments are typed and limited to what the action has; an unknown action is for the core to refuse."""
    heard = hear(WIRE.command_topic, text(**COMMAND, action=action, **given), retained=False)

    assert heard == command(action, **(given if arguments is None else arguments))


@pytest.mark.parametrize(
    ("action", "given", "malformed"),
    [
        ("acknowledge", {}, "malformed: incident is missing"),
        ("acknowledge", {"incident": None}, "malformed: incident is missing"),
        ("inhibit", {"input": "door", "reason": "cut-wire"}, "malformed: for_s is missing"),
        ("identify", {"for_s": 60.5}, "malformed: for_s is at most 60"),
        ("walk-test", {}, "malformed: for_s is missing"),
        ("walk-test", {"for_s": 3600.5}, "malformed: for_s is at most 3600"),
    ],
)
def test_a_command_without_what_it_needs_can_be_answered(action: str, given: dict[str, Any], malformed: str) -> None:
    """A command with a missing or a too large argument keeps its id, and says what is wrong."""
    heard = hear(WIRE.command_topic, text(**COMMAND, action=action, **given), retained=False)

    assert heard == command(action, malformed)


@pytest.mark.parametrize(
    ("payload", "command_id", "malformed"),
    [
        (b"", "", "Input data was truncated"),
        (b"reset it, please", "", "JSON is malformed"),
        (b"[]", "", "Expected `object`, got `array`"),
        (text(id="order-1"), "order-1", "missing required field `boot`"),
        (text(**(COMMAND | {"id": "Order 1"}), action="probe"), "", "matching regex"),
        (text(**(COMMAND | {"id": "order-1\n"}), action="probe"), "", "matching regex"),
        (text(**(COMMAND | {"ttl_s": 0}), action="probe"), "order-1", "`float` > 0"),
        (text(**COMMAND, action="a" * 64), "order-1", "length <= 63"),
        (text(**COMMAND, action="inhibit", for_s=86401), "order-1", "`float` <= 86400"),
        (text(**COMMAND, action="probe").replace(b'"v": 1', b'"v": 2'), "order-1", "Invalid enum value 2"),
        (text(**COMMAND, action="probe").replace(b"20", b"NaN"), "", "JSON is malformed"),
        (text(**COMMAND, action="probe").replace(b"20", b"1e999"), "order-1", "out of range"),
        (text(**COMMAND, action="\xff").replace(b"\\u00ff", b"\xff"), "order-1", "utf-8"),
        (text(**COMMAND, action="\xff").replace(b"00ff", b"d800"), "", "malformed"),
        (b'{"id": "order-1", "deep": ' + b"[" * 16_000, "", "malformed"),
    ],
    ids=shortened,
)
def test_a_malformed_command_is_answered_too(payload: bytes, command_id: str, malformed: str) -> None:
    """Whatever comes as a command is told to the core with its id, where it has one, and a reason."""
    heard = hear(WIRE.command_topic, payload)

    assert isinstance(heard, ev.CommandHeard)
    assert (heard.id, heard.retained, heard.arguments) == (command_id, True, {})
    assert heard.malformed is not None
    assert heard.malformed.startswith("malformed: ")
    assert malformed in heard.malformed


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (WIRE.event_topic, b"{}", "unknown topic"),
        (WIRE.command_topic, b" " * (PAYLOAD_LIMIT + 1), "more than 16384 bytes"),
        (WIRE.canary_topic, b"", "truncated"),
        (WIRE.canary_topic, b"\xff", "unreadable"),
        (WIRE.canary_topic, SAID["canary"].replace(b'"v":1', b'"v":2'), "Invalid enum value 2"),
        (WIRE.canary_topic, SAID["canary"].replace(b'"session":3', b'"session":1e30'), "unreadable"),
        (WIRE.canary_topic, SAID["canary"].replace(b'"session":3', b'"session":-1'), "`int` >= 0"),
        (WIRE.canary_topic, b'{"deep":' + b"[" * 16_000, "unreadable"),
        (WIRE.receipt_topic, text(**RECEIPT), "never retained"),
        (WIRE.receipt_topic, b"", "truncated"),
        (f"{MONITOR}/heartbeat", b"", "truncated"),
        (f"{MONITOR}/heartbeat", text(**(BEAT | {"monitor": "porter"})), "its own branch only"),
        (f"{MONITOR}/event", text(**BEAT), "its own branch only"),
        (f"{MONITOR}/desk/state", text(**BEAT), "its own branch only"),
        (f"{MONITOR}/state", text(**BEAT, state="asleep"), "Invalid enum value 'asleep'"),
    ],
    ids=shortened,
)
def test_what_means_nothing_is_refused_with_its_reason(topic: str, payload: bytes, reason: str) -> None:
    """A message that can't be read or isn't allowed is a ValueError that says why, and never a guess."""
    with pytest.raises(ValueError, match=reason):
        hear(topic, payload)


def test_a_message_may_have_16_kib() -> None:
    """A payload of exactly the limit is read."""
    payload = SAID["canary"].ljust(PAYLOAD_LIMIT)

    assert hear(WIRE.canary_topic, payload) == ev.CanaryHeard(NOW, "b", BOOT, 3)


def test_the_last_of_two_equal_fields_counts() -> None:
    """A field that stands there twice has its last value, as in every common JSON reader."""
    payload = SAID["canary"].replace(b'"session":3', b'"session":2,"session":4')

    assert hear(WIRE.canary_topic, payload) == ev.CanaryHeard(NOW, "b", BOOT, 4)


topics = st.sampled_from(list(HEARD))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([BOOT, 1, "online"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def garbled(draw: st.DrawFn) -> tuple[str, bytes]:
    """A topic, and its valid message with some fields changed and some bytes replaced."""
    topic = draw(topics)
    message = json.loads(HEARD[topic])
    for _ in range(draw(st.integers(0, 2))):
        target, name = draw(st.sampled_from(list(_places(message))))
        if draw(st.booleans()):
            target[name] = draw(values)
        else:
            del target[name]
            break
    payload = json.dumps(message, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        begin = draw(st.integers(0, len(payload)))
        payload = payload[:begin] + draw(st.binary(max_size=4)) + payload[begin + draw(st.integers(0, 4)) :]
    return topic, payload


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Each (container, name or index) in a message."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return []
    return [(value, name) for name, _ in inner] + [place for _, each in inner for place in _places(each)]


def begun() -> State:
    """A node that is up, connected to link "b", and in alarm: incident 2 is open."""
    desk = InputSettings("desk", Wiring.NORMALLY_OPEN, AlarmClass.THREAT, Sound.LOUD, Lamp.SHOWN)
    state = controller.start(Settings((desk,), ("b",)), BOOT, NOW, NOON - NOW)
    for each in (
        ev.RecordLoaded(NOW, Restored()),
        ev.LinkUp(NOW, "b", 3),
        ev.EdgeSeen(NOW, "desk", high=False),
        ev.LevelsRead(NOW + 0.1, {"desk": False}),
    ):
        state, _ = controller.handle(state, each)
    assert [each.id for each in state.incidents] == [f"{BOOT}-2"]
    return state


BEGUN = begun()


def say(effect: ef.Effect) -> object:
    """Put into words what the core asked for; nothing where it is no matter of words."""
    match effect:
        case ef.Append():
            return with_age(WIRE.event(effect.event), 0.0), encode_snapshot(effect.snapshot)
        case ef.StoreSnapshot():
            return encode_snapshot(effect.snapshot)
        case ef.SendAlarm():
            return WIRE.alarm(effect.incidents, effect.at, effect.seq, effect.at_utc, effect.synchronised)
        case ef.SendReply():
            return WIRE.reply(effect.reply, effect.seq, effect.at_utc, effect.synchronised)
        case ef.SendHeartbeat() | ef.WriteStatus():
            return WIRE.heartbeat(effect.heartbeat, 0)
    return None


def endure(topic: str, payload: bytes, retained: bool) -> None:
    """Hear a message, decide it, and say what follows; only its refusal by ``Wire.read`` may be raised."""
    try:
        heard = hear(topic, payload, retained=retained)
    except ValueError:
        return
    if heard is None:
        return
    state = BEGUN
    for happened in (heard, ev.EdgeSeen(NOW + 1.0, "desk", high=True), ev.TimePassed(NOW + 3600.0)):
        state, asked = controller.handle(state, happened)
        for effect in asked:
            say(effect)


@given(topics, st.binary(max_size=200), st.booleans())
def test_no_bytes_can_do_harm(topic: str, payload: bytes, retained: bool) -> None:
    """Arbitrary bytes on any topic are refused, or decided and answered; nothing but a ValueError comes out."""
    endure(topic, payload, retained)


@given(garbled(), st.booleans())
def test_no_garbled_message_can_do_harm(message: tuple[str, bytes], retained: bool) -> None:
    """A message that was once valid is refused, or decided and answered, whatever was done to it."""
    endure(*message, retained)


@pytest.mark.parametrize("topic", HEARD)
def test_what_is_garbled_was_valid(topic: str) -> None:
    """Each message that the test above garbles has a meaning as it is."""
    heard = hear(topic, HEARD[topic], retained=False)

    assert heard is not None
    assert heard.at == NOW


@pytest.mark.parametrize(("expiry_s", "expiring"), [(59.0, True), (None, False)])
def test_a_canary_says_whether_it_has_kept_its_expiry(expiry_s: float | None, expiring: bool) -> None:
    """As a command would: by the same broker, and the same way."""
    heard = WIRE.read("b", WIRE.canary_topic, SAID["canary"], retained=False, expiry_s=expiry_s, at=NOW)

    assert heard == ev.CanaryHeard(NOW, "b", BOOT, 3, expiring=expiring)
