"""Which nodes there are, which of them live, and whether all that they sent has come."""
