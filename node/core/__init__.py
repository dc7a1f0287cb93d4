"""The node's decisions, pure: no input or output, no clock, no threads, no logging, no third-party import."""
