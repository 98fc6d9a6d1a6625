import os

import pytest
from msgspec.structs import replace

from fakes_host import HostTree
from fakes_openstack import DEBIAN_HEADS, RDO_COMMANDS, add_debian, add_kolla, add_rdo, add_unit
from sriov_bootstrap.base import reading
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.doctor.openstack.read import survey_openstack
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.formats.unit_state import STARTS
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.host import Host

NEUTRON, ML2 = "/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2"


def survey(tree: HostTree) -> OpenStackSurvey:
    return survey_openstack(HostMachine(root=str(tree.root)), Host(Config()))


def read_by(service: Service) -> list[str]:
    return [file.path for file in service.files]


def test_without_openstack_there_is_nothing(tree: HostTree) -> None:
    found = survey(tree)
    assert found == replace(OpenStackSurvey(), now=found.now, booted_at=found.booted_at, patience=392.0)
    assert survey(tree).services == ()


def test_what_the_scripts_of_debian_name(tree: HostTree) -> None:
    add_debian(tree, *DEBIAN_HEADS)
    tree.write("etc/nova/nova-compute.conf", "[DEFAULT]\n")
    tree.write("etc/nova/nova.conf.d/x.conf", "[DEFAULT]\n")
    tree.write("etc/nova/nova.conf.d/.hidden.conf", "[DEFAULT]\n")
    tree.write("etc/neutron/neutron-sriov-nic-agent.conf.d/x.conf", "[DEFAULT]\n")
    tree.write("etc/neutron/server.conf.d/x.conf", "[DEFAULT]\n")
    seen = survey(tree)
    assert seen.compute.unit == "nova-compute.service"
    folder = "/etc/nova/nova.conf.d/x.conf"
    assert read_by(seen.compute) == [folder, "/etc/nova/nova.conf", "/etc/nova/nova-compute.conf"]
    assert read_by(seen.scheduler) == [folder, "/etc/nova/nova.conf"]
    own = "/etc/neutron/neutron-sriov-nic-agent.conf.d/x.conf"
    assert read_by(seen.agent) == [own, NEUTRON, f"{ML2}/sriov_agent.ini"]
    assert read_by(seen.server) == [NEUTRON, "/etc/neutron/server.conf.d/x.conf", f"{ML2}/ml2_conf.ini"]
    assert (seen.agent.is_active, seen.agent.started_at, seen.strays, seen.unseen) == (None, None, (), ())


def test_debians_api_runs_below_uwsgi(tree: HostTree) -> None:
    add_debian(tree, "neutron-api")
    server = survey(tree).server
    assert (server.unit, read_by(server)) == ("neutron-api.service", [NEUTRON, f"{ML2}/ml2_conf.ini"])


def test_what_the_units_of_rdo_name(tree: HostTree) -> None:
    add_rdo(tree, *RDO_COMMANDS)
    tree.write("usr/share/nova/nova-dist.conf", "[DEFAULT]\n")
    tree.write("etc/neutron/conf.d/neutron-server/x.conf", "[ml2]\n")
    seen = survey(tree)
    assert read_by(seen.compute) == ["/usr/share/nova/nova-dist.conf", "/etc/nova/nova.conf"]
    dist = "/usr/share/neutron/neutron-dist.conf"
    assert read_by(seen.agent) == [dist, NEUTRON, f"{ML2}/sriov_agent.ini"]
    server_folder = "/etc/neutron/conf.d/neutron-server/x.conf"
    assert read_by(seen.server) == [dist, NEUTRON, "/etc/neutron/plugin.ini", server_folder]
    assert seen.unseen == ()


def test_what_the_containers_of_kolla_copy(tree: HostTree) -> None:
    agent = f"neutron-sriov-nic-agent --config-file {NEUTRON} --config-file {ML2}/sriov_agent.ini"
    add_kolla(tree, nova_compute="nova-compute", neutron_sriov_agent=agent)
    tree.write("etc/kolla/nova-compute/nova.conf", "[pci]\na = b\n")
    tree.write("etc/kolla/neutron-sriov-agent/sriov_agent.ini", "[sriov_nic]\n")
    seen = survey(tree)
    assert (seen.compute.unit, read_by(seen.compute)) == (
        "kolla-nova_compute-container.service",
        ["/etc/kolla/nova-compute/nova.conf"],
    )
    assert read_by(seen.agent) == ["/etc/kolla/neutron-sriov-agent/sriov_agent.ini"]
    assert seen.agent.missing == ("/etc/kolla/neutron-sriov-agent/neutron.conf",)


def test_a_container_without_a_unit_is_kollas(tree: HostTree) -> None:
    add_kolla(tree, nova_compute="nova-compute", neutron_sriov_agent="neutron-sriov-nic-agent")
    for unit in (tree.root / "etc/systemd/system").iterdir():
        unit.unlink()
    seen = survey(tree)
    assert seen.compute.unit == "kolla-nova_compute-container.service"
    assert seen.agent.unit == "kolla-neutron_sriov_agent-container.service"


def test_a_drop_in_replaces_the_command(tree: HostTree) -> None:
    add_debian(tree, "neutron-sriov-agent")
    text = f"[Service]\nExecStart=\nExecStart=/usr/bin/neutron-sriov-nic-agent \\\n  --config-file={NEUTRON}\n"
    tree.write("etc/systemd/system/neutron-sriov-agent.service.d/x.conf", text)
    seen = survey(tree)
    assert read_by(seen.agent) == [NEUTRON]
    assert [file.path for file in seen.strays] == [f"{ML2}/sriov_agent.ini"]


def test_a_command_may_have_its_arguments_from_the_environment(tree: HostTree) -> None:
    add_unit(tree, "neutron-sriov-nic-agent", "/usr/bin/neutron-sriov-nic-agent --config-file ${MAIN} $OPTIONS")
    text = f"[Service]\nEnvironment=MAIN={NEUTRON}\nEnvironmentFile=-/etc/sysconfig/agent\nEnvironmentFile=-/absent\n"
    tree.write("etc/systemd/system/neutron-sriov-nic-agent.service.d/x.conf", text)
    tree.write("etc/sysconfig/agent", f'OPTIONS="--config-file {ML2}/sriov_agent.ini --debug"\n')
    tree.write(NEUTRON[1:], "[DEFAULT]\n")
    tree.write(f"{ML2[1:]}/sriov_agent.ini", "[DEFAULT]\n")
    seen = survey(tree)
    assert read_by(seen.agent) == [NEUTRON, f"{ML2}/sriov_agent.ini"]
    assert (seen.strays, seen.unseen) == ((), ())


@pytest.mark.parametrize("is_link", [True, False])
def test_a_drop_in_that_is_masked_replaces_nothing(tree: HostTree, *, is_link: bool) -> None:
    add_debian(tree, "neutron-sriov-agent")
    text = f"[Service]\nExecStart=\nExecStart=/usr/bin/neutron-sriov-nic-agent --config-file={NEUTRON}\n"
    tree.write("usr/lib/systemd/system/neutron-sriov-agent.service.d/x.conf", text)
    assert read_by(survey(tree).agent) == [NEUTRON]
    mask = tree.write("etc/systemd/system/neutron-sriov-agent.service.d/x.conf", "")
    if is_link:
        mask.unlink()
        mask.symlink_to("/dev/null")
    assert read_by(survey(tree).agent) == [NEUTRON, f"{ML2}/sriov_agent.ini"]


def test_etc_default_replaces_the_arguments(tree: HostTree) -> None:
    add_debian(tree, "neutron-sriov-agent")
    tree.write("etc/default/neutron-sriov-agent", f'DAEMON_ARGS="--config-file={NEUTRON}"\nUSE_SYSLOG=yes\n')
    agent = survey(tree).agent
    assert agent.argv[1:3] == (f"--config-file={NEUTRON}", "--use-syslog")
    assert read_by(agent) == [NEUTRON]


def test_options_in_the_environment_of_a_unit_are_not_seen(tree: HostTree) -> None:
    """oslo.config lets them beat all files."""
    add_debian(tree, "nova-compute")
    text = "[Service]\nEnvironment=OS_CLOUD=a OS_PCI__DEVICE_SPEC=x\nEnvironmentFile=/etc/default/os\n"
    tree.write("etc/systemd/system/nova-compute.service.d/x.conf", text)
    tree.write("etc/default/os", "OS_DEFAULT__HOST=a\n")
    options = "OS_DEFAULT__HOST, OS_PCI__DEVICE_SPEC"
    assert survey(tree).unseen == (
        f"nova-compute.service: what its environment sets ({options}), which beats all of its files",
    )


def test_a_container_of_somebody_else_is_not_seen(tree: HostTree) -> None:
    add_unit(tree, "edpm_nova_compute", "/usr/bin/podman start edpm_nova_compute")
    seen = survey(tree)
    assert (seen.compute.is_installed, seen.compute.files) == (True, ())
    said = "edpm_nova_compute.service: which files its service reads: its ExecStart cannot be parsed"
    assert seen.unseen == (said,)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"command": 1}', "[" * 100_000])
def test_a_config_json_that_is_none(tree: HostTree, text: str) -> None:
    tree.write("etc/kolla/nova-compute/config.json", text)
    seen = survey(tree)
    assert not seen.compute.is_installed
    assert bool(seen.unseen) is bool(text)


def test_what_may_not_be_read_is_said(tree: HostTree) -> None:
    add_debian(tree, "nova-compute")
    path = tree.root / "etc/nova/nova.conf"
    path.unlink()
    path.mkdir()
    path = tree.write("etc/nova/nova-compute.conf", b"x" * ((8 << 20) + 1))
    seen = survey(tree)
    assert seen.compute.unread == ("/etc/nova/nova.conf", "/etc/nova/nova-compute.conf")
    assert seen.unseen == (
        "/etc/nova/nova.conf: is not a regular file",
        "/etc/nova/nova-compute.conf: larger than 8 MiB: not read",
    )


def test_names_of_folders_and_homes(tree: HostTree) -> None:
    add_rdo(tree, "openstack-nova-compute")
    tree.write("etc/passwd", "nonsense\nnova:x:1:1::/srv/nova:/bin/sh\n")
    tree.write("srv/nova/.nova/nova.conf", "[DEFAULT]\n")
    assert read_by(survey(tree).compute) == ["/srv/nova/.nova/nova.conf"]


def test_a_process_says_better_what_it_reads(tree: HostTree) -> None:
    """The unit was edited since it started."""
    add_debian(tree, "neutron-sriov-agent")
    words = ["/usr/bin/python3", "/usr/bin/neutron-sriov-nic-agent", f"--config-file={NEUTRON}", ""]
    tree.write("proc/77/cmdline", "\0".join(words))
    unit = "neutron-sriov-agent.service"

    def asked(**said: str) -> Service:
        host = Host(Config(), units={unit: {"ActiveState": "inactive", **said}})
        return survey_openstack(HostMachine(root=str(tree.root)), host).agent

    agent = asked(ActiveState="active", MainPID="77", ExecMainStartTimestampMonotonic="5000000")
    assert (agent.is_active, agent.started_at, read_by(agent)) == (True, 5.0, [NEUTRON])
    for said in ({"ActiveState": "active", "MainPID": "78"}, {"MainPID": "77", STARTS[0]: "5000000"}):
        agent = asked(**said)
        assert (agent.started_at, read_by(agent)) == (None, [NEUTRON, f"{ML2}/sriov_agent.ini"])


def test_a_folder_of_a_services_user_is_read_within_limits(tree: HostTree) -> None:
    add_debian(tree, "nova-compute")
    folder = "etc/nova/nova.conf.d"
    for number in range(300):
        tree.write(f"{folder}/{number:03}.conf", f"[pci]\nalias = {number}\n")
    tree.write(f"{folder}/000.conf", b"#" * ((1 << 20) + 1))
    seen = survey(tree)
    read = [path for path in read_by(seen.compute) if path.startswith(f"/{folder}/")]
    assert read == [f"/{folder}/{number:03}.conf" for number in range(1, 256)]
    assert seen.compute.unread == (f"/{folder}/000.conf", f"/{folder}")
    assert not seen.compute.is_known
    assert [file.path for file in seen.strays] == []
    assert seen.unseen == (
        f"/{folder}: has 300 files: 256 were read, the other 44, from 256.conf, are not",
        f"/{folder}/000.conf: larger than 1 MiB: not read",
    )


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to users")
NOVA = 64060


@as_root
def test_a_file_in_a_home_is_read_up_to_a_limit(tree: HostTree) -> None:
    """Parsed, a file takes many times its size; one with a hole is as large as its maker likes."""
    add_rdo(tree, "openstack-nova-compute")
    tree.write("etc/passwd", f"nova:x:{NOVA}:{NOVA}::/srv/nova:/bin/sh\n")
    home = tree.write("srv/nova/.nova/nova.conf", "[DEFAULT]\n")
    for path in (home, home.parent, home.parent.parent):
        os.chown(path, NOVA, NOVA)
    assert read_by(survey(tree).compute) == ["/srv/nova/.nova/nova.conf"]
    os.truncate(home, (1 << 20) + 1)
    seen = survey(tree)
    assert (read_by(seen.compute), seen.compute.unread) == ([], ("/srv/nova/.nova/nova.conf",))
    assert seen.unseen == ("/srv/nova/.nova/nova.conf: larger than 1 MiB: not read",)
    assert not seen.compute.is_known
    os.chown(home, 0, 0)  # in a folder of nova's
    assert survey(tree).unseen == seen.unseen


@as_root
def test_of_what_a_services_user_owns_some_is_read_and_the_rest_is_not_known(tree: HostTree) -> None:
    add_debian(tree, "nova-compute")
    folder = "etc/nova/nova.conf.d"
    for number in range(4):
        path = tree.write(f"{folder}/{number}.conf", b"#" * (900 << 10))
        os.chown(path, NOVA, NOVA)
    seen = survey(tree)
    assert [path for path in read_by(seen.compute) if folder in path] == [f"/{folder}/0.conf", f"/{folder}/1.conf"]
    assert seen.compute.unread == (f"/{folder}/2.conf", f"/{folder}/3.conf")
    assert [problem.partition(";")[0] for problem in seen.unseen] == [
        f"/{folder}/2.conf: not read: more than 2 MiB of files that user {NOVA} owns or names"
    ]


def test_a_folder_with_too_many_entries_is_not_known(tree: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ENTRIES", 100)
    add_debian(tree, "nova-compute")
    for number in range(150):
        tree.write(f"etc/nova/nova.conf.d/{number:03}.other", "")
    seen = survey(tree)
    assert seen.compute.unread == ("/etc/nova/nova.conf.d",)
    assert any(one.startswith("/etc/nova/nova.conf.d: has more than ") for one in seen.unseen)
