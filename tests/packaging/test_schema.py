"""The schema that editors use, against the code that decides."""

import importlib.util
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.edges.templates import schema_uri

ROOT = Path(__file__).parents[2]
RULE = '[[pf]]\nname = "a"\nmatch = { netdev = "e" }\n'


def test_the_schema_is_the_one_that_types_and_manual_give() -> None:
    spec = importlib.util.spec_from_file_location("schema", ROOT / "packaging" / "schema.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.schema((ROOT / "docs" / "man" / "sriov-bootstrap.toml.5").read_text())
    assert Path(schema_uri().removeprefix("file://")).read_text() == made, "make schema writes it anew"


def _schema() -> object:
    return json.loads(Path(schema_uri().removeprefix("file://")).read_text())


def _keys(node: object) -> list[tuple[str, dict[str, object]]]:
    definitions = node["$defs"] if isinstance(node, dict) else {}
    return [item for one in definitions.values() for item in one.get("properties", {}).items()]


def test_every_key_says_what_it_means_and_no_macro_of_the_manual_is_left() -> None:
    tables = {"pf", "services", "metrics", "boot", "openstack"}  # their keys say it
    unsaid = {key for key, value in _keys(_schema()) if "description" not in value}
    assert unsaid == tables, "describe it in docs/man/sriov-bootstrap.toml.5; then: make schema"
    texts = [str(value["description"]) for key, value in _keys(_schema()) if key not in tables]
    assert [text for text in texts if "\\" in text or " Ql" in text or "Pa " in text or " ," in text] == []


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("", True),
        (RULE + "num_vfs = 7\n", True),
        (RULE + 'num_vfs = "max"\nvf_driver = "none"\n', True),
        (RULE + 'num_vfs = "50%"\n[openstack]\nrelease = 2025.1\n', True),
        ("[services]\nrestart = []\nsettle_seconds = 1\n", True),
        (RULE, False),
        (RULE + "num_vfs = -1\n", False),
        (RULE + 'num_vfs = "many"\n', False),
        (RULE + 'num_vfs = "101%"\n', False),
        (RULE + "num_vfs = 65536\n", False),
        (RULE + "num_vfs = true\n", False),
        (RULE + 'num_vfs = 1\nvf_driver = "vfio-pci"\n', True),
        (RULE + 'num_vfs = 1\nvf_binding = "late"\n', False),
        (RULE + 'num_vfs = 1\nnetwork = "x"\n', False),
        (RULE + 'num_vfs = 4\nmtu = 9000\npromisc = "on"\n', True),
        (RULE + "num_vfs = 4\nmtu = 0\n", False),
        (RULE + "num_vfs = 4\npromisc = true\n", False),
        *(
            (f"{RULE}num_vfs = 4\n[[pf.vf]]\n{lines}\n", is_good)
            for lines, is_good in (
                ('vfs = "all"\nmac = "stable"\ntrust = true', True),
                ('vfs = " 0 - 1, 3 "\nvlan = 4094\nvlan_qos = 7\nvlan_protocol = "802.1ad"', True),
                ('vfs = "1"\nmac = "02:00:00:AA:bb:00"\nlink_state = "auto"', True),
                ('vfs = "1"\nport_guid = "0xAb11223344556677"\nmsix_vectors = 1', True),
                ('vfs = "0-"\ntrust = true', False),
                ("vlan = 1", False),
                ('vfs = "0"\nvlan = 4095', False),
                ('vfs = "0"\nmax_tx_rate = 4294967296', False),
                ('vfs = "0"\nmsix_vectors = 0', False),
                ('vfs = "0"\nmac = "02-00-00-aa-bb-00"', False),
                ('vfs = "0"\nnode_guid = "stable"', False),
                ('vfs = "0"\nlink_state = "up"', False),
                ('vfs = "0"\ndriver = "vfio-pci"', True),
                ('vfs = "0"\ndriver = "a/b"', False),
                ('vfs = "0"\nmtu = 67', False),
            )
        ),
        ('[[pf]]\nname = "a"\nmatch = { nic = "e" }\nnum_vfs = 1\n', False),
        ("[metric]\n", False),
    ],
)
def test_an_editor_is_told_what_the_program_will_say(text: str, *, is_good: bool) -> None:
    try:
        decode([ConfigFile("config.toml", text.encode())])
    except ConfigError:
        assert not is_good
    else:
        assert is_good
    assert jsonschema.Draft202012Validator(_schema()).is_valid(tomllib.loads(text)) is is_good
