"""The history's tables, and how the tables of an earlier version are upgraded."""
