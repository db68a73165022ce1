"""Containers, images, volumes and networks of one engine, and the session that owns what is created.

Imports backends.base, layers, options, reference, spec, streams, errors and values; never the engine above it.
Start reading at :mod:`containerkit.resources.core`, then :mod:`containerkit.resources.create`.
"""
