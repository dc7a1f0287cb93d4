"""The messages between node, broker and monitor (protocol v1), and what the record stores of them."""
