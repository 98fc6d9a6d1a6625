"""Proof that VFs work: decisions and nouns, which know nothing of how this host is read."""
