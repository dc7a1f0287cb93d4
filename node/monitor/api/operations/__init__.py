"""What can be asked by the API: the table of all operations, and what each does."""
