"""What keeps nova-compute from starting with report_in_placement = true (nova.compute.pci_placement_translator).

VFs with a physical_network are not reported; for the others, each PF is one provider with one class and one set of
traits.
"""

import re
from collections.abc import Iterator

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.nova_options import SPEC_KEYS
from sriov_bootstrap.doctor.nova.device_spec import DeviceSpec, parse_boolean
from sriov_bootstrap.doctor.nova.view import Candidate, View
from sriov_bootstrap.doctor.openstack.remedies import render_remedy
from sriov_bootstrap.formats.ini import Entry

TARGET = "nova-compute"


def check_placement(view: View) -> Iterator[Finding]:
    """All of them, for each PF once."""
    if not view.here.report_in_placement:
        return
    for row in view.rows:
        if row.spec.devname:
            yield _placement_finding(view, row.entry, f"devname {row.spec.devname}: use its address")
    for pf in view.host.pfs:
        yield from _check_provider(view, [function for function in view.of_pf[pf.pci_address] if function.is_expected])


def _placement_finding(view: View, entry: Entry, problem: str) -> Finding:
    said = f"nova-compute does not start with report_in_placement and {problem}"
    return Finding("SB-E415", entry.place, said, evidence=entry.text, remedy=render_remedy(view.host, TARGET, entry))


def _check_provider(view: View, functions: list[Candidate]) -> Iterator[Finding]:
    taken = [
        (function, view.taken[function.device.address])
        for function in functions
        if function.device.address in view.taken
    ]
    reported = [(function, row) for function, row in taken if not row.spec.tags.get("physical_network")]
    vfs = [(function, row) for function, row in reported if function.is_vf]
    if not vfs:
        return
    first, its = vfs[0]
    for function, row in reported:
        both = f"on PF {function.pf}: those of {first.device.address} and {function.device.address}"
        if not function.is_vf:
            yield _placement_finding(view, row.entry, f"PF {function.pf} and its VFs together")
        elif "one_time_use" in row.spec.tags and row.spec.release.nova >= SPEC_KEYS["one_time_use"]:
            yield _placement_finding(view, row.entry, f"one_time_use on a VF ({function.device.address})")
            return
        elif _resource_class(function, row.spec) != _resource_class(first, its.spec):
            yield _placement_finding(view, row.entry, f"two resource classes {both}")
            return
        elif _traits(row.spec) != _traits(its.spec):
            yield _placement_finding(view, row.entry, f"two sets of traits {both}")
            return


def _resource_class(function: Candidate, spec: DeviceSpec) -> str:
    said = spec.tags.get("resource_class")
    return _normal_name(said or f"PCI_{function.device.vendor_id}_{function.device.product_id}")


def _traits(spec: DeviceSpec) -> frozenset[str]:
    said = str(spec.tags.get("traits") or "")
    traits = {_normal_name(trait) for trait in said.split(",") if said}
    if spec.release.nova >= SPEC_KEYS["live_migratable"] and parse_boolean(spec.tags.get("live_migratable")):
        traits.add("HW_PCI_LIVE_MIGRATABLE")
    return frozenset(traits)


def _normal_name(name: object) -> str:
    return re.sub(r"[^A-Z0-9_]+", "_", str(name).upper()).removeprefix("CUSTOM_")
