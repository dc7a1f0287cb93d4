"""What each command of alarm-monitor does."""
