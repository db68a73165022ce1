"""Read the user's configuration of the docker and podman command lines: variables, files, registry credentials.

Start reading in :mod:`.environment`. This room contacts no engine. Only :mod:`.storing` writes.
"""
