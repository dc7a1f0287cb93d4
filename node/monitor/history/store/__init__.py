"""How what was decided is stored, and what a start reads of it."""
