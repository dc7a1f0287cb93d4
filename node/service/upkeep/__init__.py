"""What is done beside decisions: files are looked at, starts counted, presses rehearsed, calls shown in the log."""
