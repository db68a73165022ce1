"""What this user has configured for the docker and podman command lines: variables, files, registry credentials.

Start reading in :mod:`.environment`. This room reads files and variables, and contacts no engine.
"""
