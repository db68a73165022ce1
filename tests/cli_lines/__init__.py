"""Compare lines of the docker command line: typed to the engine's own program, and to containerkit."""
