"""What a broker's reason codes mean, in whichever packet of MQTT they come."""

from collections.abc import Mapping
from types import MappingProxyType

from node.errors.faults import BROKER_FORBIDS, BROKER_LIMIT, BROKER_TOO_OLD, MESSAGE_TOO_LARGE, FaultKind

TOO_LARGE = 0x95

REFUSALS: Mapping[int, FaultKind] = MappingProxyType(
    {
        0x84: BROKER_TOO_OLD,
        0x88: BROKER_LIMIT,
        0x89: BROKER_LIMIT,
        0x93: BROKER_LIMIT,
        TOO_LARGE: MESSAGE_TOO_LARGE,
        0x96: BROKER_LIMIT,
        0x97: BROKER_LIMIT,
        0x9A: BROKER_FORBIDS,
        0x9B: BROKER_FORBIDS,
        0x9F: BROKER_LIMIT,
        0xA0: BROKER_LIMIT,
    }
)
"""The fault that each code is; those that aren't here are about rights, or tell little:
server unavailable or busy, receive maximum exceeded, packet too large, message rate too high, quota exceeded, retain or
QoS not supported, connection rate exceeded, maximum connect time."""
