"""Where an engine may answer, and how to reach it: names, URLs, contexts, sockets, tunnels, a service of our own."""
