"""What needs somebody: the catalogue of findings, and what is found of nodes, targets and the monitor itself."""
