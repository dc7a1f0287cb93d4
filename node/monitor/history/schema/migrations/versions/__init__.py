"""One module for each version. Each writes out the tables that it makes, since tables.py goes on changing."""
