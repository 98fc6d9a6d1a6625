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
