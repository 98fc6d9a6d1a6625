"""Runs in the guest: one program that sets VFs, from no VFs to all, and again with nothing to do. See bench_peers.py.

usage: NAME TIMES FOLDER PF...      one JSON object on stdout: {"first": [seconds], "bound": [...], "again": [...]}

A first apply lasts until the program has ended and the last VF is bound, whichever comes last; `bound` is the latter.
The PFs are up, as they are when rc.local runs. What only prepares a program (its files, its daemon) is not timed.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.guest.bench import kernel_trace, measure

NETPLAN = "/etc/netplan/bench.yaml"
NM_CONNECTIONS = "/etc/NetworkManager/system-connections"
PRIVATE = 0o600
NM_CONF = "[keyfile]\nunmanaged-devices=*{}\n"
NM_PROFILE = """\
[connection]
id={name}
type=ethernet
interface-name={name}
autoconnect=false
[sriov]
total-vfs={vfs}
[ipv4]
method=disabled
[ipv6]
method=disabled
"""
LINK = """\
[Match]
Driver=igb
[Link]
NamePolicy=keep kernel database onboard slot path
MACAddressPolicy=persistent
SR-IOVVirtualFunctions={vfs}
"""
UDEVADM = "/usr/sbin/udevadm"  # where os-net-config's own distribution has it
OS_NET_CONFIG = "import sys; from os_net_config.sriov_config import main; sys.exit(main(sys.argv))"
SHIM = "from sriov_netplan_shim.cmd import main; main()"


@dataclass(frozen=True)
class Peer:
    """`files` are there while it has its turn, and `leftovers` go afterwards; `again`: where it is not `apply`."""

    apply: list[str]
    again: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    before: str = ":"
    after: str = ":"
    leftovers: tuple[str, ...] = ()


def peers(folder: str, pfs: list[str]) -> dict[str, Peer]:
    """What can be measured, by its name."""
    names, vfs = [measure.netdev(pf) for pf in pfs], measure.VFS
    paths = [f"/sys/class/net/{name}" for name in names]
    profiles = {f"{NM_CONNECTIONS}/{name}.nmconnection": NM_PROFILE.format(name=name, vfs=vfs) for name in names}
    managed = "".join(f",except:interface-name:{name}" for name in names)
    counts = [{"device_type": "pf", "name": name, "numvfs": vfs, "link_mode": "legacy"} for name in names]
    netplan = {"network": {"version": 2, "ethernets": {name: {"virtual-function-count": vfs} for name in names}}}
    shim = {"interfaces": {name: {"num_vfs": vfs} for name in names}}
    return {
        "loop": Peer(measure.shell(measure.loop(pfs))),
        "ours": Peer(measure.ONCE, files={str(measure.CONFIG): Path(folder, "kernel.toml").read_text()}),
        "netplan": Peer(["netplan", "apply", "--sriov-only"], files={NETPLAN: json.dumps(netplan)}),
        "link": Peer(
            ["udevadm", "trigger", "--action=add", "--settle", *paths],
            files={"/etc/systemd/network/10-bench.link": LINK.format(vfs=vfs)},
            before="udevadm control --reload",
        ),
        "networkmanager": Peer(
            measure.shell(" & ".join(f"nmcli connection up {name}" for name in names) + " & wait"),
            again=measure.shell(" & ".join(f"nmcli device reapply {name}" for name in names) + " & wait"),
            files=profiles | {"/etc/NetworkManager/conf.d/bench.conf": NM_CONF.format(managed)},
            before="systemctl unmask NetworkManager; systemctl start NetworkManager && nm-online -s -q",
            after="systemctl stop NetworkManager",
        ),
        "os-net-config": Peer(
            [*measure.PYTHON, OS_NET_CONFIG],
            files={"/var/lib/os-net-config/sriov_config.yaml": json.dumps(counts)},  # JSON is YAML
            before=f"ln -s /usr/bin/udevadm {UDEVADM}",
            leftovers=(UDEVADM, "/etc/udev/rules.d/70-os-net-config-sriov.rules"),
        ),
        "shim": Peer(
            [*measure.PYTHON, SHIM, "configure"], files={"/etc/sriov-netplan-shim/interfaces.yaml": json.dumps(shim)}
        ),
    }


def turn(peer: Peer, times: int, pfs: list[str]) -> measure.Seconds:
    measure.take_away(pfs, up=True)
    for path, text in peer.files.items():
        _write(Path(path), text)
    try:
        measure.run(measure.shell(peer.before))
        kernel_trace.start()
        began = time.monotonic()
        measure.run(peer.apply)
        ended = time.monotonic()
        events = kernel_trace.recorded()
        measure.check(peer.apply[0], pfs, events, bound=True)
        again = [measure.timed(peer.again or peer.apply) for _ in range(times)]
        kept = kernel_trace.recorded()
        measure.run(measure.shell(peer.after))
    finally:
        for path in (*peer.files, *peer.leftovers):
            Path(path).unlink(missing_ok=True)
        subprocess.run(["udevadm", "control", "--reload"], check=True)
    if kept.count(kernel_trace.BOUND) != events.count(kernel_trace.BOUND):
        raise SystemExit(f"{peer.apply[0]}: VFs that were there were made again")
    bound = events.last - began
    return {"first": [max(ended - began, bound)], "bound": [bound], "again": again}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(PRIVATE)  # NetworkManager and netplan refuse others


def main(name: str, times: str, folder: str, *pfs: str) -> None:
    if name == "python":
        print(json.dumps({"again": [measure.timed([*measure.PYTHON, "pass"]) for _ in range(int(times))]}))
        return
    measure.load_vf_drivers("igbvf")
    print(json.dumps(turn(peers(folder, list(pfs))[name], int(times), list(pfs))))


if __name__ == "__main__":
    main(*sys.argv[1:])
