"""What a node's status and an incident's phase are called in tables, replies and exports."""

from node.monitor.locale.translation import mark

STATES = {
    "new": mark("not heard yet"),
    "up": mark("up"),
    "late": mark("late"),
    "down": mark("down"),
    "paused": mark("paused"),
    "open": mark("NOBODY NOTIFIED YET"),
    "held": mark("NOBODY NOTIFIED YET"),
    "told": mark("people notified"),
    "acknowledged": mark("somebody is coming"),
    "reset": mark("over"),
}
"""A node's status and an incident's phase, in people's words."""
