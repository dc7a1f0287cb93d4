"""The doctor: what of a node doesn't work, found without disturbing a service that runs."""
