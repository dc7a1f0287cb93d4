"""alarm-node: a panic button that is never silently dead."""

__version__ = "0.1.0"
