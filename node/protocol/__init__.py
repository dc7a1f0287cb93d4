"""What travels between node, broker and monitor (protocol v1), and what the record keeps of it."""
