"""Upgrades the history of an earlier version: Alembic's environment, and versions/."""
