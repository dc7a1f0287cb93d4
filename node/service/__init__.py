"""The node as a service: the loop that decides, what it hands to record and brokers, and its status."""
