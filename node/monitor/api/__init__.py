"""The HTTP API: status, history, commands, metrics and health for tools and for the monitor's own commands."""
