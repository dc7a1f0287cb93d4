"""How the building is at one moment, as API, metrics, status and plugin show it."""
