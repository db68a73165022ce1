"""Adapters: the one interface to an engine, and its implementations."""
