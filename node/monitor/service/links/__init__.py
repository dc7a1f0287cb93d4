"""The monitor's connections to its brokers: what it says and hears there, and what each of them reports."""
