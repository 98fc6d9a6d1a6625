"""packaging/ansible without a host: the linter's word, the syntax, the filters, and what the role is told to take."""

import importlib.util
import shutil
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import sriov_bootstrap
from ansible_tools import FLEET, ROLE, ROOT, Ansible
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
    ansible.check("ansible-playbook", "--syntax-check", "-i", "localhost,", play)
    assert "sriov_bootstrap_pf" in ansible.check("ansible-doc", "--type=role", ROLE)
    filters = ("sriov_bootstrap.host.to_toml", "sriov_bootstrap.host.fleet_table")
    documented = ansible.check("ansible-doc", "--type=filter", *filters)
    assert all(name in documented for name in filters)


def test_the_collection_has_the_version_of_the_package() -> None:
    galaxy = yaml.safe_load((SOURCE / "galaxy.yml").read_text())
    assert galaxy["version"] == sriov_bootstrap.__version__


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
        ({"pf": [{"name": "a", "alias": None}]}, "pf, number 1: alias: TOML has no value for None: leave the key out"),
        ({"pf": ["a"]}, "pf, number 1: must be a mapping, and is 'a'"),
        ({"boot": 5}, "boot: must be a mapping or a list of mappings, and is 5"),
        ({"boot": "x"}, "boot: must be a mapping or a list of mappings, and is 'x'"),
        ({"pf": [{"match": {"mac": None}}]}, "pf, number 1: match: mac: TOML has no value for None"),
    ],
)
def test_what_toml_cannot_say_is_refused_by_name(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError) as caught:
        module(SOURCE / "plugins" / "filter" / "to_toml.py").to_toml(tables)
    assert said in str(caught.value)
