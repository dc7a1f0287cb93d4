"""What is done beside decisions: files are looked at, starts counted, presses decided ahead, calls shown in the log."""
