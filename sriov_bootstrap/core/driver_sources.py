"""Where each cell of the table of drivers comes from: files and functions of the kernel, as of 7.3.

For the tests, docs/drivers.md and doctor; nothing on the boot path needs it.
"""

from collections.abc import Iterator

from msgspec import Struct, structs

from sriov_bootstrap.core.drivers import Driver

ALWAYS_SAID = ("name", "role", "attributes")  # no cells of their own
ABSENCES = ("no_eswitch",)  # shown by no function, but by its absence from the whole folder
# Operations that also have to accept a value: that there is one says nothing about the value.
SHARED = {"min_rate": "max_rate", "vlan_8021ad": "vlan"}


class KernelSource(Struct, frozen=True):
    """Where one row comes from.

    `file`: of the driver's probe. `role`: that probe, where the role is not Role.NIC. `operations`: its net_device_ops,
    where an attribute that the row does not have is missing. `cells`: a field of `Driver` or one of its attributes ->
    the function that shows it. A name without a file is found in the folder of `file` or below; `FILE:NAME` elsewhere.
    `note`: what else it depends on, for people.
    """

    file: str
    role: str = ""
    operations: str = ""
    cells: dict[str, str] = {}
    note: str = ""

    def place_of(self, cell: str) -> str:
        """For people: `igb_sriov_reinit in drivers/net/ethernet/intel/igb`."""
        elsewhere, _, function = self.cells[cell].rpartition(":")
        return f"{function} in {elsewhere or self.file.rpartition('/')[0]}"


def cells_of(driver: Driver) -> Iterator[str]:
    """Every cell of its row that needs a function: what differs from the default, and values that are refused."""
    for field in structs.fields(Driver):
        if field.name not in {*ALWAYS_SAID, *ABSENCES} and getattr(driver, field.name) != field.default:
            yield field.name
    attributes = driver.attributes or frozenset()
    yield from sorted(attributes)
    yield from (value for value, operation in SHARED.items() if operation in attributes and value not in attributes)


INTEL = "drivers/net/ethernet/intel"
VFIO = "drivers/vfio/pci"

SOURCES: dict[str, KernelSource] = {
    "igb": KernelSource(
        f"{INTEL}/igb/igb_main.c",
        operations="igb_netdev_ops",
        cells={
            "vf_module": f"{INTEL}/igbvf/netdev.c:igbvf_probe",
            "max_vfs": "igb_sw_init",
            "above": "igb_sw_init",
            "count_flaps_link": "igb_sriov_reinit",
            "rates_need_carrier": "igb_ndo_set_vf_bw",
            "kept_vfs": "igb_disable_sriov",
            "mac": "igb_ndo_set_vf_mac",
            "vlan": "igb_ndo_set_vf_vlan",
            "vlan_8021ad": "igb_ndo_set_vf_vlan",
            "max_rate": "igb_ndo_set_vf_bw",
            "min_rate": "igb_ndo_set_vf_bw",
            "spoofchk": "igb_ndo_set_vf_spoofchk",
            "trust": "igb_ndo_set_vf_trust",
        },
        note="max rate on the 82576 only",
    ),
    "ixgbe": KernelSource(
        f"{INTEL}/ixgbe/ixgbe_main.c",
        operations="ixgbe_netdev_ops",
        cells={
            "vf_module": f"{INTEL}/ixgbevf/ixgbevf_main.c:ixgbevf_probe",
            "max_vfs": "ixgbe_sw_init",
            "above": "ixgbe_sw_init",
            "count_flaps_link": "ixgbe_setup_tc",
            "rates_need_carrier": "ixgbe_ndo_set_vf_bw",
            "mac": "ixgbe_ndo_set_vf_mac",
            "vlan": "ixgbe_ndo_set_vf_vlan",
            "vlan_8021ad": "ixgbe_ndo_set_vf_vlan",
            "max_rate": "ixgbe_ndo_set_vf_bw",
            "min_rate": "ixgbe_ndo_set_vf_bw",
            "spoofchk": "ixgbe_ndo_set_vf_spoofchk",
            "trust": "ixgbe_ndo_set_vf_trust",
            "link_state": "ixgbe_ndo_set_vf_link_state",
            "query_rss": "ixgbe_ndo_set_vf_rss_query_en",
            "stats": "ixgbe_ndo_get_vf_stats",
        },
        note="max rate at 10 Gbit/s only",
    ),
    "i40e": KernelSource(
        f"{INTEL}/i40e/i40e_main.c",
        operations="i40e_netdev_ops",
        cells={
            "vf_module": f"{INTEL}/iavf/iavf_main.c:iavf_probe",
            "count_flaps_link": "i40e_pci_sriov_configure",
            "firmware_limit": "i40e_sw_init",
            "mac": "i40e_ndo_set_vf_mac",
            "vlan": "i40e_ndo_set_vf_port_vlan",
            "vlan_8021ad": "i40e_ndo_set_vf_port_vlan",
            "max_rate": "i40e_ndo_set_vf_bw",
            "min_rate": "i40e_ndo_set_vf_bw",
            "spoofchk": "i40e_ndo_set_vf_spoofchk",
            "trust": "i40e_ndo_set_vf_trust",
            "link_state": "i40e_ndo_set_vf_link_state",
            "stats": "i40e_get_vf_stats",
        },
    ),
    "ice": KernelSource(
        f"{INTEL}/ice/ice_main.c",
        operations="ice_netdev_ops",
        cells={
            "vf_module": f"{INTEL}/iavf/iavf_main.c:iavf_probe",
            "mode_before_count": "ice_eswitch_mode_set",
            "refused_by_switch": "ice_set_vf_trust",
            "firmware_limit": "ice_set_pf_caps",
            "mac": "ice_set_vf_mac",
            "vlan": "ice_set_vf_port_vlan",
            "vlan_8021ad": "ice_is_supported_port_vlan_proto",
            "max_rate": "ice_set_vf_bw",
            "min_rate": "ice_set_vf_bw",
            "spoofchk": "ice_set_vf_spoofchk",
            "trust": "ice_set_vf_trust",
            "link_state": "ice_set_vf_link_state",
            "stats": "ice_get_vf_stats",
            "msix": "ice_sriov_set_msix_vec_count",
        },
        note="802.1ad in double VLAN mode only, no min rate with DCB",
    ),
    "fm10k": KernelSource(
        f"{INTEL}/fm10k/fm10k_pci.c",
        operations="fm10k_netdev_ops",
        cells={
            "mac": "fm10k_ndo_set_vf_mac",
            "vlan": "fm10k_ndo_set_vf_vlan",
            "vlan_8021ad": "fm10k_ndo_set_vf_vlan",
            "max_rate": "fm10k_ndo_set_vf_bw",
            "min_rate": "fm10k_ndo_set_vf_bw",
            "stats": "fm10k_ndo_get_vf_stats",
        },
        note="a min rate is accepted and ignored; no QoS with a VLAN",
    ),
    "idpf": KernelSource(
        f"{INTEL}/idpf/idpf_main.c",
        operations="idpf_netdev_ops",
        cells={"firmware_limit": "idpf_vc_core_init"},
    ),
    "mlx5_core": KernelSource(
        "drivers/net/ethernet/mellanox/mlx5/core/main.c",
        operations="mlx5e_netdev_ops",
        cells={
            "mode_before_binding": "mlx5_devlink_eswitch_mode_set",
            "refused_by_switch": "mlx5_eswitch_set_vport_trust",
            "tells_lag": "mlx5_ldev_add_debugfs",
            "firmware_limit": "mlx5_devlink_total_vfs_set",
            "accepts_and_makes_fewer": "mlx5_device_enable_sriov",
            "mac": "mlx5e_set_vf_mac",
            "vlan": "mlx5e_set_vf_vlan",
            "vlan_8021ad": "mlx5e_set_vf_vlan",
            "max_rate": "mlx5e_set_vf_rate",
            "min_rate": "mlx5e_set_vf_rate",
            "spoofchk": "mlx5e_set_vf_spoofchk",
            "trust": "mlx5e_set_vf_trust",
            "link_state": "mlx5e_set_vf_link_state",
            "stats": "mlx5e_get_vf_stats",
            "msix": "mlx5_core_sriov_set_msix_vec_count",
        },
        note="in switchdev mode VLAN 0 can be set; a VF that cannot be enabled is dead",
    ),
    "mlx4_core": KernelSource(
        "drivers/net/ethernet/mellanox/mlx4/main.c",
        cells={"count_parameter": "mlx4_enable_sriov"},
        note="its pci_driver has no sriov_configure, so nothing can be written to sriov_numvfs",
    ),
    "bnxt_en": KernelSource(
        "drivers/net/ethernet/broadcom/bnxt/bnxt.c",
        operations="bnxt_netdev_ops",
        cells={
            "up_first": "bnxt_sriov_configure",
            "accepts_and_makes_fewer": "bnxt_sriov_configure",
            "mac": "bnxt_set_vf_mac",
            "vlan": "bnxt_set_vf_vlan",
            "vlan_8021ad": "bnxt_set_vf_vlan",
            "max_rate": "bnxt_set_vf_bw",
            "min_rate": "bnxt_set_vf_bw",
            "spoofchk": "bnxt_set_vf_spoofchk",
            "trust": "bnxt_set_vf_trust",
            "link_state": "bnxt_set_vf_link_state",
        },
        note="802.1ad if the firmware has it; while the PF is down, a write succeeds and changes nothing",
    ),
    "bnx2x": KernelSource(
        "drivers/net/ethernet/broadcom/bnx2x/bnx2x_main.c",
        operations="bnx2x_netdev_ops",
        cells={
            "up_first": "bnx2x_sriov_configure",
            "accepts_and_makes_fewer": "bnx2x_sriov_configure",
            "mac": "bnx2x_set_vf_mac",
            "vlan": "bnx2x_set_vf_vlan",
            "vlan_8021ad": "bnx2x_set_vf_vlan",
            "spoofchk": "bnx2x_set_vf_spoofchk",
            "link_state": "bnx2x_set_vf_link_state",
        },
        note="while the PF is down, a write is refused with EINVAL; QoS with a VLAN is ignored",
    ),
    "be2net": KernelSource(
        "drivers/net/ethernet/emulex/benet/be_main.c",
        operations="be_netdev_ops",
        cells={
            "count_flaps_link": "be_update_queues",
            "rates_need_carrier": "be_set_vf_tx_rate",
            "firmware_limit": "be_alloc_sriov_res",
            "accepts_and_makes_fewer": "be_pci_sriov_configure",
            "mac": "be_set_vf_mac",
            "vlan": "be_set_vf_vlan",
            "vlan_8021ad": "be_set_vf_vlan",
            "max_rate": "be_set_vf_tx_rate",
            "min_rate": "be_set_vf_tx_rate",
            "spoofchk": "be_set_vf_spoofchk",
            "link_state": "be_set_vf_link_state",
        },
        note="no spoofchk on BE2 and BE3; max rate 0 needs no carrier",
    ),
    "cxgb4": KernelSource(
        "drivers/net/ethernet/chelsio/cxgb4/cxgb4_main.c",
        operations="cxgb4_mgmt_netdev_ops",
        cells={
            "rates_need_carrier": "cxgb4_mgmt_set_vf_rate",
            "mac": "cxgb4_mgmt_set_vf_mac",
            "vlan": "cxgb4_mgmt_set_vf_vlan",
            "vlan_8021ad": "cxgb4_mgmt_set_vf_vlan",
            "max_rate": "cxgb4_mgmt_set_vf_rate",
            "min_rate": "cxgb4_mgmt_set_vf_rate",
            "link_state": "cxgb4_mgmt_set_vf_link_state",
        },
        note="max rate 0 needs no carrier; no QoS with a VLAN",
    ),
    "hns3": KernelSource(
        "drivers/net/ethernet/hisilicon/hns3/hns3_enet.c",
        operations="hns3_nic_netdev_ops",
        cells={
            "accepts_and_makes_fewer": "hns3_pci_sriov_configure",
            "mac": "hns3_nic_set_vf_mac",
            "vlan": "hns3_ndo_set_vf_vlan",
            "vlan_8021ad": "hclge_set_vf_vlan_filter",
            "max_rate": "hns3_nic_set_vf_rate",
            "min_rate": "hclge_vf_rate_param_check",
            "spoofchk": "hns3_set_vf_spoofchk",
            "trust": "hns3_set_vf_trust",
            "link_state": "hns3_nic_set_vf_link_state",
        },
    ),
    "hinic": KernelSource(
        "drivers/net/ethernet/huawei/hinic/hinic_main.c",
        operations="hinic_netdev_ops",
        cells={
            "rates_need_carrier": "hinic_ndo_set_vf_bw",
            "mac": "hinic_ndo_set_vf_mac",
            "vlan": "hinic_ndo_set_vf_vlan",
            "vlan_8021ad": "hinic_ndo_set_vf_vlan",
            "max_rate": "hinic_ndo_set_vf_bw",
            "min_rate": "hinic_ndo_set_vf_bw",
            "spoofchk": "hinic_ndo_set_vf_spoofchk",
            "trust": "hinic_ndo_set_vf_trust",
            "link_state": "hinic_ndo_set_vf_link_state",
        },
    ),
    "ionic": KernelSource(
        "drivers/net/ethernet/pensando/ionic/ionic_bus_pci.c",
        operations="ionic_netdev_ops",
        cells={
            "mac": "ionic_set_vf_mac",
            "vlan": "ionic_set_vf_vlan",
            "vlan_8021ad": "ionic_set_vf_vlan",
            "max_rate": "ionic_set_vf_rate",
            "min_rate": "ionic_set_vf_rate",
            "spoofchk": "ionic_set_vf_spoofchk",
            "trust": "ionic_set_vf_trust",
            "link_state": "ionic_set_vf_link_state",
            "stats": "ionic_get_vf_stats",
        },
        note="no QoS with a VLAN",
    ),
    "nfp": KernelSource(
        "drivers/net/ethernet/netronome/nfp/nfp_main.c",
        operations="nfp_nfd3_netdev_ops",
        cells={
            "firmware_limit": "nfp_pcie_sriov_read_nfd_limit",
            "mac": "nfp_app_set_vf_mac",
            "vlan": "nfp_app_set_vf_vlan",
            "vlan_8021ad": "nfp_app_set_vf_vlan",
            "max_rate": "nfp_app_set_vf_rate",
            "min_rate": "nfp_app_set_vf_rate",
            "spoofchk": "nfp_app_set_vf_spoofchk",
            "trust": "nfp_app_set_vf_trust",
            "link_state": "nfp_app_set_vf_link_state",
        },
        note="each attribute if the firmware has it",
    ),
    "qede": KernelSource(
        "drivers/net/ethernet/qlogic/qede/qede_main.c",
        operations="qede_netdev_ops",
        cells={
            "mac": "qede_set_vf_mac",
            "vlan": "qede_set_vf_vlan",
            "vlan_8021ad": "qede_set_vf_vlan",
            "max_rate": "qede_set_vf_rate",
            "min_rate": "drivers/net/ethernet/qlogic/qed/qed_sriov.c:qed_iov_configure_min_tx_rate",
            "spoofchk": "qede_set_vf_spoofchk",
            "trust": "qede_set_vf_trust",
            "link_state": "qede_set_vf_link_state",
        },
        note="QoS with a VLAN is ignored; no min rate on devices with two engines",
    ),
    "qlcnic": KernelSource(
        "drivers/net/ethernet/qlogic/qlcnic/qlcnic_main.c",
        operations="qlcnic_netdev_ops",
        cells={
            "count_flaps_link": "qlcnic_pci_sriov_enable",
            "mac": "qlcnic_sriov_set_vf_mac",
            "vlan": "qlcnic_sriov_set_vf_vlan",
            "vlan_8021ad": "qlcnic_sriov_set_vf_vlan",
            "max_rate": "qlcnic_sriov_set_vf_tx_rate",
            "min_rate": "qlcnic_sriov_set_vf_tx_rate",
            "spoofchk": "qlcnic_sriov_set_vf_spoofchk",
        },
        note="VLAN and spoofchk only while the VF's driver is not loaded",
    ),
    "sfc": KernelSource(
        "drivers/net/ethernet/sfc/efx.c",
        operations="efx_netdev_ops",
        cells={
            "mac": "efx_sriov_set_vf_mac",
            "vlan": "efx_sriov_set_vf_vlan",
            "vlan_8021ad": "efx_sriov_set_vf_vlan",
            "spoofchk": "efx_sriov_set_vf_spoofchk",
            "link_state": "efx_sriov_set_vf_link_state",
        },
        note="no QoS with a VLAN",
    ),
    "LiquidIO": KernelSource(
        "drivers/net/ethernet/cavium/liquidio/lio_main.c",
        operations="drivers/net/ethernet/cavium/liquidio/lio_main.c:lionetdevops",
        cells={
            "accepts_and_makes_fewer": "liquidio_enable_sriov",
            "mac": "liquidio_set_vf_mac",
            "vlan": "liquidio_set_vf_vlan",
            "vlan_8021ad": "liquidio_set_vf_vlan",
            "spoofchk": "liquidio_set_vf_spoofchk",
            "trust": "liquidio_set_vf_trust",
            "link_state": "liquidio_set_vf_link_state",
            "stats": "liquidio_get_vf_stats",
        },
    ),
    "rvu_nicpf": KernelSource(
        "drivers/net/ethernet/marvell/octeontx2/nic/otx2_pf.c",
        operations="otx2_netdev_ops",
        cells={
            "mac": "otx2_set_vf_mac",
            "vlan": "otx2_set_vf_vlan",
            "vlan_8021ad": "otx2_set_vf_vlan",
            "trust": "otx2_ndo_set_vf_trust",
        },
        note="no QoS with a VLAN; MAC and VLAN only while the PF is up",
    ),
    "ena": KernelSource("drivers/net/ethernet/amazon/ena/ena_netdev.c", operations="ena_netdev_ops"),
    "mana": KernelSource("drivers/net/ethernet/microsoft/mana/gdma_main.c", operations="mana_devops"),
    "ngbe": KernelSource(
        "drivers/net/ethernet/wangxun/ngbe/ngbe_main.c",
        operations="ngbe_netdev_ops",
        cells={"count_flaps_link": "ngbe_setup_tc"},
    ),
    "txgbe": KernelSource(
        "drivers/net/ethernet/wangxun/txgbe/txgbe_main.c",
        operations="txgbe_netdev_ops",
        cells={"count_flaps_link": "txgbe_setup_tc"},
    ),
    "virtio-pci": KernelSource(
        "drivers/virtio/virtio_pci_common.c",
        role="virtio_pci_probe",
        operations="drivers/net/virtio_net.c:virtnet_netdev",
    ),
    "virtio_vdpa": KernelSource("drivers/virtio/virtio_vdpa.c", role="virtio_vdpa_probe"),
    "vhost_vdpa": KernelSource("drivers/vhost/vdpa.c", role="vhost_vdpa_probe"),
    "mlx5_vfio_pci": KernelSource(f"{VFIO}/mlx5/main.c", role="mlx5vf_pci_probe"),
    "nvgrace_gpu_vfio_pci": KernelSource(f"{VFIO}/nvgrace-gpu/main.c", role="nvgrace_gpu_probe"),
    "hisi_acc_vfio_pci": KernelSource(f"{VFIO}/hisilicon/hisi_acc_vfio_pci.c", role="hisi_acc_vfio_pci_probe"),
    "pds_vfio_pci": KernelSource(f"{VFIO}/pds/pci_drv.c", role="pds_vfio_pci_probe"),
    "qat_vfio_pci": KernelSource(f"{VFIO}/qat/main.c", role="qat_vf_vfio_pci_probe"),
    "virtio_vfio_pci": KernelSource(f"{VFIO}/virtio/main.c", role="virtiovf_pci_probe"),
    "ism_vfio_pci": KernelSource(f"{VFIO}/ism/main.c", role="ism_vfio_pci_probe"),
    "xe-vfio-pci": KernelSource(f"{VFIO}/xe/main.c", role="xe_vfio_pci_probe"),
    "pci-stub": KernelSource("drivers/pci/pci-stub.c", role="pci_stub_probe"),
    "uio_pci_generic": KernelSource("drivers/uio/uio_pci_generic.c", role="probe"),
    "igb_uio": KernelSource(
        "linux/igb_uio/igb_uio.c", role="igbuio_pci_probe", note="of DPDK (dpdk-kmods), not the kernel"
    ),
    "pciback": KernelSource("drivers/xen/xen-pciback/pci_stub.c", role="pcistub_probe"),
}
