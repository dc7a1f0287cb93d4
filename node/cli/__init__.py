"""The node's commands: run, init, check, log and others."""
