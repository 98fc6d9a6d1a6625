"""A simulated fleet: many hosts' metrics, as the exporter's own code writes them."""
