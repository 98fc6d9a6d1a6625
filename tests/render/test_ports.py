"""A rule and its PF as nova and neutron need them."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from builders import PF, make_config, make_netdev, make_pf, make_rule, make_wish
from sriov_bootstrap.core.config import Match, OpenStack, SpecStyle
from sriov_bootstrap.render.host import Ask, Host, Rendering, VfLayout, parse_layout
from sriov_bootstrap.render.libvirt import render_hostdev
from sriov_bootstrap.render.netdevs import render_udev
from sriov_bootstrap.render.neutron import render_agent
from sriov_bootstrap.render.nova import render_compute
from sriov_bootstrap.render.ports import Vf, resolve_ports


@pytest.mark.parametrize(
    ("num_vfs", "layout", "vfs"),
    [
        (
            4,
            VfLayout(),
            ((0, "0000:3b:02.0"), (1, "0000:3b:02.1"), (2, "0000:3b:02.2"), (3, "0000:3b:02.3")),
        ),
        (1, VfLayout("10ca"), None),
        (1, VfLayout("10ca", 128), None),
        (0, VfLayout("10ca", 128, 256), tuple((n, f"0000:3{'bcde'[n]}:10.0") for n in range(4))),
    ],
)
def test_vfs_are_known_when_they_are_there_or_when_the_nic_says_where(
    num_vfs: int, layout: VfLayout, vfs: tuple[tuple[int, str], ...] | None
) -> None:
    pf = make_pf(num_vfs=num_vfs)
    (port,) = resolve_ports(Host(make_config(), (make_wish(pf=pf),), (pf,), {PF: layout}))
    assert port.vfs == (None if vfs is None else tuple(Vf(*one) for one in vfs))
    assert (port.vendor, port.device) == (("8086", "10ca") if layout.device else ("", ""))


@pytest.mark.parametrize(("num_vfs", "known"), [(0, None), (2, 2)])
def test_a_number_that_cannot_be_told_is_that_of_what_is_there(num_vfs: int, known: int | None) -> None:
    pf = make_pf(num_vfs=num_vfs, driver="")
    (port,) = resolve_ports(Host(make_config(), (make_wish(pf=pf, num_vfs="max"),), (pf,)))
    assert (len(port.vfs) if port.vfs else None) == known


def test_garbage_in_sys_counts_as_unknown() -> None:
    assert parse_layout("10CA", "", "-1") == VfLayout("10ca")


@pytest.mark.parametrize("make", [render_agent, render_compute])
def test_what_is_no_nic_is_in_no_network(make: Callable[[Host, Ask], Rendering]) -> None:
    pf = make_pf(netdevs=(), is_nic=False)
    host = Host(make_config(), (make_wish(pf=pf, physical_network="physnet1"), make_wish(pf=pf, alias="gpu")), (pf,))
    assert make(host, Ask()).problems[0] == (
        f'rule "tenant-a" ({PF}): its PF is no NIC, and so in no physical network: '
        "use alias instead of physical_network, for flavors"
    )


@pytest.mark.parametrize("style", SpecStyle)
def test_nova_has_no_devices_above_domain_ffff(style: SpecStyle) -> None:
    pf = make_pf(pci_address="10000:e1:00.0", num_vfs=4)
    host = Host(
        make_config(openstack=OpenStack(spec_style=style)),
        (make_wish(pf=pf, physical_network="physnet1"),),
        (pf,),
        {pf.pci_address: VfLayout("10ca", 128, 2)},
    )
    (problem,) = render_compute(host, Ask()).problems
    assert problem == (
        'rule "tenant-a" (10000:e1:00.0): '
        "nova skips devices in PCI domains above ffff, as those behind a VMD controller"
    )


def test_a_vf_above_domain_ffff_is_libvirts() -> None:
    pf = make_pf(pci_address="10000:e1:00.0", num_vfs=1)
    (draft,) = render_hostdev(Host(make_config(), (), (pf,)), Ask(vf="10000:e1:02.0")).drafts
    assert draft.context["address"] == {"domain": "10000", "bus": "e1", "slot": "02", "function": "0"}


def test_nova_does_not_find_a_netdev_on_another_bus() -> None:
    pf = make_pf(netdevs=(make_netdev(device="virtio1"),))
    host = Host(
        make_config(openstack=OpenStack(spec_style=SpecStyle.DEVNAME)),
        (make_wish(pf=pf, physical_network="physnet1", vf_id="1af4:1041"),),
        (pf,),
    )
    (problem,) = render_compute(host, Ask()).problems
    assert problem == (
        f'rule "tenant-a" ({PF}): nova finds ens1f0 in virtio1, which is not a PCI device: '
        'use spec_style = "pf_address"'
    )


def test_a_chip_of_a_pf_above_domain_ffff_gets_no_alias() -> None:
    pf = make_pf(pci_address="10000:e1:00.0")
    wish = make_wish(pf=pf, alias="vf", vf_id="8086:10ca")
    (draft, *_) = render_compute(Host(make_config(), (wish,), (pf,)), Ask()).drafts
    assert draft.context["aliases"] == []


TWO_PORTS = make_pf(
    netdevs=(make_netdev(name="enp4s0"), make_netdev(name="enp4s0d1", ifindex=3, mac="3c:fd:fe:aa:bb:01"))
)


def two_ports(**match: str) -> Host:
    wish = make_wish(pf=TWO_PORTS, match=Match(**match), num_vfs=0, physical_network="sriov2")
    return Host(make_config(), (wish,), (TWO_PORTS,))


def test_a_rule_by_the_second_port_renders_that_port() -> None:
    host = two_ports(netdev="enp4s0d1")
    (draft, *_) = render_agent(host, Ask()).drafts
    assert draft.context["mappings"] == ["sriov2:enp4s0d1"]
    (draft,) = render_udev(host, Ask()).drafts
    (entry,) = cast("list[dict[str, Any]]", draft.context["entries"])
    assert (entry["port"].netdev, entry["mac"]) == ("enp4s0d1", "3c:fd:fe:aa:bb:01")


def test_which_port_is_in_a_network_is_not_guessed() -> None:
    assert render_agent(two_ports(pci_address=PF), Ask()).problems[0] == (
        f'rule "tenant-a" ({PF}): which port of its PF is in sriov2, enp4s0 and enp4s0d1? '
        "match by the netdev of that port"
    )


def test_a_nic_that_is_here_and_has_no_netdev() -> None:
    pf = make_pf(netdevs=())
    wish = make_wish(pf=pf, num_vfs=0, physical_network="physnet1")
    config = make_config(openstack=OpenStack(spec_style=SpecStyle.DEVNAME))
    host = Host(config, (wish,), (pf,), {PF: VfLayout("10ca", 128, 2)})
    assert render_agent(host, Ask()).problems[0] == (
        f'rule "tenant-a" ({PF}): its PF has no netdev, by which the agent finds VFs: load its driver; '
        "if that makes none, use alias instead of physical_network, for flavors"
    )
    assert render_compute(host, Ask()).problems == (
        f'rule "tenant-a" ({PF}): its PF has no netdev: use spec_style = "pf_address"',
    )


def test_udev_needs_the_address() -> None:
    wish = make_wish(match=Match(netdev="x"))
    (problem,) = render_udev(Host(make_config(make_rule()), (wish,)), Ask()).problems
    assert problem.startswith(
        'rule "tenant-a" (x): the PCI address of its PF is unknown: render on a host with the NIC'
    )
