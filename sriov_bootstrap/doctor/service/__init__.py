"""Our own service and config: 7xx."""
