"""The durable memory: an append-only SQLite file with a writer thread of its own."""
