"""What a monitor looks after beside its work: its files, its threads, and what the history need no longer keep."""
