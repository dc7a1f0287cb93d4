"""What a command ends with when it can't go on: an error with a code (``E…``) and the next step.

Codes are never reused: people look them up years later. ``faults`` has what a running node reports.
"""

ERRORS: "dict[str, type[AlarmNodeError]]" = {}
"""Every error that was imported, by its code."""


class AlarmNodeError(Exception):
    """An expected failure: ``str()`` is ``E001 what happened. Next: what to do``."""

    code = "E000"
    problems: tuple[str, ...] = ()
    """What is told before it, a line each."""

    def __init_subclass__(cls) -> None:
        """TypeError where a class has no code of its own."""
        super().__init_subclass__()
        if cls.code in ERRORS:
            raise TypeError(f"{cls.__name__} needs a code of its own: {cls.code} is {ERRORS[cls.code].__name__}'s")
        ERRORS[cls.code] = cls

    def __init__(self, text: str, next_step: str) -> None:
        super().__init__(f"{self.code} {text}. Next: {next_step}.")
        self.text = text
        self.next_step = next_step

    @property
    def with_first_problem(self) -> str:
        """The error on one line that also tells the first of its problems, for a place with room for no more."""
        text = f"{self.text}: {self.problems[0]}" if self.problems else self.text
        return f"{self.code} {text}. Next: {self.next_step}."


ERRORS[AlarmNodeError.code] = AlarmNodeError


class ConfigError(AlarmNodeError):
    """A configuration can't be used; ``problems`` holds all of them, a line each. ``absent``: there is no file."""

    code = "E001"

    def __init__(
        self, problems: tuple[str, ...], path: str, program: str = "alarm-node", *, absent: bool = False
    ) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        action = "init" if absent else "check"
        is_installed = path.startswith(f"/etc/{program}/")  # only root may write there, and often read
        command = f"sudo {program} {action}" if is_installed else f"{program} {action} --config {path}"
        step = "write it" if absent else "correct the lines above, then run"
        super().__init__(f"{path} has {count}", f"{step}: {command}")
        self.problems = problems


class PanelError(AlarmNodeError):
    """The pins of this machine can't be used: a node that runs says so as faults, and tries again."""

    code = "E002"


class AlreadyRunningError(AlarmNodeError):
    """Another alarm-node holds this state directory."""

    code = "E003"


class StateDirectoryError(AlarmNodeError):
    """The state directory can't be read by this command."""

    code = "E004"


class ToolMissingError(AlarmNodeError):
    """A program that this command needs isn't on this machine, or doesn't start."""

    code = "E005"


class SimulationError(AlarmNodeError):
    """What the simulated wall was asked for can't be."""

    code = "E006"


class InitError(AlarmNodeError):
    """A node.toml isn't written: what was answered doesn't do, or the file can't be, or mustn't be, replaced."""

    code = "E007"

    def __init__(self, text: str, next_step: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(text, next_step)
        self.problems = problems
