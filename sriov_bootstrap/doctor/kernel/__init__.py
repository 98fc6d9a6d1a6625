"""Firmware, kernel and IOMMU: 1xx."""
