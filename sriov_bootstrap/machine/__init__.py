"""The edges wired for the daemon and the verbs."""
