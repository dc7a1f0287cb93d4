"""The demo at a terminal: what the screen shows, and what each key does."""
