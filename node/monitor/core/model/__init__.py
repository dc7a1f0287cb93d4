"""What the monitor knows, is asked for and is set to: types, settings, and the catalogue of findings."""
