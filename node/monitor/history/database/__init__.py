"""How the database is opened, made one of today's, written by one at a time, and what its failures mean."""
