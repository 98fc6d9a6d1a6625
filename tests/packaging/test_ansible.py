"""packaging/ansible without a host: the linter's word, the syntax, the filters, and what the role is told to take."""

import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import sriov_bootstrap
from ansible_tools import BIN, FLEET, ROLE, ROOT, VERIFY, Ansible
from installed import assert_both_start
from sources import deb
from sriov_bootstrap.core.decode import ConfigFile, decode

SOURCE = ROOT / "packaging" / "ansible"
PLAY = f"""\
- name: All
  hosts: all
  roles:
    - role: {ROLE}
"""


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    return Ansible(tmp_path_factory.mktemp("ansible"))


def test_the_linter_finds_nothing_by_the_rules_for_production(ansible: Ansible) -> None:
    tree = ansible.folder / "tree"  # out of the checkout: the linter leaves out what git ignores
    shutil.copytree(ROOT / "build" / "ansible" / "tree" / "packaging" / "ansible", tree)
    done = ansible.run("ansible-lint", "--offline", "--strict", "--profile=production", "--nocolor", cwd=tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed: 0 failure(s), 0 warning(s)" in done.stderr


def test_playbook_and_role_are_well_formed_and_documented(ansible: Ansible) -> None:
    play = ansible.folder / "play.yml"
    play.write_text(PLAY)
    ansible.check("ansible-playbook", "--syntax-check", "-i", "localhost,", FLEET)
    ansible.check("ansible-playbook", "--syntax-check", "-i", "localhost,", VERIFY)
    ansible.check("ansible-playbook", "--syntax-check", "-i", "localhost,", play)
    assert "sriov_bootstrap_pf" in ansible.check("ansible-doc", "--type=role", ROLE)
    filters = ("sriov_bootstrap.host.to_toml", "sriov_bootstrap.host.fleet_table")
    documented = ansible.check("ansible-doc", "--type=filter", *filters)
    assert all(name in documented for name in filters)


HOSTS = {name: {"ansible_connection": "local", "ansible_become": False} for name in "abcdef"}
# Fails when it is asked to verify for the third time.
FAKE = """\
#!/bin/sh
echo "$@" >>$0.calls
[ "$1" = status ] || echo "0000:3b:00.0 ..."
[ "$(grep -c verify $0.calls)" -lt 3 ]
"""


def test_hosts_are_verified_in_batches_until_one_fails(ansible: Ansible) -> None:
    program = ansible.folder / "bin" / "sriov-bootstrap"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    inventory = ansible.folder / "hosts.yml"
    variables = {
        "ansible_python_interpreter": sys.executable,
        "sriov_bootstrap_verify_serial": 2,
        "sriov_bootstrap_verify_options": ["--vlan", "100"],
    }
    inventory.write_text(json.dumps({"all": {"hosts": HOSTS, "vars": variables}}))
    path = f"PATH={program.parent}:/usr/bin:/bin:{BIN}"
    done = ansible.run("env", path, "ansible-playbook", "-i", inventory, "-f", "1", VERIFY)
    calls = (program.parent / "sriov-bootstrap.calls").read_text().splitlines()
    assert (done.returncode, "not every PF was proved" in done.stdout) == (2, True), done.stdout + done.stderr
    assert calls.count("verify host --vlan 100") == 4  # two that work, and the batch in which one does not
    assert calls.count("status --wait") == 4


def test_the_collection_has_the_version_of_the_package() -> None:
    galaxy = yaml.safe_load((SOURCE / "galaxy.yml").read_text())
    assert galaxy["version"] == sriov_bootstrap.__version__


def test_both_start_on_a_host_that_the_role_has_configured(tmp_path: Path) -> None:
    """By what it enables and starts; in the lab it is run."""
    tasks = yaml.safe_load((SOURCE / "roles" / "sriov_bootstrap" / "tasks" / "configure.yml").read_text())
    (service,) = [
        task["ansible.builtin.systemd_service"] for task in tasks if "ansible.builtin.systemd_service" in task
    ]
    assert service["enabled"] is True
    assert service["state"] == "{{ 'started' if sriov_bootstrap_is_on | bool else omit }}"
    deb("--extract", str(tmp_path))
    units = [service["name"], "sriov-bootstrap-cloud-init.service"]  # the other one by the package
    subprocess.run(["systemctl", f"--root={tmp_path}", "enable", *units], check=True, capture_output=True)
    assert_both_start(tmp_path)


def test_the_role_takes_what_the_config_takes() -> None:
    specs = module(ROOT / "packaging" / "ansible_specs.py")
    text = (SOURCE / "roles" / "sriov_bootstrap" / "meta" / "argument_specs.yml").read_text()
    schema = (ROOT / "sriov_bootstrap" / "templates" / "config.schema.json").read_text()
    assert text == specs.argument_specs(yaml.safe_load(schema)), "make ansible-specs writes it anew"
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((SOURCE / "roles" / "sriov_bootstrap" / "defaults" / "main.yml").read_text())
    assert {name: option["default"] for name, option in options.items() if "default" in option} == defaults


# -- to_toml --

TABLES = {
    "pf": [
        {
            "name": "tenant-a",
            "match": {"pci_address": "0000:01:00.0"},
            "num_vfs": 7,
            "alias": "a",
            "exclude_vfs": [0, 1],
        },
        {"name": 'b "\\\n\x7f\x01é😀', "match": {"netdev": "e*"}, "num_vfs": "50%", "pf_up": False},
    ],
    "services": {"restart": [], "settle_seconds": 1.5},
    "openstack": {"release": 2025.1},
}


def test_the_text_says_what_the_variables_say() -> None:
    assert tomllib.loads(module(SOURCE / "plugins" / "filter" / "to_toml.py").to_toml(TABLES)) == TABLES


def test_the_text_is_a_config() -> None:
    text = module(SOURCE / "plugins" / "filter" / "to_toml.py").to_toml({**TABLES, "pf": TABLES["pf"][:1]})  # type: ignore[index]
    assert decode([ConfigFile("config.toml", text.encode())]).pf[0].exclude_vfs == (0, 1)


def test_the_text_reads_like_one_that_people_wrote() -> None:
    to_toml = module(SOURCE / "plugins" / "filter" / "to_toml.py").to_toml
    assert to_toml({"pf": [{"name": "a", "match": {"driver": "ice"}}, {"name": "b"}], "boot": {"x y": 1}}) == (
        '[[pf]]\nname = "a"\nmatch = { driver = "ice" }\n\n[[pf]]\nname = "b"\n\n[boot]\n"x y" = 1\n'
    )


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"pf": [{"name": "a", "alias": None}]}, "pf, number 1: alias: TOML cannot represent None: omit the key"),
        ({"pf": ["a"]}, "pf, number 1: must be a mapping, but is 'a'"),
        ({"boot": 5}, "boot: must be a mapping or a list of mappings, but is 5"),
        ({"boot": "x"}, "boot: must be a mapping or a list of mappings, but is 'x'"),
        ({"pf": [{"match": {"mac": None}}]}, "pf, number 1: match: mac: TOML cannot represent None"),
    ],
)
def test_what_toml_cannot_say_is_refused_by_name(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError) as caught:
        module(SOURCE / "plugins" / "filter" / "to_toml.py").to_toml(tables)
    assert said in str(caught.value)


# -- fleet_table --


def said(answer: object) -> dict[str, object]:
    return {"rc": 0, "stdout": json.dumps(answer)}


def pf(**more: object) -> dict[str, object]:
    usual = {"rule": "a", "pci_address": "0000:3b:00.0", "netdev": "ens1f0", "requested": "50%", "state": "ok"}
    return {**usual, "desired": 7, "num_vfs": 7, "vfs_in_use": 2, "reason": None, "message": "", **more}


def test_the_fleet_is_one_table() -> None:
    short = pf(num_vfs=4, state="degraded", reason="in_use", message="4 VFs stay instead of 7")
    gone = pf(pci_address="", netdev="", num_vfs=0, vfs_in_use=0, desired=0, state="degraded", reason="absent")
    finding = {"code": "SB-E103", "place": "/etc/default/grub:4", "problem": "the boot menu was not regenerated"}
    silent = {"rc": 2, "stdout": "", "stderr": "", "msg": "Error executing command."}
    hosts = {
        "c1": {"fleet_status": said({"pfs": [pf(), pf(state="pending")]}), "fleet_doctor": said({"findings": []})},
        "c2": {
            "fleet_status": said({"pfs": [short, gone], "pending_restart": True}),
            "fleet_doctor": said({"findings": [finding]}),
        },
        "c3": {"fleet_status": said({"pfs": [], "state": "nothing_to_do"}), "fleet_doctor": {"skipped": True}},
        "c4": {"fleet_status": {"unreachable": True, "msg": "timed out"}},
        "c5": {"fleet_status": silent, "fleet_doctor": silent},
    }
    assert module(SOURCE / "plugins" / "filter" / "fleet_table.py").fleet_table(list(hosts), hosts) == [
        "HOST  RULE  PF            NETDEV  WANTED  VFS  IN USE  PENDING  FINDINGS  STATE",
        "c1    a     0000:3b:00.0  ens1f0  7       7    2       -        0         ok",
        "c1    a     0000:3b:00.0  ens1f0  7       7    2       pass     0         pending",
        "c2    a     0000:3b:00.0  ens1f0  7       4    2       restart  1         degraded: in_use",
        "c2    a     -             -       50%     0    0       restart  1         degraded: absent",
        "c3    -     -             -       -       -    -       -        ?         nothing_to_do",
        "c4    -     -             -       -       -    -       -        -         unreachable",
        "c5    -     -             -       -       -    -       -        -         not installed",
        "",
        "c2: 4 VFs stay instead of 7",
        "c2: SB-E103 /etc/default/grub:4: the boot menu was not regenerated",
        "",
        "5 hosts, 2 without an answer; 1 of 4 PFs as desired; VFs: 21 wanted, 18 present, 6 in use",
    ]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "no answer"),
        ({"stdout": "\x00garbage"}, "no answer"),
        ({"stdout": "[1]", "stderr": "Traceback\nboom"}, "no answer: boom"),
        ({"rc": 2, "stderr": "usage"}, "no answer: usage"),
        ({"stdout": '{"state": "ok"}', "msg": "non-zero return code"}, "no answer: non-zero return code"),
        (said({"pfs": [{}], "config_problems": ["x.toml: not TOML"]}), ""),
    ],
)
def test_an_answer_that_nobody_expected_is_a_line_of_the_table(status: dict[str, object], state: str) -> None:
    fleet_table = module(SOURCE / "plugins" / "filter" / "fleet_table.py").fleet_table
    lines = fleet_table(["c1"], {"c1": {"fleet_status": status}})
    assert lines[1].startswith("c1 ")
    assert lines[1].endswith(state)
    assert ("c1: x.toml: not TOML" in lines) is (not state)
