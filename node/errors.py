"""What can be wrong: the errors a command ends with, and the faults a running node reports.

Both carry a code and end with the next step to take (``F020 … Next: …``). Codes are never reused: people look them up
years later. ``E``: the program refuses to go on. ``F``: the node goes on and says what of it doesn't work.
"""

from dataclasses import dataclass


class AlarmNodeError(Exception):
    """An expected failure: ``str()`` is ``E001 what happened. Next: what to do``."""

    code = "E000"

    def __init__(self, text: str, next_step: str) -> None:
        super().__init__(f"{self.code} {text}. Next: {next_step}.")
        self.text = text
        self.next_step = next_step


class ConfigError(AlarmNodeError):
    """node.toml can't be used; ``problems`` holds every one of them, a line each."""

    code = "E001"

    def __init__(self, problems: tuple[str, ...], path: str) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{path} has {count}", "mend the lines above, then run: alarm-node check")
        self.problems = problems


class PanelError(AlarmNodeError):
    """A pin can't be used: without its inputs a node must not look alive, so it doesn't start."""

    code = "E002"


class AlreadyRunningError(AlarmNodeError):
    """Another alarm-node holds this state directory."""

    code = "E003"


class StateDirectoryError(AlarmNodeError):
    """The state directory can't be read by this command."""

    code = "E004"


class ToolMissingError(AlarmNodeError):
    """A program that this command starts isn't on this machine."""

    code = "E005"


class SimulationError(AlarmNodeError):
    """What the simulated wall was asked for can't be."""

    code = "E006"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault: ``text`` says what doesn't work and what that means, ``next_step`` what to do."""

    code: str
    text: str
    next_step: str


INPUT_UNREADABLE = FaultKind(
    "F001",
    "an input can't be read: nobody knows whether it is pressed",
    "check that the pin is wired and that no other program uses it, then restart the node",
)
EDGES_LOST = FaultKind(
    "F002",
    "edges of an input are lost: only the level sampler is left, and presses under 100 ms may not count",
    "restart the node; if the fault returns, press for half a second and have the node replaced",
)
OUTPUT_FAILED = FaultKind(
    "F003",
    "an output can't be driven: the buzzer or the lamp doesn't show what the node decided",
    "check the pin of the buzzer and the lamp, then restart the node",
)
BROKER_UNREACHABLE = FaultKind(
    "F010",
    "a broker can't be reached: alarms don't leave the node on this path",
    "check the cable, the network and the broker; the node goes on trying by itself",
)
PUBLISH_REFUSED = FaultKind(
    "F011",
    "the broker refuses what the node publishes on a topic",
    "give the node's account the right to write this topic in the broker's access list",
)
CANARY_SILENT = FaultKind(
    "F012",
    "the node doesn't hear its own canary: commands and receipts may not reach it either",
    "give the node's account the right to read and write its own branch in the broker's access list",
)
STOLEN_ID = FaultKind(
    "F013",
    "another client speaks as this node: one of the two throws the other off the broker",
    "find the second node or tool with the same id and give it one of its own",
)
NO_MONITOR = FaultKind(
    "F014",
    "no monitor is heard: alarms reach the broker, but nobody confirms that the building has them",
    "start a monitor, or check that its account may write to the monitors' branch",
)
RECORD_FAILED = FaultKind(
    "F020",
    "the record can't be written: alarms are sent, but a power cut would forget them",
    "check the SD card (space, read-only, age); the node takes it back by itself",
)
CLOCK_FREE = FaultKind(
    "F030",
    "the clock isn't synchronised: dates in messages may be wrong (no decision depends on them)",
    "check that a time server is reachable: timedatectl timesync-status",
)
INPUT_INHIBITED = FaultKind(
    "F040",
    "an input is inhibited: pressing it raises no alarm",
    "mend what it was inhibited for; it comes back by itself at the given end",
)

FAULTS: dict[str, FaultKind] = {
    kind.code: kind
    for kind in (
        INPUT_UNREADABLE,
        EDGES_LOST,
        OUTPUT_FAILED,
        BROKER_UNREACHABLE,
        PUBLISH_REFUSED,
        CANARY_SILENT,
        STOLEN_ID,
        NO_MONITOR,
        RECORD_FAILED,
        CLOCK_FREE,
        INPUT_INHIBITED,
    )
}
