"""The variables of the Ansible role, from the schema of the config: `make ansible-specs`.

The tables of the config come from its JSON Schema, hence from the types and the manual; the rest is written here.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMA = Path(__file__).parents[1] / "sriov_bootstrap" / "templates" / "config.schema.json"
TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict"}
TABLES = {
    "pf": "The rules, each a [[pf]] table: which NICs, and how many VFs. The first rule that matches a NIC wins.",
    "services": "The table [services]: which services are restarted after VFs have changed.",
    "metrics": "The table [metrics]: where the metrics are served for Prometheus.",
    "boot": "The table [boot].",
    "openstack": "The table [openstack]: how nova and neutron are configured, see sriov_bootstrap_render.",
}
OWN: dict[str, Any] = {
    "sriov_bootstrap_package": {
        "description": "Name of the package in the host's repositories. Leave empty if the image has it.",
        "default": "sriov-bootstrap",
    },
    "sriov_bootstrap_package_state": {
        "description": "With C(latest), the package is upgraded. No upgrade changes a VF.",
        "choices": ["present", "latest"],
        "default": "present",
    },
    "sriov_bootstrap_package_file": {
        "description": "A .deb or .rpm on the controller to install instead.",
        "default": "",
    },
    "sriov_bootstrap_config_file": {
        "description": "The file that the tables are written to. A file in config.d is one drop-in among others.",
        "type": "path",
        "default": "/etc/sriov-bootstrap/config.toml",
    },
    "sriov_bootstrap_render": {
        "description": (
            "Targets that C(sriov-bootstrap render) writes on the host, such as C(nova-compute) and C(sriov-agent), or"
            " C(all). What has to be restarted as a result is printed, but not restarted."
        ),
        "type": "list",
        "elements": "str",
        "default": [],
    },
    "sriov_bootstrap_live": {
        "description": (
            "Whether this is a running host, whose VFs are to be made now. If not, as while building an image, the"
            " service is enabled but not started."
        ),
        "type": "bool",
        "default": True,
    },
    "sriov_bootstrap_fail_degraded": {
        "description": (
            "Whether a host fails if not all of its NICs have the desired VFs. Switch this off when changing numbers"
            " while VMs hold VFs: the change is applied when the VMs are gone."
        ),
        "type": "bool",
        "default": True,
    },
}


def main() -> None:
    sys.stdout.write(argument_specs(json.loads(SCHEMA.read_text())))


def argument_specs(schema: dict[str, Any]) -> str:
    config = schema["$defs"]["Config"]["properties"]
    tables = {
        f"sriov_bootstrap_{name}": {"description": text} | _option(config[name], schema["$defs"])
        for name, text in TABLES.items()
    }
    for option in tables.values():
        option.pop("default", None)  # a table that is not set is not in the file
    entry = {
        "short_description": "SR-IOV virtual functions on a compute host",
        "description": [
            "Installs sriov-bootstrap, writes its config from variables, and applies it.",
            "If no table of the config is set, the config of the host stays as it is.",
        ],
        "author": ["sriov-bootstrap maintainers"],
        "options": tables | OWN,
    }
    head = "---\n# Made by `make ansible-specs`, from the types of the config and its manual.\n"
    return head + yaml.dump({"argument_specs": {"main": entry}}, Dumper=Indented, sort_keys=False, width=118)


class Indented(yaml.SafeDumper):
    """Indents lists below their key, as Ansible's linter requires."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)


def _option(value: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A key of the schema as an Ansible option."""
    for place in (value, *value.get("allOf", ())):
        if "$ref" in place:
            value = definitions[place["$ref"].rpartition("/")[2]] | {k: v for k, v in value.items() if k != "$ref"}
    kind = value.get("type")
    option: dict[str, Any] = {key: value[key] for key in ("description", "default") if key in value}
    if "enum" in value:
        option["choices"] = value["enum"]
    elif isinstance(kind, str):
        option["type"] = TYPES[kind]
    else:
        option["type"] = "raw"  # a number or a string: check-config decides
    if kind == "array":
        option |= {f"{'elements' if k == 'type' else k}": v for k, v in _option(value["items"], definitions).items()}
    if "properties" in value:
        required = value.get("required", ())
        option["options"] = {
            key: _option(one, definitions) | ({"required": True} if key in required else {})
            for key, one in value["properties"].items()
        }
    return option


if __name__ == "__main__":
    main()
