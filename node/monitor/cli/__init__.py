"""The building's commands: run, status, acknowledge, reset, walk-test, history, check and their like."""
