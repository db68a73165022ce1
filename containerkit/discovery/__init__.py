"""Find engines and connect to them: names, URLs, contexts, sockets, ssh tunnels, a Podman service of our own.

From the bottom up: `endpoints` (URLs), `contexts` and `connections` (configuration files), `candidates` (where to
look, in order), `probe` (which engine answers), `helper`, `tunnel`, `embedded` (processes), `routes` (open one
candidate), `connect` (the public functions). Start reading in :mod:`.connect`.
"""
