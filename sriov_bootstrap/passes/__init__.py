"""One pass from facts to VFs, its restarts, and release: decided by core, done by the machine."""
