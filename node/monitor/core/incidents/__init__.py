"""The life of an incident at the building's side: who is called when, who was told, what its node says."""
