"""The durable memory: an append-only SQLite file, written by a thread of its own."""
