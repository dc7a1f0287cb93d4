"""What can be observed of the demo from outside: messages at the broker, outputs of the nodes, the monitor's view."""
