"""What people ask of the monitor and of its nodes: commands, walk tests, button tests, actions on targets."""
