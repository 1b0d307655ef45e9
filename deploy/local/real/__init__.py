"""Real engines in the place of embedded ones, for tests: those that REAL_ENGINES names. See `make test-engines`."""
