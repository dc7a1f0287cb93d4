"""What one turn of the hub decides, and how it is said: to the history, to nodes, and to people."""
