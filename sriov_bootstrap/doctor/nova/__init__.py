"""nova-compute and the scheduler: 4xx and 6xx."""
