"""The table of a node's faults (``F…``): code, severity, text and next step. Codes are never reused.

Each code has its section in deploy/guides/OPERATIONS.md. The texts here are English; node/monitor/locale has
the German ones.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from node.errors.severity import Severity


class FaultKind(Struct, frozen=True):
    """A kind of fault: ``text`` says what doesn't work and what that means, ``next_step`` what to do.

    ``link_problem`` is what a monitor says if it has this problem with its own link: ``text`` speaks of a node.
    """

    code: str
    severity: Severity
    text: str
    next_step: str
    link_problem: str = ""


INPUT_UNREADABLE = FaultKind(
    "F001",
    Severity.CRITICAL,
    "an input can't be read: a press there may raise no alarm",
    "tell the people there; check the pin's wiring, and that no other program uses the pin (gpioinfo), then: "
    "sudo systemctl restart alarm-node",
)
EDGES_LOST = FaultKind(
    "F002",
    Severity.CRITICAL,
    "the processor misses changes of an input: a press shorter than 100 ms may raise no alarm",
    "restart the node: sudo systemctl restart alarm-node; if the fault returns, ask people to press for half a second, "
    "and replace the board",
)
OUTPUT_FAILED = FaultKind(
    "F003",
    Severity.WARNING,
    "the buzzer or the lamp can't be switched: whoever presses may not see or hear that the alarm was raised",
    "check the pin in node.toml and its wiring, then: sudo systemctl restart alarm-node",
)
BROKER_UNREACHABLE = FaultKind(
    "F010",
    Severity.WARNING,
    "a broker can't be reached: the node can't send alarms through it",
    "check the network cable, the network and the broker; the node retries by itself",
)
PUBLISH_REFUSED = FaultKind(
    "F011",
    Severity.CRITICAL,
    "the broker denies the node access to a topic: messages on this topic are lost",
    "in the broker's access list, allow the node's account to write or read this topic "
    "(deploy/mosquitto/alarm-node.acl)",
)
CANARY_SILENT = FaultKind(
    "F012",
    Severity.CRITICAL,
    "the node doesn't receive its own test message: it may not receive commands and receipts either",
    "in the broker's access list, allow the node's account to read and write its own topics "
    "(deploy/mosquitto/alarm-node.acl)",
)
STOLEN_ID = FaultKind(
    "F013",
    Severity.CRITICAL,
    "another client uses this node's id: the broker disconnects the two in turn, and alarms arrive late",
    "find the second node or program with this id, and give it an id of its own",
)
NO_MONITOR = FaultKind(
    "F014",
    Severity.WARNING,
    "the node hears no monitor: nobody in the building confirms its alarms",
    "start a monitor, or check that its account may write to the topics of monitors; in a building without a "
    'monitor, set receipts = "none" in node.toml',
)
NAME_NOT_FOUND = FaultKind(
    "F015",
    Severity.WARNING,
    "a broker's host name can't be resolved: the node can't send alarms through it",
    "check host in [[broker]] of node.toml, and that a name server answers: getent hosts NAME",
    link_problem="the broker's host name can't be resolved",
)
NO_ROUTE = FaultKind(
    "F016",
    Severity.WARNING,
    "there is no network route to a broker: the node can't send alarms through it",
    "check the cable or the Wi-Fi, the broker's address and the gateway: ip route get ADDRESS",
    link_problem="there is no network route to the broker",
)
BROKER_UNTRUSTED = FaultKind(
    "F017",
    Severity.WARNING,
    "ca_file lacks the authority that signed a broker's certificate: it may be another broker, so the node sends "
    "it no alarms",
    "ask who runs the broker which authority signs its certificate, and add that authority's certificate to ca_file",
    link_problem="ca_file lacks the authority that signed the broker's certificate",
)
BROKER_EXPIRED = FaultKind(
    "F018",
    Severity.WARNING,
    "a broker's certificate, or its authority's, has expired: the node sends this broker no alarms",
    "renew the certificate at the broker; if its dates are right, set the node's clock: timedatectl",
    link_problem="the broker's certificate, or its authority's, has expired",
)
BROKER_TOO_EARLY = FaultKind(
    "F019",
    Severity.WARNING,
    "a broker's certificate, or its authority's, isn't valid yet: the node sends this broker no alarms",
    "set the node's clock: timedatectl; if the clock is right, get a certificate that is valid today",
    link_problem="the broker's certificate, or its authority's, isn't valid yet",
)
RECORD_FAILED = FaultKind(
    "F020",
    Severity.CRITICAL,
    "the record can't be written: alarms are sent, but a power cut may lose them",
    "check the SD card (full, read-only, worn out), and replace it if needed; the node retries by itself",
)
BROKER_MISNAMED = FaultKind(
    "F021",
    Severity.WARNING,
    "a broker's certificate is for another host name: it may be another broker, so the node sends it no alarms",
    "set host in [[broker]] of node.toml to the name in the certificate, or get a certificate for this host name",
    link_problem="the broker's certificate is for another host name",
)
LOGIN_REFUSED = FaultKind(
    "F022",
    Severity.WARNING,
    "a broker refuses the node's login: the node can't send alarms through it",
    "compare username, password_file and certificate_file in node.toml with the account at the broker; the "
    "broker's log has the reason",
    link_problem="the broker refuses the login: unknown name, wrong password or certificate",
)
TLS_REFUSED = FaultKind(
    "F023",
    Severity.WARNING,
    "the TLS connection to a broker fails: the node can't send alarms through it",
    "check port in [[broker]] of node.toml (usually 8883), and that the broker offers TLS 1.2 or 1.3",
    link_problem="TLS fails: this port has no TLS, or none as new as TLS 1.2",
)
CERTIFICATE_EXPIRES = FaultKind(
    "F024",
    Severity.WARNING,
    "a certificate expires soon: after that, the node can't send alarms through this broker",
    "renew the certificate; the node reads its own files within a minute, and the broker's certificate when it "
    "connects again",
)
PLAIN_TEXT = FaultKind(
    "F025",
    Severity.WARNING,
    "the connection to a broker isn't encrypted: anyone on the network can read, forge and hold back alarms",
    "give the broker a certificate, then replace insecure = true by ca_file in node.toml",
)
CREDENTIALS_UNUSABLE = FaultKind(
    "F026",
    Severity.WARNING,
    "a certificate, key or password file for a broker can't be used: the node may be unable to connect to it again",
    "look up which file and why (journalctl -u alarm-node), and correct the file; the node reads it within a minute",
    link_problem="a certificate, key or password file for it can't be used",
)
ALARM_FOREIGN = FaultKind(
    "F045",
    Severity.WARNING,
    "another client writes alarms to this node's topic: the node ignores them, but people may be sent to a false alarm",
    "find the client in the broker's log; give each node a login of its own and the access list (deploy/mosquitto)",
)
SESSIONS_CUT = FaultKind(
    "F047",
    Severity.WARNING,
    "a broker ends the node's connection again and again, soon after it began: alarms may arrive late",
    "look in the broker's log for a second client with this node's id or login (a copied SD card), or for a limit "
    "that the node exceeds",
)
CLOCK_FREE = FaultKind(
    "F030",
    Severity.WARNING,
    "the clock isn't synchronised: dates and times in messages may be wrong (alarms don't depend on them)",
    "check that a time server can be reached: timedatectl timesync-status",
)
UNDER_VOLTAGE = FaultKind(
    "F031",
    Severity.WARNING,
    "the supply voltage is too low: the node may fail during an alarm, and its SD card may be damaged",
    "use the board's own power supply with a short, thick cable, and unplug USB devices",
)
TOO_HOT = FaultKind(
    "F032",
    Severity.WARNING,
    "the processor is too hot: from 80 °C on it slows down, and the node may react late",
    "let air to the case, and move it out of the sun and away from radiators",
)
MEMORY_LOW = FaultKind(
    "F033",
    Severity.WARNING,
    "memory is nearly used up: the system may end the service, and a press may raise no alarm for some seconds",
    "find the program that uses it (ps aux --sort=-rss), and restart that program",
)
DISK_FULL = FaultKind(
    "F034",
    Severity.WARNING,
    "the record's disk is nearly full: soon the node can't store alarms",
    "make room (journalctl --vacuum-size=100M), or use a larger SD card",
)
DISK_READ_ONLY = FaultKind(
    "F035",
    Severity.WARNING,
    "the record's disk is read-only: alarms are sent, but a power cut may lose them",
    "replace the SD card: it becomes read-only when it is worn out or damaged",
)
NETWORK_DOWN = FaultKind(
    "F036",
    Severity.WARNING,
    "the network interface is down: the node can't send alarms over it",
    "check the cable and the switch, or the name and password of the Wi-Fi: ip link",
)
HEALTH_UNREADABLE = FaultKind(
    "F037",
    Severity.WARNING,
    "a value of the machine (such as its voltage) can't be read: a problem with it would go unnoticed",
    "look up the reason (journalctl -u alarm-node), then restart the machine",
)
WATCHDOG_UNARMED = FaultKind(
    "F038",
    Severity.WARNING,
    "the hardware watchdog isn't active: if the machine freezes, it doesn't restart, and a press raises no alarm",
    "look up the reason (journalctl -b | grep -i watchdog), then restart the machine",
)
INPUT_INHIBITED = FaultKind(
    "F040",
    Severity.CRITICAL,
    "an input is inhibited: a press there raises no alarm",
    "tell the people there, and repair what the input was inhibited for; at the given end it raises alarms again",
)
INPUT_STUCK = FaultKind(
    "F041",
    Severity.CRITICAL,
    "an input stays active: its button is stuck or held, or its wire is cut, and a further press isn't detected",
    "go there, free the button or repair its wire, then reset the alarm",
)
INPUT_CHATTERS = FaultKind(
    "F042",
    Severity.WARNING,
    "an input chatters: its first press raises an alarm, further presses during that alarm aren't detected",
    "go there, fasten its wires, and replace a worn button; the fault ends after 30 s without chatter",
)
WIRE_FAULTY = FaultKind(
    "F043",
    Severity.CRITICAL,
    "the two sides of an input contradict each other: a wire is cut or shorted, and a press may raise no alarm",
    "tell the people there; compare all three wires with the wiring in INSTALL.md, repair them, and press the "
    "button for a test",
)
CASE_OPEN = FaultKind(
    "F044",
    Severity.WARNING,
    "the case is open, or the wire of its tamper switch is cut: somebody may disable the button",
    "go there, check the wires, close the case, and press the button for a test",
)
CONFIGURATION_UNUSABLE = FaultKind(
    "F049",
    Severity.WARNING,
    "node.toml can't be used any more: the node goes on with the settings that it has, and a start would use them, too",
    "look up what is wrong with the file (sudo alarm-node check), and correct it",
)
BROKER_TOO_OLD = FaultKind(
    "F050",
    Severity.WARNING,
    "a broker doesn't support MQTT 5: the node can't send alarms through it",
    "enable MQTT 5 at the broker (mosquitto has it from 1.6 on), or use another broker",
    link_problem="it doesn't support MQTT 5",
)
BROKER_FORBIDS = FaultKind(
    "F051",
    Severity.WARNING,
    "a broker doesn't allow retained messages or QoS 1: the node can't send alarms through it",
    "allow both at the broker (mosquitto: retain_available true, max_qos 2), or use another broker",
    link_problem="it doesn't allow retained messages or QoS 1",
)
MESSAGE_TOO_LARGE = FaultKind(
    "F052",
    Severity.WARNING,
    "a broker accepts only short messages: heartbeats are shortened, and a long list of alarms is lost",
    "allow packets of 20480 bytes at the broker (mosquitto: max_packet_size and message_size_limit)",
    link_problem="it accepts only short messages",
)
BROKER_LIMIT = FaultKind(
    "F053",
    Severity.WARNING,
    "a broker refuses the node or its messages because of a limit: what it refuses reaches nobody",
    "look the reason code up in the broker's log and manual, and raise that limit for the node's login",
    link_problem="it refuses because of a limit",
)
EXPIRY_LOST = FaultKind(
    "F054",
    Severity.WARNING,
    "a broker removes the expiry from messages: the node refuses every command, so nobody can acknowledge or "
    "reset its alarms from afar",
    "let the broker forward the message expiry of MQTT 5, or use another broker",
)
CONFIGURATION_REFUSED = FaultKind(
    "F055",
    Severity.WARNING,
    "node.toml couldn't be used at the start: the node runs with its last good settings, without what was changed "
    "since",
    "look up what is wrong with the file, or how to write it again if it is gone (sudo alarm-node check); then run: "
    "sudo systemctl reload alarm-node",
)
SAFE_MODE = FaultKind(
    "F056",
    Severity.WARNING,
    "the node has crashed again and again: it runs with its buttons, buzzer, lamp and one broker, and watches nothing "
    "else",
    "look up why it crashed (journalctl -u alarm-node), correct that or update the program, then run: sudo "
    "systemctl restart alarm-node",
)
RESTART_DUE = FaultKind(
    "F057",
    Severity.WARNING,
    "node.toml was changed where only a restart takes it: until then, this part of the node works as before",
    "restart the node while nobody needs it: sudo systemctl restart alarm-node; then press each button that was "
    "changed for a test",
)
RECORD_IN_MEMORY = FaultKind(
    "F058",
    Severity.WARNING,
    "the record is only in the machine's memory: a power cut loses all that the node has stored, open alarms too",
    "see why no disk is mounted at /var/lib/alarm-node (findmnt -T /var/lib/alarm-node; journalctl -b -u "
    "alarm-node-data), repair or replace the disk, and restart the machine while no alarm is open",
)
RECORD_NEWER = FaultKind(
    "F059",
    Severity.CRITICAL,
    "a newer version of alarm-node has written the record, and this one can't: alarms are sent, but a power cut may "
    "lose them",
    "install the newer version of alarm-node again: it goes on with the record",
)


FAULTS: Mapping[str, FaultKind] = MappingProxyType(
    {kind.code: kind for kind in tuple(globals().values()) if isinstance(kind, FaultKind)}
)
"""Each fault above, by its code."""
