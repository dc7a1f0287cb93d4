"""Tells people: claims what waits in the outbox, words it, sends it through Apprise, and records the result."""
