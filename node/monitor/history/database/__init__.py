"""How the database is opened, upgraded and locked for one writer, and what its failures mean."""
