"""Campaigns: one promise each, tried again and again at random moments; `make faults` runs them all."""
