"""The monitor as a service: its loop, its threads, what it hears, and how it is put together."""
