"""The table of a node's faults (``F…``): code, severity, text and next step. Codes are never reused.

Each code has its section in deploy/OPERATIONS.md. The texts here are English; node/monitor/locale has the German ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How urgent it is: a button may be dead; go when you can; good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"

    @property
    def rank(self) -> int:
        """0 for the most urgent one."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault: ``text`` says what doesn't work and what that means, ``next_step`` what to do."""

    code: str
    severity: Severity
    text: str
    next_step: str


INPUT_UNREADABLE = FaultKind(
    "F001",
    Severity.CRITICAL,
    "an input can't be read: nobody knows whether it is pressed",
    "check that the pin is wired and that no other program uses it, then restart the node",
)
EDGES_LOST = FaultKind(
    "F002",
    Severity.CRITICAL,
    "edges of an input are lost: only the level sampler is left, and presses under 100 ms may not count",
    "restart the node; if the fault returns, press for half a second and have the node replaced",
)
OUTPUT_FAILED = FaultKind(
    "F003",
    Severity.WARNING,
    "an output can't be driven: the buzzer or the lamp doesn't show what the node decided",
    "check the pin of the buzzer and the lamp, then restart the node",
)
BROKER_UNREACHABLE = FaultKind(
    "F010",
    Severity.WARNING,
    "a broker can't be reached: alarms don't leave the node on this path",
    "check the cable, the network and the broker; the node goes on trying by itself",
)
PUBLISH_REFUSED = FaultKind(
    "F011",
    Severity.CRITICAL,
    "the broker refuses the node a topic: what is said or awaited there is lost",
    "give the node's account the right to write this topic, or to read it, in the broker's access list",
)
CANARY_SILENT = FaultKind(
    "F012",
    Severity.CRITICAL,
    "the node doesn't hear its own canary: commands and receipts may not reach it either",
    "give the node's account the right to read and write its own branch in the broker's access list",
)
STOLEN_ID = FaultKind(
    "F013",
    Severity.CRITICAL,
    "another client speaks as this node: one of the two throws the other off the broker",
    "find the second node or tool with the same id and give it one of its own",
)
NO_MONITOR = FaultKind(
    "F014",
    Severity.WARNING,
    "no monitor is heard: alarms reach the broker, but nobody confirms that the building has them",
    "start a monitor, or check that its account may write to the monitors' branch;"
    ' in a building without one write receipts = "none"',
)
NAME_NOT_FOUND = FaultKind(
    "F015",
    Severity.WARNING,
    "a broker's name isn't found: alarms don't leave the node on this path",
    "check host in [[broker]], and that a name server answers: getent hosts NAME",
)
NO_ROUTE = FaultKind(
    "F016",
    Severity.WARNING,
    "no way leads to a broker: alarms don't leave the node on this path",
    "check the cable or the Wi-Fi, the broker's address and the gateway: ip route get ADDRESS",
)
BROKER_UNTRUSTED = FaultKind(
    "F017",
    Severity.WARNING,
    "a broker's certificate is by an authority that ca_file doesn't hold: it may be somebody else's broker",
    "compare ca_file with the authority that signed the broker's certificate, and ask who runs the broker",
)
BROKER_EXPIRED = FaultKind(
    "F018",
    Severity.WARNING,
    "a broker's certificate, or its authority's, has expired: the node doesn't talk to it",
    "renew it at the broker; where its dates are good, set the node's clock: timedatectl",
)
BROKER_TOO_EARLY = FaultKind(
    "F019",
    Severity.WARNING,
    "a broker's certificate, or its authority's, isn't valid yet: the node doesn't talk to it",
    "set the node's clock (timedatectl); where that is right, wait, or have a certificate made that is valid today",
)
RECORD_FAILED = FaultKind(
    "F020",
    Severity.CRITICAL,
    "the record can't be written: alarms are sent, but a power cut would forget them",
    "check the SD card (space, read-only, age); the node takes it back by itself",
)
BROKER_MISNAMED = FaultKind(
    "F021",
    Severity.WARNING,
    "a broker's certificate is for another host name: it may be somebody else's broker",
    "write the name that the certificate has as host in [[broker]], or have one made for that host",
)
LOGIN_REFUSED = FaultKind(
    "F022",
    Severity.WARNING,
    "a broker refuses the node's login: its name, password or certificate",
    "compare username, password_file and certificate_file with the account at the broker, whose log says more",
)
TLS_REFUSED = FaultKind(
    "F023",
    Severity.WARNING,
    "a broker breaks off TLS: this port speaks none, or nothing as new as TLS 1.2",
    "check port in [[broker]] (usually 8883), and let the broker offer TLS 1.2 or 1.3",
)
CERTIFICATE_EXPIRES = FaultKind(
    "F024",
    Severity.WARNING,
    "a certificate expires soon: from then on alarms don't leave the node on this path",
    "renew it where it is; the node takes its own files within a minute, the broker's when it connects again",
)
PLAIN_TEXT = FaultKind(
    "F025",
    Severity.WARNING,
    "a broker is reached in plain text: whoever is on the network can read, forge and hold back alarms",
    "give the broker a certificate, then write ca_file instead of insecure = true",
)
CREDENTIALS_UNUSABLE = FaultKind(
    "F026",
    Severity.WARNING,
    "the node's certificate, key, authority or password for a broker can't be used as the files are now",
    "see in the log which file and why (journalctl -u alarm-node), and mend it: it is taken within a minute",
)
ALARM_FOREIGN = FaultKind(
    "F045",
    Severity.WARNING,
    "alarms stand on this node's topic that it can't have raised: somebody else writes there; they were not taken over",
    "find who writes there, in the broker's log; give each node a login of its own and the access list",
)
SESSIONS_CUT = FaultKind(
    "F047",
    Severity.WARNING,
    "a broker ends the node's connection again and again, soon after it began: another client may have its id or login",
    "look in the broker's log for this node's client id: for a second one with its login (a copied card), or a limit",
)
CLOCK_FREE = FaultKind(
    "F030",
    Severity.WARNING,
    "the clock isn't synchronised: dates in messages may be wrong (no decision depends on them)",
    "check that a time server is reachable: timedatectl timesync-status",
)
UNDER_VOLTAGE = FaultKind(
    "F031",
    Severity.WARNING,
    "the supply voltage is too low: the node may freeze, and its SD card may lose what it holds",
    "use the board's own power supply with a short, thick cable, and unplug what draws power from its USB",
)
TOO_HOT = FaultKind(
    "F032",
    Severity.WARNING,
    "the processor is too hot: from 80 °C on it slows itself down",
    "give the case air, and take it out of the sun and away from radiators",
)
MEMORY_LOW = FaultKind(
    "F033",
    Severity.WARNING,
    "the memory is nearly used up: the kernel may end the node",
    "find what takes it (ps aux --sort=-rss), end or restart that",
)
DISK_FULL = FaultKind(
    "F034",
    Severity.WARNING,
    "the record's disk is nearly full: soon no alarm can be stored",
    "make room (journalctl --vacuum-size=100M), or take a larger SD card",
)
DISK_READ_ONLY = FaultKind(
    "F035",
    Severity.WARNING,
    "the record's disk is read-only: alarms are sent, but a power cut would forget them",
    "replace the SD card: it turns read-only at the end of its life, or after damage",
)
NETWORK_DOWN = FaultKind(
    "F036",
    Severity.WARNING,
    "the network interface is down: no alarm leaves the node over it",
    "check the cable and the switch, or the name and password of the Wi-Fi: ip link",
)
HEALTH_UNREADABLE = FaultKind(
    "F037",
    Severity.WARNING,
    "a reading of the machine's health fails or hangs: what it would tell is watched by nobody",
    "look for the reason in the log (journalctl -u alarm-node), then restart the machine",
)
WATCHDOG_UNARMED = FaultKind(
    "F038",
    Severity.WARNING,
    "the hardware watchdog isn't armed: a machine that freezes stays frozen",
    "look for the reason in the log (journalctl -b | grep -i watchdog), then restart the machine",
)
INPUT_INHIBITED = FaultKind(
    "F040",
    Severity.CRITICAL,
    "an input is inhibited: pressing it raises no alarm",
    "mend what it was inhibited for; it comes back by itself at the given end",
)
INPUT_STUCK = FaultKind(
    "F041",
    Severity.CRITICAL,
    "an input stays active: it is stuck, held or cut, and a further press can't be told",
    "go there, free the button or mend its wire, then reset the alarm",
)
INPUT_CHATTERS = FaultKind(
    "F042",
    Severity.WARNING,
    "an input chatters: its first press is an alarm, further ones can't be told",
    "go there, fasten its wires, and replace a worn button; it counts as calm after 30 s of quiet",
)
WIRE_FAULTY = FaultKind(
    "F043",
    Severity.CRITICAL,
    "the two sides of an input contradict each other: a wire is cut or shorted, and a press may not count",
    "go there, and compare both wires and the ground wire with the wiring in INSTALL.md; then press it for a test",
)
CASE_OPEN = FaultKind(
    "F044",
    Severity.WARNING,
    "the case is open, or its tamper switch is cut: somebody may be at the wires",
    "go there, look at the wires, and close the case",
)
CONFIGURATION_UNUSABLE = FaultKind(
    "F049",
    Severity.WARNING,
    "the configuration can't be used as it is now: the node goes on with what it read at its start, but couldn't start",
    "see in the log what is wrong (journalctl -u alarm-node), mend it, and try it: alarm-node check",
)

BROKER_TOO_OLD = FaultKind(
    "F050",
    Severity.WARNING,
    "a broker doesn't speak MQTT 5: alarms don't leave the node on this path",
    "let it speak MQTT 5 (mosquitto does from 1.6 on), or take another broker",
)
BROKER_FORBIDS = FaultKind(
    "F051",
    Severity.WARNING,
    "a broker forbids retained messages or QoS 1: alarms don't leave the node on this path",
    "allow both at the broker (mosquitto: retain_available true, max_qos 2), or take another broker",
)
MESSAGE_TOO_LARGE = FaultKind(
    "F052",
    Severity.WARNING,
    "a broker takes only short messages: heartbeats are shortened, and what can't be is lost",
    "let it take packets of 20480 bytes (mosquitto: max_packet_size and message_size_limit)",
)
BROKER_LIMIT = FaultKind(
    "F053",
    Severity.WARNING,
    "a broker refuses the node, or what it says, by a limit or rule of its own",
    "look the reason code up in the broker's log and manual, and raise that limit for the node's login",
)
EXPIRY_LOST = FaultKind(
    "F054",
    Severity.WARNING,
    "a broker takes the expiry off messages: every command from afar is refused, and no call can be ended from there",
    "let it forward MQTT 5's message expiry, or take another broker",
)


FAULTS: Mapping[str, FaultKind] = MappingProxyType(
    {kind.code: kind for kind in tuple(globals().values()) if isinstance(kind, FaultKind)}
)
"""Each fault above, by its code."""

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
"""What MQTT's reason codes say, in whichever packet they come; those that aren't here are about rights, or tell little:
server unavailable or busy, receive maximum exceeded, packet too large, message rate too high, quota exceeded, retain or
QoS not supported, connection rate exceeded, maximum connect time."""
