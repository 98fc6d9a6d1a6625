"""sriov-bootstrap puts SR-IOV virtual functions on OpenStack compute hosts and keeps them there."""

__version__ = "0.1.0"
