"""The node's hands: the wall's pins, the brokers, the record on the card, the machine's health, systemd."""
