"""What render writes is what doctor has no word against: one judgement for both, on the hosts that are least usual."""

import itertools
import json

import pytest
from msgspec import Struct

from builders import PF
from fakes_host import NVME, VIRTIO, HostTree
from fakes_openstack import add_unit
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.config import SpecStyle

FILES = {
    "nova-compute": ("etc/nova/nova.conf", "/usr/bin/nova-compute"),
    "neutron-sriov-agent": ("etc/neutron/plugins/ml2/sriov_agent.ini", "/usr/bin/neutron-sriov-nic-agent"),
}
BEHIND_VMD = "10000:01:00.0"
LAYOUT = {"sriov_vf_device": "10ca", "sriov_offset": "2", "sriov_stride": "1"}


class Shape(Struct, frozen=True):
    """A host. `refused`: words of the reason for which nova's file is not rendered for it, "" where it is."""

    address: str
    more: str = ""
    match: str = ""
    refused: str = ""
    agent_refuses: str = ""


SHAPES = {
    "two netdevs, by the second": Shape(PF, match='netdev = "enp4s0d1"'),
    "two netdevs, by its MAC": Shape(PF, match='mac = "3c:fd:fe:aa:bb:01"'),
    "two netdevs, by address": Shape(PF, agent_refuses="which port of its PF is in physnet1, ens1f0 and enp4s0d1?"),
    "domain of five digits": Shape(BEHIND_VMD, refused="PCI domains above ffff"),
    "domain of five digits, by name": Shape(BEHIND_VMD, match='netdev = "ens1f0"', refused="PCI domains above ffff"),
    "domain of five digits, some excluded": Shape(
        BEHIND_VMD, more="exclude_vfs = [1]", refused="PCI domains above ffff"
    ),
    "the last domain": Shape("ffff:01:00.0"),
    "a letter in the address": Shape("0000:af:1f.7"),
    "virtio": Shape(VIRTIO, agent_refuses="the agent looks for the VFs of ens6 in virtio1, which has none"),
    "virtio, some excluded": Shape(VIRTIO, more="exclude_vfs = [0, 3]", agent_refuses="which has none"),
    "no NIC": Shape(NVME, refused="its PF is no NIC", agent_refuses="its PF is no NIC"),
}


def add_shape(tree: HostTree, shape: Shape, style: SpecStyle) -> None:
    tree.write("etc/os-release", "ID=ubuntu\n")
    if shape.address == VIRTIO:
        tree.add_virtio_pf()
    elif shape.address == NVME:
        tree.add_nvme()
    else:
        folder = tree.add_pf(shape.address)
        for name, text in LAYOUT.items():
            (folder / name).write_text(f"{text}\n")
    if shape.address == PF:
        netdev = tree.add_netdev(PF, "enp4s0d1", ifindex=3)
        (netdev / "address").write_text("3c:fd:fe:aa:bb:01\n")
    for unit, (path, command) in FILES.items():
        add_unit(tree, unit, f"{command} --config-file=/{path}")
        tree.write(path, "[DEFAULT]\n")
    match = shape.match or f'pci_address = "{shape.address}"'
    rule = f'[[pf]]\nname = "a"\nmatch = {{ {match} }}\nnum_vfs = 4\nphysical_network = "physnet1"\n{shape.more}\n'
    tree.configure(f'{rule}[openstack]\nspec_style = "{style}"\n')


def rendered(tree: HostTree, capsys: pytest.CaptureFixture[str], target: str, path: str) -> str:
    """What it is refused for, "" where it is not; the file of the service then says what was rendered."""
    capsys.readouterr()
    code = main(["render", target], root=str(tree.root))
    out, err = capsys.readouterr()
    tree.write(path, out)
    assert (code == 0) == (not err), err
    return err


@pytest.mark.parametrize(
    ("shape", "style"),
    [
        (name, style)
        for name, style in itertools.product(SHAPES, SpecStyle)
        if "exclude_vfs" not in SHAPES[name].more or style is not SpecStyle.VENDOR_PRODUCT  # the config is refused
    ],
)
def test_what_render_writes_doctor_does_not_refuse(
    tree: HostTree, capsys: pytest.CaptureFixture[str], shape: str, style: SpecStyle
) -> None:
    host = SHAPES[shape]
    add_shape(tree, host, style)
    for target, path, refused in (
        ("nova-compute", FILES["nova-compute"][0], host.refused),
        ("sriov-agent", FILES["neutron-sriov-agent"][0], host.agent_refuses),
    ):
        said = rendered(tree, capsys, target, path)
        assert refused in said if refused else not said
    main(["doctor", "--json"], root=str(tree.root))
    findings = json.loads(capsys.readouterr().out)["findings"]
    of_our_lines = [one for one in findings if one["place"].startswith(tuple(f"/{path}" for path, _ in FILES.values()))]
    assert of_our_lines == []
    if not host.refused:
        assert [one for one in findings if one["code"][4] == "4"] == []
