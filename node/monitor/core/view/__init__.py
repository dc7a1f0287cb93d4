"""How the building is at one moment, as the API, the metrics, the status table and the check plugin show it."""
