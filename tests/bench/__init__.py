"""What the metrics cost, measured without a VM."""
