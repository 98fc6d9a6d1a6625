"""One verb for each file; the only place that wires edges to decisions."""
