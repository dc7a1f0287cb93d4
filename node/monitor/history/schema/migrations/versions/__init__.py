"""A module for each version; the tables that it makes are written out, since tables.py goes on changing."""
