"""One connection to a broker, from the name lookup to its end: its client, its socket, what it sends and hears."""
