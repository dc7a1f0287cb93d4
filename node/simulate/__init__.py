"""``alarm-node simulate``: the same service on gpiozero's mock pins; text in, JSON lines out."""
