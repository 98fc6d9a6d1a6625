"""What nova and neutron have in common: their units and the files that each of them really reads."""
