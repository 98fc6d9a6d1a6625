"""Proof in a cloud: what neutron and nova make of this host's VFs. Decides; the cloud is a Protocol, in protocols."""
