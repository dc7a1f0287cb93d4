"""The node's input and output: GPIO pins, brokers, the record on the card, the machine's health, systemd."""
