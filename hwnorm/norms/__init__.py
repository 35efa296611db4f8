"""Normalizations as graphs: one file a family, ``catalog.py`` the registry."""
