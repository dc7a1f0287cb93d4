"""The catalogue of what the monitor finds: code, severity, meaning, and next step.

The codes here are ``M…``. A node's own faults (``F…``) come with its heartbeats and become findings, too. Codes are
never reused. Each code has its section in deploy/guides/OPERATIONS.md. The texts here are English; locale/
translates them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from node.errors import faults
from node.errors.faults import FaultKind, Severity
from node.monitor.core.model import FindingKey

FindingKind = FaultKind
"""A finding of the monitor has the same fields as a node's fault."""

DOWN = FindingKind(
    "M001",
    Severity.CRITICAL,
    "a node is down: whoever presses there is heard by nobody here",
    "tell the people there and give them a telephone; then look at its power, cable and lamp",
)
OVERDUE_BACK = FindingKind(
    "M002",
    Severity.CRITICAL,
    "a node was stopped and isn't back: whoever presses there is heard by nobody",
    "ask who stopped it, and start it: systemctl start alarm-node",
)
EVENTS_MISSING = FindingKind(
    "M003",
    Severity.WARNING,
    "events of a node never came: what happened there isn't known whole",
    "read them at the node: alarm-node log; then look for what the broker drops (max_queued_messages)",
)
NEVER_HEARD = FindingKind(
    "M004",
    Severity.CRITICAL,
    "a node of the roster was never heard: whoever presses there is heard by nobody here",
    "see whether it is installed and runs: alarm-node check; or take it out of nodes.toml",
)
NOT_OURS = FindingKind(
    "M005",
    Severity.WARNING,
    "a node speaks that the roster doesn't know: nobody knows where it is",
    "write it into nodes.toml with its place, or find out who set it up",
)
TEST_OVERDUE = FindingKind(
    "M006",
    Severity.WARNING,
    "a button's test is overdue: nobody knows whether it still works",
    "test it: alarm-monitor walk-test start, then press it once",
)
MISTAKEN_CALLS = FindingKind(
    "M007",
    Severity.NOTICE,
    "a button called by mistake more than once in twelve months: after a few, nobody runs any more",
    "go there, and ask how it happened: move or cover the button, or show people how it works",
)
BROKER_AWAY = FindingKind(
    "M008",
    Severity.CRITICAL,
    "a broker can't be reached from here: nodes that only it reaches aren't heard",
    "check the broker and the network between; the monitor goes on trying by itself",
)
RESET_MISSING = FindingKind(
    "M009",
    Severity.WARNING,
    "a node says normal, but the end of an alarm never came: it is still open here",
    "ask at the place; where all is well, end it here: alarm-monitor reset",
)
TARGET_FAILS = FindingKind(
    "M010",
    Severity.CRITICAL,
    "a target can't be told: people who count on it don't hear of alarms",
    "see why in the log, and mend its address or its server; what waits for it is sent then",
)
HISTORY_FAILS = FindingKind(
    "M011",
    Severity.CRITICAL,
    "the history can't be written: nothing is held, and people are told from memory alone",
    "check the database and its disk; the monitor goes on by itself",
)
FLOOD = FindingKind(
    "M012",
    Severity.WARNING,
    "more is said to the monitor than any building says: what is too much is dropped",
    "find who sends it, in the broker's log; give each node its own account and an access list",
)
REFUSED = FindingKind(
    "M013",
    Severity.CRITICAL,
    "the broker refuses what the monitor says: nodes hear no receipt",
    "give the monitor's account the rights of deploy/mosquitto in the broker's access list",
)
STOLEN_ID = FindingKind(
    "M014",
    Severity.CRITICAL,
    "another client speaks as this monitor: one of the two throws the other off the broker",
    "find the second one and give it an id of its own in monitor.toml",
)
OPEN_ALARM_UNSTORED = FindingKind(
    "M015",
    Severity.WARNING,
    "a node has an alarm whose event never came here",
    "go there as for any alarm; then look for what the broker drops",
)

OPEN_AT_THE_WALL = FindingKind(
    "M016",
    Severity.WARNING,
    "an alarm that was ended here is still open at its node: its lamp and its sound go on calling",
    "go there; where all is well, end it there, or once more here: alarm-monitor reset",
)

MANY_CALLS = FindingKind(
    "M017",
    Severity.WARNING,
    "a node calls more often than people can: its calls are told after those of others",
    "go there, somebody may need help; then look for a loose wire, and for who else uses the node's login",
)

UNREACHED = FindingKind(
    "M018",
    Severity.CRITICAL,
    "no target takes these calls: whoever calls for help so is told to nobody",
    "where a target is isolated, bring it back: alarm-monitor restore-target NAME; "
    "else write a [[target]] with this site and class and level 0 into monitor.toml, and restart the monitor",
)

REDUCED = FindingKind(
    "M019",
    Severity.NOTICE,
    "supervision is reduced: a pause hides a node's silence, a walk test makes each first press a test",
    "where that isn't meant, end it: alarm-monitor resume, alarm-monitor walk-test end",
)

ISOLATED = FindingKind(
    "M022",
    Severity.WARNING,
    "a target is isolated: people who count on it are told nothing",
    "when it is mended, bring it back: alarm-monitor restore-target; it comes back by itself at the given end",
)

UNTOLD = FindingKind(
    "M020",
    Severity.CRITICAL,
    "an alarm was told to nobody: no target has taken a message about it",
    "go there now, or telephone; then see why no target takes it: alarm-monitor check",
)

UNKNOWN_FAULTS = FindingKind(
    "M023",
    Severity.WARNING,
    "a node reports faults that this monitor doesn't know: it is newer, or somebody invents them",
    "read them at the node: alarm-node check; and bring the monitor to the node's version",
)
IMPLAUSIBLE = FindingKind(
    "M024",
    Severity.CRITICAL,
    "a node's messages contradict each other: somebody else may speak in its name, or it has lost its record",
    "find in the broker's log who else has its login, change its password, and give each node an access list",
)
DOUBLED = FindingKind(
    "M028",
    Severity.CRITICAL,
    "two nodes speak as one: one of the two buttons may be dead, and nobody sees which",
    "find the second one (a copied memory card, a spare Pi), switch it off, and give it an id of its own",
)
FILE_UNUSABLE = FindingKind(
    "M031",
    Severity.WARNING,
    "a file of the monitor can't be used as it is now: what was read from it before is used on, if anything",
    "mend the file that is named here: it is taken within a minute",
)
ROSTER_UNUSABLE = FindingKind(
    "M032",
    Severity.CRITICAL,
    "the roster can't be used: the monitor goes on with the one that it could read last, or without any",
    "mend the lines that alarm-monitor check names, then: systemctl restart alarm-monitor",
)
CONFIGURATION_UNUSABLE = FindingKind(
    "M033",
    Severity.WARNING,
    "the configuration can't be used as it is now: the monitor goes on with what it read at its start",
    "mend the lines that alarm-monitor check names, before somebody restarts the monitor",
)

API_AWAY = FindingKind(
    "M040",
    Severity.WARNING,
    "the monitor can't be asked at an address of its own: desks and tools that ask there see nothing",
    "the detail says why: end the program that has the address, or give another in monitor.toml: [api]; "
    "the monitor goes on trying by itself",
)

HISTORY_IN_MEMORY = FindingKind(
    "M041",
    Severity.WARNING,
    "the history lies in the machine's memory: a power cut or a restart takes all that is held with it",
    "give the monitor a state directory on a disk, or name a PostgreSQL in monitor.toml: [history] url_file",
)

THROWN_OFF = FindingKind(
    "M034",
    Severity.CRITICAL,
    "the connection to a broker ends again and again, soon after it began: receipts and calls are lost on the way",
    "see why in the broker's log: a limit that this monitor reaches, or another client with its id or login",
)

BROKER_TOO_OLD = FindingKind(
    "M035",
    Severity.CRITICAL,
    "a broker doesn't speak MQTT 5: nodes that only it reaches aren't heard",
    "let it speak MQTT 5 (mosquitto does from 1.6 on), or take another broker",
)
BROKER_FORBIDS = FindingKind(
    "M036",
    Severity.CRITICAL,
    "a broker forbids retained messages or QoS 1: it is of no use for alarms",
    "allow both at the broker (mosquitto: retain_available true, max_qos 2), or take another broker",
)
BROKER_LIMIT = FindingKind(
    "M037",
    Severity.CRITICAL,
    "a broker refuses the monitor, or what it says, by a limit or rule of its own: nodes hear no receipt",
    "look the reason code up in the broker's log and manual, and raise that limit for the monitor's login",
)

COMMANDS_EXPIRED = FindingKind(
    "M038",
    Severity.CRITICAL,
    "commands reach a node without their expiry: it refuses every one, and no call can be ended there from afar",
    "write bridge_protocol_version mqttv50 at the bridge between the brokers, or take a broker that forwards it",
)
COMMANDS_UNHEARD = FindingKind(
    "M039",
    Severity.CRITICAL,
    "a node is heard and answers no command: no call can be ended there from afar",
    "compare the broker's access list, and the topics of a bridge between, with those in deploy/mosquitto",
)

FINDINGS: Mapping[str, FindingKind] = MappingProxyType(
    {kind.code: kind for kind in tuple(globals().values()) if isinstance(kind, FindingKind)}
)
"""Each finding above, by its code."""

SUPERVISION = frozenset({REDUCED.code, ISOLATED.code, faults.INPUT_INHIBITED.code})
"""Findings that reduce supervision: the first group of the site is told when one begins and when it ends."""


WOULD_TAKE = "isolated: "
"""The start of UNREACHED's detail if isolated targets would take these calls. The names of the targets follow it."""


def kind_of(code: str) -> FindingKind:
    """What this code means: a finding of the monitor, a node's fault, or an unknown code of a newer node."""
    unknown = FindingKind(
        code, Severity.WARNING, "the node reports a fault that this monitor doesn't know", "see its log"
    )
    return FINDINGS.get(code) or faults.FAULTS.get(code) or unknown


_STEPS = {
    TEST_OVERDUE.code: "test it: alarm-monitor walk-test start --site {site}, then press it once",
    RESET_MISSING.code: "ask at the place; where all is well, end it here: alarm-monitor reset {incident} --reason …",
    OPEN_AT_THE_WALL.code: (
        "go there; where all is well, end it there, or once more here: alarm-monitor reset {incident} --reason …"
    ),
    ISOLATED.code: (
        "when it is mended, bring it back: alarm-monitor restore-target {target}; "
        "it comes back by itself at the given end"
    ),
}
_BRING_BACK = "an isolated target would take these calls, bring it back: alarm-monitor restore-target {target}"
_END_PAUSE = "where that isn't meant, end it: alarm-monitor resume {node}"
_END_WALK_TEST = "where that isn't meant, end it: alarm-monitor walk-test end {walk}"


def next_step(key: FindingKey, detail: str = "") -> str:
    """What to do about this finding. Fills the names that the command needs into the next step of its kind."""
    step = _STEPS.get(key.code, kind_of(key.code).next_step)
    if key.code == UNREACHED.code and detail.startswith(WOULD_TAKE):
        return _BRING_BACK.format(target=detail.removeprefix(WOULD_TAKE).partition(",")[0])
    if key.code == REDUCED.code:
        step = _END_PAUSE if key.node else _END_WALK_TEST
    elif key.code not in _STEPS:
        return step
    incident = f"{key.site}/{key.node}/{key.subject}"
    target = own_parts(key)[1]
    node = f"{key.site}/{key.node}"
    return step.format(site=key.site, node=node, incident=incident, target=target, walk=key.subject)


def own_key(kind: FindingKind, monitor: str, name: str = "") -> FindingKey:
    """The key of a finding of this monitor about itself; ``name`` is the part of the monitor that it is about."""
    return FindingKey(kind.code, "", "", f"{monitor}/{name}" if name else monitor)


def own_parts(key: FindingKey) -> tuple[str, str]:
    """The monitor and the name in an ``own_key``. A monitor's id never contains a slash (monitor_files.py)."""
    monitor, _, name = key.subject.partition("/")
    return monitor, name
