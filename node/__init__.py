"""alarm-node: a panic button that is never silently dead."""

__version__ = "1.0.0"
