"""NICs, drivers and VFs: 2xx."""
