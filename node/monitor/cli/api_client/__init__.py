"""How a command asks a running monitor: which one, as whom, and what a typed name means."""
