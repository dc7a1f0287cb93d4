"""What needs somebody: the catalogue of findings, and the checks of nodes, targets and the monitor itself."""
