"""Tells people: takes what waits in the outbox, words it, sends it through Apprise, and records what came of it."""
