"""A plugin for Nagios, Icinga and Checkmk, which asks the monitor's API about one thing."""
