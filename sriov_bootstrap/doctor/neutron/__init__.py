"""neutron's server, agent and networks: 5xx."""
