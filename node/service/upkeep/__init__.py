"""What is done beside decisions: files are looked at and written, starts are counted, presses are rehearsed."""
