"""`make mutants`: changes the pure cores in one place at a time, and looks whether a test fails."""
