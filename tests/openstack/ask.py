"""Runs in the venv of nova and neutron, never in ours: a question as JSON on stdin, their own code's answer on stdout.

`specs` answers for as long as it is asked, a line each: a property test has thousands of questions.

nova looks into /sys while it reads a device_spec. It is shown the test's tree instead, in the one module that looks.
"""

import builtins
import json
import os
import sys
import types
from typing import Any


def ask_nova(question: dict[str, Any]) -> object:
    """Which of the devices nova-compute would list, by address, and with which tags."""
    import nova.conf
    from nova.pci import utils, whitelist

    redirect(utils, question["root"])
    nova.conf.CONF([], project="nova", default_config_files=question["files"], default_config_dirs=[])
    specs = whitelist.Whitelist(nova.conf.CONF.pci.device_spec)
    taken = [device for device in question["devices"] if specs.device_assignable(device)]
    # Older releases answer yes or no: the spec is the first that matches.
    return {one["address"]: next(spec.get_tags() for spec in specs.specs if spec.match(one)) for one in taken}


def ask_specs(question: dict[str, Any]) -> None:
    """Per line of stdin, which is a text of device_spec and devices: which of them it takes, or why it is refused."""
    import nova.conf
    from nova.pci import utils, whitelist

    redirect(utils, question["root"])
    nova.conf.CONF([], project="nova", default_config_files=[], default_config_dirs=[])
    for line in sys.stdin:
        asked = json.loads(line)
        nova.conf.CONF.set_override("report_in_placement", asked["report_in_placement"], group="pci")
        try:
            specs = whitelist.Whitelist([asked["text"]]).specs
            answer: object = [[takes(spec, device) for device in asked["devices"]] for spec in specs]
        except Exception as error:  # noqa: BLE001 - a traceback stops nova-compute as well
            answer = f"{type(error).__name__}: {error}"
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def takes(spec: Any, device: dict[str, Any]) -> bool:  # noqa: ANN401
    """A device whose own address cannot be parsed is passed over, as in nova.pci.manager."""
    from nova import exception

    try:
        return bool(spec.match(device))
    except (exception.PciConfigInvalidSpec, exception.PciDeviceWrongAddressFormat):
        return False


def redirect(module: types.ModuleType, root: str) -> None:
    """/sys below root, for this module."""

    def below(path: str) -> str:
        return root + path if path.startswith("/sys") else path

    paths = types.SimpleNamespace(**vars(os.path))
    paths.isdir = lambda path: os.path.isdir(below(path))
    names = types.SimpleNamespace(**vars(os))
    names.path = paths
    names.readlink = lambda path: os.readlink(below(path))
    names.listdir = lambda path: os.listdir(below(path))
    looks = {"os": names, "open": lambda path, *more: builtins.open(below(path), *more)}  # noqa: SIM115 - nova closes it
    vars(module).update(looks)


def ask_aliases(question: dict[str, Any]) -> object:
    """The aliases that nova understands."""
    import nova.conf
    from nova.pci import request

    nova.conf.CONF([], project="nova", default_config_files=question["files"], default_config_dirs=[])
    read = getattr(request, "get_alias_from_config", None) or request._get_alias_from_config  # noqa: SLF001 - as it was
    return sorted(read())


def ask_scan(_question: dict[str, Any]) -> object:
    """Whether nova-compute keeps its first list of PCI devices."""
    from nova.virt.libvirt import driver

    return hasattr(driver.LibvirtDriver._get_pci_passthrough_devices, "cache_info")  # noqa: SLF001 - no other sign


def ask_old_libvirt(question: dict[str, Any]) -> object:
    """What nova-compute says of its device_spec when it starts with a libvirt that is too old for everything new."""
    import nova.conf
    from nova.virt.libvirt import driver

    nova.conf.CONF([], project="nova", default_config_files=question["files"], default_config_dirs=[])
    old = types.SimpleNamespace(has_min_version=lambda **_versions: False)
    try:
        driver.LibvirtDriver._check_pci_whitelist(types.SimpleNamespace(_host=old))  # noqa: SLF001 - part of init_host
    except Exception as error:  # noqa: BLE001 - whatever stops it
        return str(error)
    return ""


def ask_agent(question: dict[str, Any]) -> object:
    """What the SR-IOV agent understands."""
    from neutron.common import config
    from neutron.plugins.ml2.drivers.mech_sriov.agent import sriov_nic_agent
    from oslo_config import cfg

    config.register_common_config_options()
    cfg.CONF([], project="neutron", default_config_files=question["files"], default_config_dirs=[])
    parser = sriov_nic_agent.SriovNicAgentConfigParser()
    parser.parse()
    excluded = {name: sorted(devices) for name, devices in parser.exclude_devices.items()}
    return [parser.device_mappings, excluded, parser.rp_bandwidths]


def ask_folders(question: dict[str, Any]) -> object:
    """Whether oslo.config reads PROGRAM.conf.d by itself beside a --config-file, as the agent's unit has it."""
    from neutron.common import config
    from neutron.plugins.ml2.drivers.mech_sriov.agent import sriov_nic_agent  # noqa: F401 - registers its options
    from oslo_config import cfg

    config.register_common_config_options()
    words = [f"--config-file={path}" for path in question["files"]]
    cfg.CONF(words, project="neutron", prog="neutron-sriov-nic-agent")
    return cfg.CONF.SRIOV_NIC.physical_device_mappings


def ask_schema(question: dict[str, Any]) -> object:
    """What libvirt's schema has against a domain."""
    from lxml import etree

    schema = etree.RelaxNG(etree.parse(question["schema"]))
    schema.validate(etree.fromstring(question["text"]))
    return [str(entry) for entry in schema.error_log]


if __name__ == "__main__":
    first = json.loads(sys.stdin.readline())
    told = globals()[f"ask_{first['what']}"](first)
    sys.stdout.write("\nANSWER " + json.dumps(told) + "\n")
