"""How urgent a fault of a node or a finding of a monitor is."""

from enum import StrEnum


class Severity(StrEnum):
    """How urgent it is: a button may be dead; go when you can; good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"

    @property
    def rank(self) -> int:
        """0 for the most urgent one."""
        return tuple(Severity).index(self)
