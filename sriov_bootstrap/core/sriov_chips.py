"""Which chips have SR-IOV and which have not, as far as that follows from driver and ids; nothing is said of others.

Intel's ids are those of igb's e1000_hw.h and ixgbe's ixgbe_type.h; which of them can make VFs is in igb_probe_vfs() and
ixgbe_sw_init(). Not on the boot path.
"""

from sriov_bootstrap.core.drivers import DRIVERS
from sriov_bootstrap.core.facts import PfFacts

INTEL = "8086"
# Each PF that they drive has the capability, unless its firmware hides it.
WITH_SRIOV = frozenset({"i40e", "ice", "fm10k", "mlx5_core", "bnxt_en", "qede", "nfp", "ionic"})
WITH_SRIOV |= {"4xxx", "420xx", "c3xxx", "c6xx", "dh895xcc"}  # Intel QuickAssist
WITHOUT_SRIOV = frozenset({"alx", "amd-xgbe", "atlantic", "bnx2", "e100", "e1000", "e1000e", "forcedeth", "hns", "igc"})
WITHOUT_SRIOV |= {"atl1", "atl1c", "atl1e", "atl2", "8139cp", "8139too", "r8125", "r8169", "skge", "sky2", "tg3", "jme"}
WITHOUT_SRIOV |= {"pcnet32", "vmxnet3", "via-rhine", "via-velocity", "b44", "natsemi", "tulip", "sis190", "sungem"}
VF_DRIVERS = frozenset({"fm10kvf", "hclgevf", "i40evf", "liquidio_vf", "octeontx2-nicvf", "rvu_nicvf", "cxgb4vf"})
VF_DRIVERS |= {"thunder-nicvf", "4xxxvf", "420xxvf", "c3xxxvf", "c6xxvf", "dh895xccvf", "gve"}
VF_DRIVERS |= {driver.vf_module for driver in DRIVERS if driver.vf_module}
CAPABLE = {
    "igb": "10c9 10e6 10e7 10e8 1526 150a 1518 150d 1521 1522 1523 1524 1546",
    "ixgbe": (
        "10f7 1514 1517 151c 10f9 10fb 152a 1529 1507 154d 1557 10fc 10f8 154f 1528 154a 1558 1560 1563 15d1 15aa 15ab "
        "15ac 15ad 15ae 15b0 15c2 15c3 15c4 15c6 15c7 15c8 15ce 15e4 15e5"
    ),
}
INCAPABLE = {
    "igb": "10a7 10a9 10d6 150e 150f 1510 1511 1516 1527 1533 1536 1537 1538 157b 157c 1539",
    "ixgbe": "10b6 1508 10c6 10c7 10db 10c8 150b 10dd 10ec 10f1 10e1 10f4",
}
_CAPABLE, _INCAPABLE = (
    frozenset(number for numbers in table.values() for number in numbers.split()) for table in (CAPABLE, INCAPABLE)
)


def has_sriov(function: PfFacts) -> bool | None:
    """Whether the chip has it, switched on or not; None if that is not known."""
    if function.vendor_id == INTEL and function.device_id in _CAPABLE | _INCAPABLE:
        return function.device_id in _CAPABLE
    if function.driver in WITHOUT_SRIOV:
        return False
    return True if function.driver in WITH_SRIOV else None


def is_vf(function: PfFacts) -> bool:
    """Whether its driver is one for VFs only: so a VM sees the VF that it was given."""
    return function.driver in VF_DRIVERS
