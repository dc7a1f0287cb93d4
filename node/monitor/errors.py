"""What the monitor's commands end with where its history or a token is at fault; each with its code and next step."""

from pathlib import Path

from node.errors import AlarmNodeError


class HistoryError(AlarmNodeError):
    """The history can't be read or written, for a reason that has no code of its own."""

    code = "E020"


class HistoryUnreachableError(HistoryError):
    """The database doesn't answer, or its file can't be opened."""

    code = "E021"


class HistoryRefusedError(HistoryError):
    """The database answers, and lets us not in: name, password, rights or the name of the database."""

    code = "E022"


class HistoryFullError(HistoryError):
    """The disk of the history is full."""

    code = "E023"


class HistoryReadOnlyError(HistoryError):
    """The history can be read, and nothing can be written to it."""

    code = "E024"


class HistoryNewerError(HistoryError):
    """A newer program has changed the history to a shape that this one doesn't know."""

    code = "E025"


class HistoryOlderError(HistoryError):
    """The history is empty, or of an older program: only a start of the monitor changes that."""

    code = "E026"


class HistoryDamagedError(HistoryError):
    """The file isn't a history, or was garbled."""

    code = "E027"


class HistoryUrlError(HistoryError):
    """The address of the history names no database that the monitor works with."""

    code = "E028"


class UnstorableError(HistoryError):
    """What was to be stored can't be, in whatever state the database is; another try won't help."""

    code = "E029"


class HistoryEncodingError(HistoryError):
    """The database can't keep every text: its encoding isn't UTF8."""

    code = "E043"


class TokenNameError(AlarmNodeError):
    """There is a valid token of this name already."""

    code = "E030"


class MonitorRunningError(AlarmNodeError):
    """Another monitor runs with this state directory: the two would throw each other off their brokers."""

    code = "E035"

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"another alarm-monitor runs with the state directory {directory}",
            "ask that one: alarm-monitor status; or stop it first: sudo systemctl stop alarm-monitor",
        )


class ThreadDiedError(AlarmNodeError):
    """A thread of the monitor is dead, without which it doesn't do what people count on."""

    code = "E044"

    def __init__(self, names: str) -> None:
        super().__init__(
            f"the monitor ends: a thread that it needs is dead ({names})",
            "systemd restarts it; please report what its log says about that thread: journalctl -u alarm-monitor",
        )


class MonitorDirectoryError(AlarmNodeError):
    """The state directory can't be made or used."""

    code = "E032"

    def __init__(self, directory: Path, problem: OSError) -> None:
        super().__init__(
            f"{directory} can't be used ({problem.strerror})",
            "give the monitor's account the right to write there, or set state_directory in monitor.toml",
        )
