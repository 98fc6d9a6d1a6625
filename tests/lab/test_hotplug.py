"""A NIC that is plugged in at run time gets its VFs; one that is pulled leaves its rule degraded, and its series."""

from .host import PF1, PF2, Guest, address_rule, rule

MAC = "52:54:00:1a:b0:77"


def test_a_nic_comes_goes_and_comes_again(guest: Guest) -> None:
    guest.configure(address_rule(PF1), address_rule(PF2), rule("hot", f'mac = "{MAC}"', num_vfs=3))
    absent = guest.wait_for_reason("hot", "absent")
    assert absent.series("sriov_pf_vfs", rule="hot") == [{"pci_address": "", "netdev": "", "rule": "hot"}]
    guest.vm.plug_igb("rp3", "hot1", mac=MAC)
    third = guest.until(lambda: guest.vm.pfs()[2:], "a third PF")[0]
    guest.settle({PF1: 7, PF2: 7, third: 3})
    guest.vm.unplug("hot1")
    gone = guest.wait_for_reason("hot", "absent")
    for name in ("sriov_pf_present", "sriov_pf_vfs", "sriov_pf_vf_losses_total"):
        [labels] = gone.series(name, rule="hot")
        assert labels["pci_address"] == ""
    assert gone.value("sriov_pf_present", rule="hot") == 0
    assert gone.value("sriov_pf_vfs_desired", rule="hot") == 3
    assert guest.status()["state"] == "degraded"
    assert guest.vfs() == {PF1: 7, PF2: 7}
    guest.vm.plug_igb("rp3", "hot1", mac=MAC)
    guest.settle({PF1: 7, PF2: 7, third: 3})
