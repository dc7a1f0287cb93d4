"""The history's tables, and how those of an earlier version become today's."""
