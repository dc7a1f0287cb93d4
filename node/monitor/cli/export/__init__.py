"""The history and the record of tests as tables, CSV, JSON and HTML."""
