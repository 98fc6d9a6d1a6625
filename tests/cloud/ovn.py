"""OVN for the control plane: its databases, northd, and a chassis of the simulated host, all in user space.

Only the kernel's part of Open vSwitch is simulated: ovn-controller is the real one and answers neutron's heartbeats,
and neutron lists its chassis as an agent of the host.
"""

from pathlib import Path

from cloud.configs import ADDRESS, HOST, OVN_PORTS, PHYSICAL_NETWORK
from cloud.processes import Processes

SCHEMAS = {
    "ovn-nb": "/usr/share/ovn/ovn-nb.ovsschema",
    "ovn-sb": "/usr/share/ovn/ovn-sb.ovsschema",
    "open-vswitch": "/usr/share/openvswitch/vswitch.ovsschema",
}
BRIDGE = "br-ex"
CHASSIS = "ovn-controller"  # the name of its process here


def start_ovn(processes: Processes, folder: Path) -> None:
    """Databases and northd; its files are in this folder."""
    folder.mkdir()
    for name, schema in SCHEMAS.items():
        processes.run("ovsdb-tool", "create", folder / f"{name}.db", schema)
        remote = f"ptcp:{OVN_PORTS[name]}:{ADDRESS}" if name in OVN_PORTS else f"punix:{folder}/{name}.sock"
        control = f"--unixctl={folder}/{name}.ctl"
        processes.start(name, "ovsdb-server", control, f"--remote={remote}", folder / f"{name}.db")
        if name in OVN_PORTS:
            processes.await_port(name, OVN_PORTS[name])
        else:
            processes.await_start(name, (folder / f"{name}.sock").is_socket)
    databases = [f"--ovn{name[-2:]}-db=tcp:{ADDRESS}:{port}" for name, port in OVN_PORTS.items()]
    processes.start("ovn-northd", "ovn-northd", f"--unixctl={folder}/northd.ctl", *databases)


def start_chassis(processes: Processes, folder: Path) -> None:
    """Open vSwitch without the kernel's part, and ovn-controller, which makes the chassis."""
    database = f"unix:{folder}/open-vswitch.sock"
    processes.run("ovs-vsctl", f"--db={database}", "--no-wait", "init")
    switch = ("--enable-dummy=override", "--disable-system", f"--unixctl={folder}/vswitchd.ctl")
    processes.start("ovs-vswitchd", "ovs-vswitchd", *switch, database)
    settings = {
        "hostname": HOST,
        "system-id": "chassis-1",
        "ovn-remote": f"tcp:{ADDRESS}:{OVN_PORTS['ovn-sb']}",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": ADDRESS,
        "ovn-bridge-mappings": f"{PHYSICAL_NETWORK}:{BRIDGE}",
    }
    words = [f"external_ids:{name}={value}" for name, value in settings.items()]
    processes.run("ovs-vsctl", f"--db={database}", "--timeout=60", "set", "Open_vSwitch", ".", *words)
    processes.start(CHASSIS, "ovn-controller", database)
