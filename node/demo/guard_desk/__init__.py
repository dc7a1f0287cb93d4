"""The person at the monitor: reads its view, acts through its API, and gets its messages."""
