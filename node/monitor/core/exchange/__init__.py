"""What passes between the core and its shell: settings, messages of nodes, batches to store, and deliveries."""
