"""The history: what happened in the building, what is open, and what people still have to be told, in one database."""
