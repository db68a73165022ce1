"""Registries for the push and pull tests."""
