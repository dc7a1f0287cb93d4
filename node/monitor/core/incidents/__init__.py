"""The life of an incident at the monitor: who is called when, who was told, and what its node says."""
