"""The node as a service: the loop that decides, what the loop passes to record and brokers, and its status."""
