"""The machine that the node runs on: what it says of itself, and what of that is a fault.

Rules:

1. What this machine doesn't have, or doesn't tell, is "no data" (None). What is there but can't be read is a fault.
2. Nothing here decides anything for a press. Whatever hangs in here holds up one thread, and nobody else.

``readers`` and ``power`` read, ``limits`` says what is a fault, ``health_thread`` does both. ``kernel``
answers at once and may be asked on any thread.
"""

from node.io.health.health_thread import HealthReader
from node.io.health.kernel import clock_synchronised, kernel_boot

__all__ = ["HealthReader", "clock_synchronised", "kernel_boot"]
