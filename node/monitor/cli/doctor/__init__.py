"""What of a monitor doesn't work, found without changing anything."""
