"""The processes of the demo: a private mosquitto, simulated nodes, and the monitor."""
