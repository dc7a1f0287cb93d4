"""The monitor's decisions, pure: no input or output, no threads, no clock; time arrives with each call."""
