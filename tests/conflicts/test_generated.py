"""Files that another program writes, and what they are made from."""

import pytest

from builders import make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.edges.yaml_text import parse_located

PROFILE = "[connection]\ninterface-name=ens1f0\n[sriov]\ntotal-vfs=3\n"
OWN_REMEDY = "the section [sriov] from"
NETPLAN = """\
network:
  nm-devices: 3
  ethernets:
    ens1f0:
      renderer: NetworkManager
      networkmanager: {passthrough: {sriov.total-vfs: "3"}}
"""
COUNT = "network: {ethernets: {ens1f0: {virtual-function-count: 3}}}"
WRITTEN = "/etc/netplan/50-cloud-init.yaml"
CLOUD = "/etc/cloud/cloud.cfg.d/90-net.cfg"
DISABLED = "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg"
BACK = "it comes back at the next boot unless what writes it is changed, too"


def document(kind: Format, path: str, text: str) -> Source:
    return Source(kind, path, text, parse_located(text.encode(), path))


def only(*sources: Source, path: str) -> Master:
    found = find_masters(MastersSurvey(sources, frozenset({"vfs.service"})), (make_pf(),))
    (master,) = [one for one in found if one.path == path]
    return master


@pytest.mark.parametrize(
    ("path", "made", "remedy"),
    [
        (
            "/run/NetworkManager/system-connections/netplan-ens1f0.nmconnection",
            "netplan writes this file from /etc/netplan/01-a.yaml:5",
            "change the entry of ens1f0 in /etc/netplan/01-a.yaml:5, then: netplan apply",
        ),
        (
            "/run/NetworkManager/system-connections/netplan-other.nmconnection",
            "netplan writes this file from a file in /etc/netplan",
            "change the entry in a file in /etc/netplan, then: netplan apply",
        ),
        (
            "/run/NetworkManager/system-connections/default.nmconnection",
            "it was written since boot: by the initrd from ip= on the kernel command line, or by nmcli --temporary",
            BACK,
        ),
        (
            "/etc/NetworkManager/system-connections/cloud-init-ens1f0.nmconnection",
            "cloud-init writes this file from the network config of its data source",
            "change the network config of its data source, or keep cloud-init from it",
        ),
        ("/etc/NetworkManager/system-connections/ens1f0.nmconnection", "", "remove the section [sriov]"),
    ],
)
def test_a_profile_of_networkmanager(path: str, made: str, remedy: str) -> None:
    sources = Source(Format.NETWORK_MANAGER, path, PROFILE), document(Format.NETPLAN, "/etc/netplan/01-a.yaml", NETPLAN)
    master = only(*sources, path=path)
    assert master.made == made
    assert remedy in master.remedy
    assert (OWN_REMEDY in master.remedy) is (not made.startswith("netplan"))


@pytest.mark.parametrize(
    ("sources", "made", "remedy"),
    [
        (
            (),
            "cloud-init writes this file from the network config of its data source",
            f'"network: {{config: disabled}}" in {DISABLED}, and remove "virtual-function-count" of ens1f0',
        ),
        (
            ((CLOUD, COUNT),),
            f"cloud-init writes this file from {CLOUD}",
            f"change {CLOUD}, or keep cloud-init from it",
        ),
        (((DISABLED, "network: {config: disabled}"),), "", 'remove "virtual-function-count" of ens1f0'),
    ],
)
def test_what_cloud_init_writes_for_netplan(sources: tuple[tuple[str, str], ...], made: str, remedy: str) -> None:
    cloud = (document(Format.CLOUD_INIT, path, text) for path, text in sources)
    master = only(document(Format.NETPLAN, WRITTEN, COUNT), *cloud, path=WRITTEN)
    assert master.made == made
    assert remedy in master.remedy


def test_what_networkmanager_writes_for_netplan() -> None:
    path = "/etc/netplan/90-NM-14f59568-5076-387a-aef6-10adfcca2e26.yaml"
    master = only(document(Format.NETPLAN, path, COUNT), path=path)
    assert master.made == "NetworkManager writes this file for one of its connections"
    assert master.remedy.startswith("change the connection by nmcli connection modify")


LINK = "[Match]\nOriginalName=*\n[Link]\nSR-IOVVirtualFunctions=3\n"
UNIT = "[Service]\nExecStart=/bin/sh -c 'echo 3 > /sys/class/net/ens1f0/device/sriov_numvfs'\n"


@pytest.mark.parametrize(
    ("kind", "path", "text", "made"),
    [
        (
            Format.LINK,
            "/run/systemd/network/10-netplan-ens1f0.link",
            LINK,
            "netplan writes this file from /etc/netplan/",
        ),
        (Format.LINK, "/run/systemd/network/10-a.link", LINK, "it was written since boot, by a generator or a script"),
        (Format.LINK, "/etc/systemd/network/10-a.link", LINK, ""),
        (Format.UNIT, "/run/systemd/system/vfs.service", UNIT, "it was written since boot, by a generator or a script"),
        (Format.UNIT, "/etc/systemd/system/vfs.service", UNIT, ""),
    ],
)
def test_what_is_below_run_was_written_since_boot(kind: Format, path: str, text: str, made: str) -> None:
    sources = Source(kind, path, text), document(Format.NETPLAN, "/etc/netplan/01-a.yaml", NETPLAN)
    master = only(*sources, path=path)
    assert master.made.startswith(made)
    assert bool(master.made) is bool(made)
