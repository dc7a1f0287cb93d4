"""The catalogue of what the monitor finds: code, severity, meaning, and next step.

The codes here are ``M…``. A node's own faults (``F…``) come with its heartbeats and become findings, too. Codes are
never reused. Each code has its section in deploy/guides/OPERATIONS.md, and its alert in
deploy/prometheus/alarm-node.rules.yml, which is made from here. The texts here are English; locale/ translates them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from node.errors import faults
from node.errors.faults import FaultKind
from node.errors.severity import Severity
from node.monitor.core.model.records import FindingKey


class FindingKind(FaultKind, frozen=True, kw_only=True):
    """A kind of finding. Its next step may contain {site}, {node} and the like, which next_steps.py fills.

    ``alert``: the name of its alert in Prometheus. ``counted``: the unit of its count, for one and for another number.
    """

    alert: str
    counted: tuple[str, str] | None = None


DOWN = FindingKind(
    "M001",
    Severity.CRITICAL,
    "a node is down: nobody here learns of a press there",
    "tell the people there and give them a telephone; then check its power, cable and lamp",
    alert="AlarmNodeDown",
)
OVERDUE_BACK = FindingKind(
    "M002",
    Severity.CRITICAL,
    "a node was stopped and hasn't come back: a press there raises no alarm",
    "ask who stopped it; then start it there: sudo systemctl start alarm-node",
    alert="AlarmNodeNotBack",
)
EVENTS_MISSING = FindingKind(
    "M003",
    Severity.WARNING,
    "events of a node are missing: what happened there is known only in part",
    "read them at the node: sudo alarm-node log; then check whether the broker drops messages (max_queued_messages)",
    alert="AlarmNodeEventsMissing",
    counted=("1 event", "{count} events"),
)
NEVER_HEARD = FindingKind(
    "M004",
    Severity.CRITICAL,
    "a node of the roster was never heard: nobody here learns of a press there",
    "go there and check that it is installed and runs: sudo alarm-node check; or remove it from nodes.toml",
    alert="AlarmNodeNeverHeard",
)
NOT_OURS = FindingKind(
    "M005",
    Severity.WARNING,
    "a node isn't in the roster: if somebody presses there, nobody knows where to go",
    "add it to nodes.toml with its location, and restart the monitor; to find it: alarm-monitor identify {node}",
    alert="AlarmNodeUnknown",
)
TEST_OVERDUE = FindingKind(
    "M006",
    Severity.WARNING,
    "a button's test is overdue: nobody knows whether the button still works",
    "test it: alarm-monitor walk-test start --site {site}, then press the button once, for less than 2 s",
    alert="AlarmButtonTestOverdue",
    counted=("1 day", "{count} days"),
)
MISTAKEN_CALLS = FindingKind(
    "M007",
    Severity.NOTICE,
    "a button was pressed by mistake more than once in twelve months: people may stop reacting to its alarms",
    "go there and ask how it happened; move or cover the button, or show people how it works",
    alert="AlarmButtonMistakenCalls",
    counted=("1 alarm", "{count} alarms"),
)
BROKER_AWAY = FindingKind(
    "M008",
    Severity.CRITICAL,
    "a broker can't be reached from here: alarms that only this broker carries aren't heard here",
    "check the broker and the network; the monitor retries by itself",
    alert="AlarmMonitorBrokerAway",
)
RESET_MISSING = FindingKind(
    "M009",
    Severity.WARNING,
    "a node reports that an alarm is over, but its end never arrived: the alarm is still open here",
    "ask at the place; if all is well, end it here: alarm-monitor reset {incident} --reason …",
    alert="AlarmResetMissing",
)
TARGET_FAILS = FindingKind(
    "M010",
    Severity.CRITICAL,
    "a target can't be reached: the people behind it aren't notified of alarms",
    "repair what the detail names (its address or its server); waiting messages are then sent",
    alert="AlarmMonitorTargetFails",
)
HISTORY_FAILS = FindingKind(
    "M011",
    Severity.CRITICAL,
    "the history can't be written: nodes get no receipts, and people are notified from memory alone",
    "check the database and its disk; the monitor retries by itself",
    alert="AlarmMonitorHistoryFails",
)
FLOOD = FindingKind(
    "M012",
    Severity.WARNING,
    "the monitor gets more messages than a building sends: it drops some, and alarms may arrive late",
    "find who sends them, in the broker's log; give each node an account of its own and an access list",
    alert="AlarmMonitorFlooded",
)
REFUSED = FindingKind(
    "M013",
    Severity.CRITICAL,
    "the broker refuses the monitor's messages: nodes get no receipts, and their lamps show that nobody has the alarm",
    "in the broker's access list, give the monitor's account the rights of deploy/mosquitto/alarm-node.acl",
    alert="AlarmMonitorRefused",
)
STOLEN_ID = FindingKind(
    "M014",
    Severity.CRITICAL,
    "another client uses this monitor's id: the broker disconnects the two in turn, and receipts are lost",
    "find the second monitor, and give it an id of its own in monitor.toml",
    alert="AlarmMonitorIdStolen",
)
OPEN_ALARM_UNSTORED = FindingKind(
    "M015",
    Severity.WARNING,
    "the event of an open alarm never arrived here: people were notified, but the history is incomplete",
    "go there as for any alarm; then check whether the broker drops messages (max_queued_messages)",
    alert="AlarmEventMissing",
)
OPEN_AT_THE_WALL = FindingKind(
    "M016",
    Severity.WARNING,
    "an alarm that was ended here is still open at its node: lamp and buzzer there go on",
    "go there; if all is well, end it there, or once more here: alarm-monitor reset {incident} --reason …",
    alert="AlarmOpenAtTheWall",
)
MANY_CALLS = FindingKind(
    "M017",
    Severity.WARNING,
    "a node raises alarms faster than people can press: they are reported after those of other nodes",
    "go there, somebody may need help; then look for a loose wire, and for another client with the node's login",
    alert="AlarmNodeCallsTooOften",
)
UNREACHED = FindingKind(
    "M018",
    Severity.CRITICAL,
    "no target for these alarms: if somebody presses there, nobody is notified",
    "where a target is isolated, restore it: alarm-monitor restore-target NAME; otherwise add a [[target]] with "
    "this site and class and level = 0 to monitor.toml, and restart the monitor",
    alert="AlarmMonitorReachesNobody",
)
REDUCED = FindingKind(
    "M019",
    Severity.NOTICE,
    "supervision is reduced: during a pause a node's failure isn't reported, during a walk test each first press "
    "is only a test",
    "if this isn't intended, end it: alarm-monitor resume SITE/NODE, or alarm-monitor walk-test end ID",
    alert="AlarmSupervisionReduced",
    counted=("1 node", "{count} nodes"),
)
UNTOLD = FindingKind(
    "M020",
    Severity.CRITICAL,
    "nobody was notified of an alarm: no target has accepted a message about it",
    "go there or telephone now; then find out why no target accepts it: sudo alarm-monitor check",
    alert="AlarmToldToNobody",
)
ISOLATED = FindingKind(
    "M022",
    Severity.WARNING,
    "a target is isolated: the people behind it aren't notified",
    "when it works again, restore it: alarm-monitor restore-target {target}; at the given end it is restored by itself",
    alert="AlarmMonitorTargetIsolated",
)
UNKNOWN_FAULTS = FindingKind(
    "M023",
    Severity.WARNING,
    "a node reports faults, events or alarm classes that this monitor doesn't know: a press may raise no alarm",
    "read them at the node: sudo alarm-node check; then upgrade the monitor to the node's version",
    alert="AlarmNodeUnknownFaults",
    counted=("1 fault", "{count} faults"),
)
IMPLAUSIBLE = FindingKind(
    "M024",
    Severity.CRITICAL,
    "a node's messages contradict each other: another client may use its login, or it has lost its record",
    "go there as for any alarm; then look in the broker's log for another client with this login, and change the "
    "node's password",
    alert="AlarmNodeImplausible",
)
DOUBLED = FindingKind(
    "M028",
    Severity.CRITICAL,
    "two nodes use the same id: a press at one of them may reach nobody, and it isn't known at which",
    "find the second node (a copied SD card, a spare Pi), switch it off, and give it an id of its own: "
    "sudo alarm-node init",
    alert="AlarmNodeDoubled",
)
FILE_UNUSABLE = FindingKind(
    "M031",
    Severity.WARNING,
    "a file of the monitor can't be used: after a restart the monitor may not reach a broker or a target",
    "correct the file that the detail names; the monitor reads it within a minute",
    alert="AlarmMonitorFileUnusable",
)
ROSTER_UNUSABLE = FindingKind(
    "M032",
    Severity.CRITICAL,
    "the roster can't be used: the monitor uses the last valid one, or none, and may not notice that a node is missing",
    "correct the lines that sudo alarm-monitor check lists, then: sudo systemctl restart alarm-monitor",
    alert="AlarmRosterUnusable",
)
CONFIGURATION_UNUSABLE = FindingKind(
    "M033",
    Severity.WARNING,
    "the configuration can't be used any more: the monitor goes on with the settings from its start, but may not "
    "start again",
    "correct the lines that sudo alarm-monitor check lists, before anyone restarts the monitor",
    alert="AlarmMonitorConfigurationUnusable",
)
THROWN_OFF = FindingKind(
    "M034",
    Severity.CRITICAL,
    "the connection to a broker ends again and again, soon after it began: receipts and commands are lost",
    "look up the reason in the broker's log: a limit that the monitor exceeds, or another client with its id or login",
    alert="AlarmMonitorThrownOff",
)
BROKER_TOO_OLD = FindingKind(
    "M035",
    Severity.CRITICAL,
    "a broker doesn't support MQTT 5: alarms that only this broker carries aren't heard here",
    "enable MQTT 5 at the broker (mosquitto has it from 1.6 on), or use another broker",
    alert="AlarmMonitorBrokerTooOld",
)
BROKER_FORBIDS = FindingKind(
    "M036",
    Severity.CRITICAL,
    "a broker doesn't allow retained messages or QoS 1: it can't carry alarms",
    "allow both at the broker (mosquitto: retain_available true, max_qos 2), or use another broker",
    alert="AlarmMonitorBrokerForbids",
)
BROKER_LIMIT = FindingKind(
    "M037",
    Severity.CRITICAL,
    "a broker refuses the monitor or its messages because of a limit: nodes get no receipts, and their lamps show "
    "that nobody has the alarm",
    "look the reason code up in the broker's log and manual, and raise that limit for the monitor's login",
    alert="AlarmMonitorBrokerLimit",
)
COMMANDS_EXPIRED = FindingKind(
    "M038",
    Severity.CRITICAL,
    "commands reach a node without their expiry: it refuses them, so nobody can acknowledge or reset its alarms "
    "from here",
    "set bridge_protocol_version mqttv50 at the bridge between the brokers, or use a broker that forwards the expiry",
    alert="AlarmNodeCommandsExpired",
)
COMMANDS_UNHEARD = FindingKind(
    "M039",
    Severity.CRITICAL,
    "a node is heard but answers no command: nobody can acknowledge or reset its alarms from here",
    "compare the broker's access list, and the topics of a bridge, with the files in deploy/mosquitto",
    alert="AlarmNodeCommandsUnheard",
)
API_AWAY = FindingKind(
    "M040",
    Severity.WARNING,
    "the monitor can't use one of its own addresses: screens and tools that ask there get no answer",
    "the detail has the reason: end the program that uses the address, or set another one in [api] of "
    "monitor.toml and restart the monitor; it retries by itself",
    alert="AlarmMonitorApiAway",
)
HISTORY_IN_MEMORY = FindingKind(
    "M041",
    Severity.WARNING,
    "the history is only in the machine's memory: a power cut or a restart of the machine loses alarms that were "
    "confirmed",
    "give the monitor a state directory on a disk, or a PostgreSQL database: url_file in [history] of monitor.toml",
    alert="AlarmHistoryInMemory",
)

FINDINGS: Mapping[str, FindingKind] = MappingProxyType(
    {kind.code: kind for kind in tuple(globals().values()) if isinstance(kind, FindingKind)}
)
"""Each finding above, by its code."""

SUPERVISION = frozenset({REDUCED.code, ISOLATED.code, faults.INPUT_INHIBITED.code})
"""Findings that reduce supervision: the first group of the site is told when one begins and when it ends."""


WOULD_TAKE = "isolated: "
"""The start of UNREACHED's detail if isolated targets would take these calls. The names of the targets follow it."""


def kind_of(code: str) -> FaultKind:
    """What this code means: a finding of the monitor, a node's fault, or an unknown code of a newer node."""
    text, step = "the node reports a fault that this monitor doesn't know", "read it at the node: sudo alarm-node check"
    return FINDINGS.get(code) or faults.FAULTS.get(code) or FaultKind(code, Severity.WARNING, text, step)


def own_key(kind: FindingKind, monitor: str, name: str = "") -> FindingKey:
    """The key of a finding of this monitor about itself; ``name`` is the part of the monitor that it is about."""
    return FindingKey(kind.code, "", "", f"{monitor}/{name}" if name else monitor)


def own_parts(key: FindingKey) -> tuple[str, str]:
    """The monitor and the name in an ``own_key``. A monitor's id never contains a slash (monitor_file.py)."""
    monitor, _, name = key.subject.partition("/")
    return monitor, name
