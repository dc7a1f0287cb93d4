"""The machine that the node runs on: what it reports of itself, and what of that is a fault.

Rules:

1. If this machine doesn't have a value or doesn't report it, it is "no data" (None). If a value is there but can't be
   read, that is a fault.
2. Nothing here takes part in the decision about a press. If a reading hangs, it holds up its own thread only.

``readers`` and ``power`` read, ``limits`` says what is a fault, ``health_thread`` calls both. ``kernel`` answers at
once, so any thread may call it.
"""

from node.io.health.health_thread import HealthReader
from node.io.health.kernel import clock_synchronised, kernel_boot

__all__ = ["HealthReader", "clock_synchronised", "kernel_boot"]
