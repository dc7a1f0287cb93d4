"""The doctor: finds what doesn't work at a node, without disturbing a service that runs."""
