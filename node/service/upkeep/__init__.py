"""What of the files must be looked at or written while the node runs, and what a start learns of earlier ones."""
