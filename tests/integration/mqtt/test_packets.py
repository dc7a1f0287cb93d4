"""What a socket brings, cut into MQTT packets: the same ones wherever it is cut, and read as paho reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from node.io.mqtt.session.packets import MalformedError, Packets, Publish, puback, publish, to_publish
from tests.support.flood import coded_length

LARGEST = 20_480
RETAINED, QOS_1 = 0x01, 0x02


def properties(expiry_s: int | None, others: int = 0) -> bytes:
    """The properties of a PUBLISH, with their length; ``others``: how many of a kind that says nothing to us."""
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if expiry_s is not None:
        made.MessageExpiryInterval = expiry_s
    if others:
        made.UserProperty = [("name", "value")] * others
    return made.pack()  # type: ignore[no-untyped-call, no-any-return]


def packet(topic: bytes, payload: bytes, *, flags: int = QOS_1, mid: int = 7, head: bytes = b"\x00") -> bytes:
    """A PUBLISH. ``head``: its properties, with their length."""
    named = len(topic).to_bytes(2, "big") + topic
    body = named + (mid.to_bytes(2, "big") if flags & 0x06 else b"") + head + payload
    return bytes([0x30 | flags]) + coded_length(len(body)) + body


def cut(stream: bytes, sizes: list[int]) -> list[tuple[bytes, int]]:
    """What comes out if the stream comes in pieces of these sizes, and the rest at once."""
    packets, taken, at = Packets(LARGEST), [], 0
    for size in [*sizes, len(stream)]:
        packets.add(stream[at : at + size])
        at += size
        while packets.is_whole:
            taken.append(packets.take())
    return taken


SAID = st.builds(
    packet,
    st.binary(max_size=40),
    st.binary(max_size=400),
    flags=st.sampled_from([0, RETAINED, QOS_1, QOS_1 | RETAINED]),
    mid=st.integers(1, 65_535),
    head=st.builds(properties, st.none() | st.integers(0, 2**32 - 1), st.integers(0, 30)),
)
OTHER = st.sampled_from([b"\xd0\x00", b"\x40\x02\x00\x01", b"\x90\x04\x00\x01\x00\x01"])


@given(st.lists(SAID | OTHER, max_size=8), st.lists(st.integers(1, 300), max_size=20))
def test_a_stream_is_cut_into_the_same_packets_wherever_it_breaks_off(said: list[bytes], sizes: list[int]) -> None:
    """None is lost, none is invented, and each body begins behind the length."""
    taken = cut(b"".join(said), sizes)

    assert [each for each, _ in taken] == said
    assert all(body == 1 + len(coded_length(len(each) - body)) for each, body in taken)


@given(SAID)
def test_a_message_is_read_as_paho_reads_it(said: bytes) -> None:
    """Topic, payload, flags, packet id and expiry."""
    ((whole, body),) = cut(said, [])

    read = publish(whole, body)

    paho = _packet.decode_publish(whole[0], whole[body:], MQTTProtocolVersion.MQTTv5)
    assert (read.topic, read.payload, read.retained) == (paho.topic, paho.payload, paho.retain)
    assert int.from_bytes(read.mid, "big") == paho.mid
    assert read.expiry_s == getattr(paho.properties, "MessageExpiryInterval", None)


@given(st.binary(max_size=60), st.sampled_from([0, RETAINED, QOS_1, 0x04, 0x06, 0x0B]))
def test_any_bytes_are_a_message_or_malformed(body: bytes, flags: int) -> None:
    """Nothing else is raised, whatever the broker sends."""
    said = bytes([0x30 | flags]) + coded_length(len(body)) + body
    ((whole, start),) = cut(said, [])

    try:
        read = publish(whole, start)
    except MalformedError:
        return

    assert isinstance(read, Publish)
    assert len(read.topic) + len(read.payload) <= len(body)


@pytest.mark.parametrize("flags", [0x04, 0x06])
def test_a_message_at_another_quality_of_service_is_refused(flags: int) -> None:
    """Nothing is subscribed at QoS 2, and QoS 3 isn't MQTT."""
    ((whole, start),) = cut(packet(b"a", b"b", flags=flags), [])

    with pytest.raises(MalformedError):
        publish(whole, start)


@pytest.mark.parametrize("over", [0, 1])
def test_a_larger_packet_than_we_take_is_refused_before_it_is_kept(over: int) -> None:
    """A broker that doesn't keep to the limit can't fill the memory: its length is enough."""
    whole = packet(b"t", b"x" * (LARGEST + over - 10))
    packets = Packets(LARGEST)
    assert len(whole) == LARGEST + over

    if over:
        with pytest.raises(MalformedError):
            packets.add(whole[:5])
    else:
        packets.add(whole)
        assert packets.is_whole


def test_a_length_of_five_bytes_is_refused() -> None:
    """MQTT has at most four."""
    with pytest.raises(MalformedError):
        Packets(LARGEST).add(b"\x30\xff\xff\xff\xff\x01")


@given(
    st.text(st.characters(exclude_characters="+#", exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.binary(max_size=400),
    st.integers(1, 65_535),
    st.booleans(),
    st.none() | st.integers(0, 2**32 - 1),
)
def test_a_message_is_made_as_it_is_read(
    topic: str, payload: bytes, mid: int, retain: bool, expiry_s: int | None
) -> None:
    """As the broker reads it, byte for byte as paho would have made it."""
    made = to_publish(topic, payload, mid, retain=retain, expiry_s=expiry_s)

    flags = QOS_1 | (RETAINED if retain else 0)
    assert made == packet(topic.encode(), payload, flags=flags, mid=mid, head=properties(expiry_s))
    ((whole, body),) = cut(made, [])
    read = publish(whole, body)
    assert (read.topic, read.payload, read.retained) == (topic.encode(), payload, retain)
    assert read.mid == mid.to_bytes(2, "big")
    assert read.expiry_s == expiry_s


@pytest.mark.parametrize("size", [0, 100, 115, 16_300, 16_400, 19_000])
def test_a_message_has_a_length_of_as_many_bytes_as_it_needs(size: int) -> None:
    """One, two or three: seven bits in each."""
    made = to_publish("node/event", bytes(size), 7, retain=False, expiry_s=None)

    assert made == packet(b"node/event", bytes(size))


@pytest.mark.parametrize("topic", ["", "node/#", "node/+/event", "x" * 65_536, "\ud800"], ids=repr)
def test_a_topic_that_no_message_may_have_is_refused(topic: str) -> None:
    """The broker would end the session."""
    with pytest.raises((ValueError, OverflowError)):
        to_publish(topic, b"", 7, retain=False, expiry_s=None)


@pytest.mark.parametrize(("said", "code"), [(b"", 0x00), (b"\x10", 0x10), (b"\x87\x00", 0x87)], ids=repr)
def test_an_answer_is_read(said: bytes, code: int) -> None:
    """Without a reason code it is a success."""
    ((whole, body),) = cut(bytes([0x40, 2 + len(said)]) + b"\x01\x02" + said, [])

    assert puback(whole, body) == (0x0102, code)


def test_an_answer_that_ends_too_soon_is_malformed() -> None:
    """Nothing after it could be read."""
    with pytest.raises(MalformedError):
        puback(b"\x40\x01\x07", 2)
