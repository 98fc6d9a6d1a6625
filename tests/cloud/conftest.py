"""One control plane for all tests, and the command against it, as an operator runs it: in a process of its own."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import openstack
from builders import PF, PF3, vf_address
from cloud.configs import ADDRESS, HOST, PASSWORD, PHYSICAL_NETWORK
from cloud.control_plane import ControlPlane, running
from cloud.processes import wait_until
from cloud.releases import RELEASE
from fakes_host import HostTree
from sriov_bootstrap.verify.openstack.survey import NIC_SWITCH_AGENT, OVN_CONTROLLERS

RUN_CLI = "import sys; from sriov_bootstrap.cli import main; sys.exit(main(sys.argv[2:], root=sys.argv[1]))"
CONFIG = f"""\
[[pf]]
name = "tenant-a"
match = {{ netdev = "ens1f0" }}
num_vfs = 4
physical_network = "{PHYSICAL_NETWORK}"
[[pf]]
name = "alias"
match = {{ netdev = "ens7f0" }}
num_vfs = 3
vf_driver = "none"
"""
AUTH = {"auth_url": f"http://{ADDRESS}:5000/v3", "user_domain_name": "Default", "project_domain_name": "Default"}


def simulated_host(root: Path) -> HostTree:
    """Two PFs with their VFs, as rules ask: one for neutron, one for flavors with an alias."""
    tree = HostTree(root)
    tree.add_pf(num_vfs=4)
    tree.add_pf(PF3, netdev="ens7f0")
    (tree.device(PF3) / "sriov_numvfs").write_text("3\n")
    for index in range(3):
        tree.add_vf(PF3, index, driver="vfio-pci")
    for pf, netdev, count in ((PF, "ens1f0", 4), (PF3, "ens7f0", 3)):
        tree.link(f"{tree.device(pf)}/net/{netdev}/device", tree.device(pf))
        for index in range(count):
            tree.link(f"{tree.device(vf_address(pf, index))}/physfn", tree.device(pf))
    tree.write("etc/sriov-bootstrap/config.toml", CONFIG)
    return tree


class Cloud:
    """The control plane, its administrator's connection, and the command."""

    def __init__(self, plane: ControlPlane, tree: HostTree, folder: Path) -> None:
        self.plane = plane
        self.tree = tree
        self._folder = folder
        self.clouds: dict[str, Any] = {}
        self.add_credentials("admin", username="admin", password=PASSWORD, project_name="admin")
        self.admin: Any = openstack.connect(
            auth={**AUTH, "username": "admin", "password": PASSWORD, "project_name": "admin"}, region_name="RegionOne"
        )

    def add_credentials(self, name: str, **auth: str) -> None:
        """As a cloud of that name in clouds.yaml; JSON is YAML."""
        domains = {} if "application_credential_id" in auth else AUTH
        kind = {"auth_type": "v3applicationcredential"} if "application_credential_id" in auth else {}
        self.clouds[name] = {
            "auth": {"auth_url": AUTH["auth_url"], **domains, **auth},
            "region_name": "RegionOne",
            **kind,
        }
        (self._folder / "clouds.yaml").write_text(json.dumps({"clouds": self.clouds}))

    def start(self, *words: str, cloud: str = "admin") -> "subprocess.Popen[str]":
        environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": f"{self._folder}/clouds.yaml", "OS_CLOUD": cloud}
        command = [sys.executable, "-I", "-c", RUN_CLI, str(self.tree.root), *words]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, *words: str, cloud: str = "admin") -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        process = self.start(*words, cloud=cloud)
        out, err = process.communicate(timeout=170)
        return process.returncode, out, err

    def verify(self, *words: str, cloud: str = "admin") -> tuple[int, dict[str, Any]]:
        """Exit code, and the answer as JSON."""
        code, out, err = self.run("verify", "openstack", "--host", HOST, "--json", *words, cloud=cloud)
        assert out, err
        return code, json.loads(out)

    def is_ready(self) -> bool:
        """Whether the agent and the chassis live, and nova may give the host a server."""
        kinds = (NIC_SWITCH_AGENT, *([OVN_CONTROLLERS[0]] if RELEASE.has_ovn else []))
        return all(map(self.is_alive, kinds)) and any(self.admin.compute.hypervisors())

    def is_alive(self, kind: str) -> bool:
        """Whether neutron thinks so of the host's agent of this kind."""
        agents = self.admin.network.agents(host=HOST, agent_type=kind)
        return any(agent.is_alive for agent in agents)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """With a network, an image, and flavors for what may happen to a VM."""
    folder = tmp_path_factory.mktemp("cloud")
    tree = simulated_host(folder / "host")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of openstacksdk, here in our process
        with running(tree.root) as plane:
            made = Cloud(plane, tree, folder)
            wait_until(made.is_ready, "agent and hypervisor")
            admin = made.admin
            network = admin.network.create_network(
                name="sriov",
                provider_network_type="vlan",
                provider_physical_network=PHYSICAL_NETWORK,
                provider_segmentation_id=101,
            )
            admin.network.create_subnet(network_id=network.id, cidr="192.0.2.0/24", ip_version=4, enable_dhcp=False)
            admin.image.create_image(name="empty", disk_format="raw", container_format="bare", data=b"nothing boots")
            for name in ("one", "offline", "slow"):
                admin.compute.create_flavor(name=name, ram=64, vcpus=1, disk=1)
            yield made
            admin.close()


@pytest.fixture(autouse=True)
def _leaves_nothing(cloud: Cloud) -> Iterator[None]:
    """Whatever a test does, neither port nor server of the command's is there afterwards."""
    yield
    assert not ours(cloud)


def ours(cloud: Cloud) -> list[str]:
    """Names of what the command has made."""
    ports = [port.name for port in cloud.admin.network.ports()]
    servers = [server.name for server in cloud.admin.compute.servers()]
    return [name for name in (*ports, *servers) if name.startswith("sriov-bootstrap")]
