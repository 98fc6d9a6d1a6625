"""What sets VFs at boot on a host with two ports, and what the verbs make of it."""

import json

import pytest

from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.decode import ConfigFile, decode

SH = "#!/bin/sh\n"
NUMVFS = "/device/sriov_numvfs"
FILE = f"/sys/class/net/ens1f0{NUMVFS}"
OTHER = f"/sys/class/net/ens1f1{NUMVFS}"
ECHO = f"{SH}echo 8 > {FILE}\n"
UNIT = "[Service]\nType=oneshot\n{}\n[Install]\nWantedBy=multi-user.target\n"
RULES = "".join(
    f'[[pf]]\nname = "{name}"\nmatch = {{ pci_address = "{address}" }}\nnum_vfs = 16\n'
    for name, address in (("tenant-a", PF), ("tenant-b", PF2))
)
Files = dict[str, str]


def add_two_ports(tree: HostTree) -> HostTree:
    """Two ports of a card with 64 VFs, none of which exist."""
    for address, netdev, rdma in ((PF, "ens1f0", "mlx5_0"), (PF2, "ens1f1", "mlx5_1")):
        folder = tree.add_pf(address, netdev=netdev, driver="mlx5_core")
        (folder / "sriov_totalvfs").write_text("64\n")
        (folder / f"infiniband/{rdma}").mkdir(parents=True)
        (folder / f"infiniband/{rdma}/device").symlink_to(f"../../../{address}")
        tree.link(f"sys/class/infiniband/{rdma}", folder / f"infiniband/{rdma}")
    return tree


def write_files(tree: HostTree, files: Files) -> None:
    """Scripts are executable, but for those that begin with `-`; `@NAME` is wanted at boot."""
    for path, text in files.items():
        if path.startswith("@"):
            tree.link(f"etc/systemd/system/multi-user.target.wants/{path[1:]}", f"etc/systemd/system/{path[1:]}")
        else:
            tree.write(path.lstrip("-"), text).chmod(0o644 if path.startswith("-") else 0o755)


def migrated(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> dict[str, int | str]:
    """PCI address -> number, of the rules that are in force."""
    assert main(["migrate"], root=str(tree.root)) == 0
    rules = decode([ConfigFile("migrated.toml", capsys.readouterr().out.encode())]).pf
    return {rule.match.pci_address: rule.num_vfs for rule in rules}


def take_over(tree: HostTree, capsys: pytest.CaptureFixture[str], remedy: str) -> None:
    """What migrate prints is in force, and right: four VFs of the one PF. It says the remedy."""
    assert main(["migrate"], root=str(tree.root)) == 0
    out = capsys.readouterr().out
    assert f"#       {remedy}" in out
    (rule,) = decode([ConfigFile("migrated.toml", out.encode())]).pf
    assert (rule.match.pci_address, rule.num_vfs) == (PF, 4)
    tree.configure(out)
    if "\n[[pf.vf]]" not in out:  # which the kernel is asked about: a tree has no netlink
        assert main(["--once", "--dry-run"], root=str(tree.root)) == 0
        assert f"{PF} (ens1f0): 4 VFs, as desired" in capsys.readouterr().out


def diagnosed(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    tree.configure(RULES)
    main(["doctor", "--json"], root=str(tree.root))
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)["findings"]
    return [finding for finding in found if finding["code"][4] == "3"]


def rc_local(text: str) -> Files:
    return {"etc/rc.local": f"{SH}{text}\n"}


def service(lines: str, **files: str) -> Files:
    return {"etc/systemd/system/vfs.service": UNIT.format(lines), "@vfs.service": "", **files}
