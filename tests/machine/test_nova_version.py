"""Which nova a unit starts: each place that tells, on a tree."""

import json
from pathlib import Path

import pytest

from fakes_host import HostTree
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.formats.installed_packages import podman_config_file
from sriov_bootstrap.machine import nova_version
from sriov_bootstrap.machine.host_machine import HostMachine

UNIT = "nova-compute.service"
STATUS = "Package: nova-compute\nStatus: install ok installed\nVersion: 3:33.0.2-1\n\n"
DEBIANS = "/etc/init.d/nova-compute systemd-start"
IMAGE = "7c2f" * 16


def write_unit(tree: HostTree, command: str) -> None:
    tree.write(f"usr/lib/systemd/system/{UNIT}", f"[Service]\nExecStart={command}\n")


def found(tree: HostTree) -> NovaVersion:
    return HostMachine(root=str(tree.root)).nova_version(UNIT)


@pytest.mark.parametrize("command", [DEBIANS, "/usr/bin/nova-compute --config-file=/etc/nova/nova.conf", ""])
def test_a_program_of_the_system_has_dpkgs_version(tree: HostTree, command: str) -> None:
    write_unit(tree, command)
    tree.write("var/lib/dpkg/status", STATUS)
    assert found(tree) == NovaVersion("33.0.2", "dpkg")


def test_a_program_of_the_system_without_packages_has_that_of_the_systems_python(tree: HostTree) -> None:
    write_unit(tree, "/usr/local/bin/nova-compute")
    tree.write("var/lib/dpkg/status", "")
    tree.write("usr/local/lib/python3.11/dist-packages/nova-32.1.0.dist-info/METADATA", "")
    assert found(tree) == NovaVersion("32.1.0", "in /usr/local")


def test_a_venv_counts_alone(tree: HostTree) -> None:
    write_unit(tree, "/openstack/venvs/nova-34.0.0/bin/nova-compute")
    tree.write("var/lib/dpkg/status", STATUS)
    assert found(tree) == NovaVersion()
    tree.write("openstack/venvs/nova-34.0.0/lib/python3.12/site-packages/nova-34.0.0.dist-info/METADATA", "")
    assert found(tree) == NovaVersion("34.0.0", "in /openstack/venvs/nova-34.0.0")


def test_a_drop_in_may_start_another(tree: HostTree) -> None:
    write_unit(tree, DEBIANS)
    tree.write(f"etc/systemd/system/{UNIT}.d/venv.conf", "[Service]\nExecStart=\nExecStart=/opt/v/bin/nova-compute\n")
    tree.write("opt/v/lib/python3.12/site-packages/nova-32.0.0.dist-info/METADATA", "")
    assert found(tree).text == "32.0.0"


def test_a_link_into_a_venv_is_followed(tree: HostTree) -> None:
    write_unit(tree, "/usr/local/bin/nova-compute")
    tree.write("opt/v/lib/python3.12/site-packages/nova-32.0.0.dist-info/METADATA", "")
    (tree.root / "usr/local/bin").mkdir(parents=True)
    (tree.root / "usr/local/bin/nova-compute").symlink_to("/opt/v/bin/nova-compute")
    assert found(tree).text == "32.0.0"


def test_a_container_of_docker_has_kollas_label(tree: HostTree) -> None:
    write_unit(tree, "/usr/bin/docker start -a nova_compute")
    tree.write("var/lib/dpkg/status", STATUS)  # the host's, which the container does not have
    assert found(tree) == NovaVersion()
    labels = {"kolla_version": "22.0.0"}
    config = json.dumps({"Name": "/nova_compute", "Config": {"Labels": labels}})
    tree.write("var/lib/docker/containers/0123/config.v2.json", config)
    assert found(tree) == NovaVersion("33", "label of kolla 22.0.0")


def test_a_container_of_podman_has_that_of_its_image(tree: HostTree) -> None:
    write_unit(tree, "/usr/libexec/edpm-start-podman-container nova_compute")
    storage = "var/lib/containers/storage"
    tree.write(
        f"{storage}/overlay-containers/containers.json", json.dumps([{"names": ["nova_compute"], "image": IMAGE}])
    )
    assert found(tree) == NovaVersion()
    name = podman_config_file(IMAGE)
    text = json.dumps({"config": {"Labels": {"kolla_version": "23.0.0"}}})
    tree.write(f"{storage}/overlay-images/{IMAGE}/{name}", text)
    assert found(tree) == NovaVersion("34", "label of kolla 23.0.0")


def test_a_host_without_nova_has_no_version(tree: HostTree) -> None:
    assert found(tree) == NovaVersion()


@pytest.mark.parametrize(
    ("script", "version"), [("echo 33.0.1 1.el9; exit 1", "33.0.1"), ("exec sleep 60", ""), ("exit 1", "")]
)
def test_rpm_is_asked_and_may_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, version: str
) -> None:
    rpm = tmp_path / "rpm"
    rpm.write_text(f"#!/bin/sh\n{script}\n")
    rpm.chmod(0o755)
    monkeypatch.setattr(nova_version, "RPM", str(rpm))
    monkeypatch.setattr(nova_version, "RPM_SECONDS", 0.3 if "sleep" in script else 5.0)
    machine = HostMachine()
    assert nova_version.ask_rpm(machine, machine.text_files()) == NovaVersion(version, "rpm" if version else "")


def test_of_a_tree_rpm_knows_nothing(tree: HostTree) -> None:
    write_unit(tree, "/usr/bin/nova-compute")
    tree.write("usr/bin/rpm", "#!/bin/sh\n").chmod(0o755)
    assert found(tree).text == ""
