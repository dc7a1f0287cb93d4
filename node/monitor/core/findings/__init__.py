"""What needs somebody: the checks of nodes' faults, of targets and of the monitor itself."""
