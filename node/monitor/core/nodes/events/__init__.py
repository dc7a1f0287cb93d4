"""The events of a node: which numbers are held, which are missing, whether they fit, and what is kept of them."""
