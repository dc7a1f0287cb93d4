"""What a command shows: the status, what came of a command, tables that fit the terminal."""
