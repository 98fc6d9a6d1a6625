"""What nova-compute's config says about PCI devices, and this host's PFs and VFs: what the checks of nova look at."""

import itertools
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.nova_options import DEVICE_SPEC, REPORT_IN_PLACEMENT, places
from sriov_bootstrap.core.openstack_releases import OpenStackRelease
from sriov_bootstrap.core.parse import vf_places
from sriov_bootstrap.doctor.nova.device_spec import DeviceSpec, PciDevice, SpecContext, SpecProblem, parse_specs
from sriov_bootstrap.doctor.nova.pci_address import AddressPattern
from sriov_bootstrap.doctor.openstack.survey import Service
from sriov_bootstrap.formats.ini import Entry
from sriov_bootstrap.formats.steps import Steps, TooMuch
from sriov_bootstrap.render.host import Host, VfLayout
from sriov_bootstrap.render.ports import Port, resolve_ports

LOOKS = 1 << 21  # at devices; a spec for each of 64 PFs with 256 VFs takes half
UNKNOWN = "which devices it matches is not known"
TRUE = frozenset({"true", "1", "yes", "on"})  # oslo_config.types.Boolean


class Candidate(Struct, frozen=True):
    """A PF or a VF. `port`: the rule of its PF. `is_expected`: it exists, or should; otherwise it merely could.

    `is_known`: its ids are known. Without them only a spec without ids matches it, and no match proves nothing.
    """

    device: PciDevice
    pf: str
    is_known: bool
    port: Port | None = None
    index: int = -1
    is_expected: bool = True

    @property
    def is_vf(self) -> bool:
        """Whether it is a VF, not the PF itself."""
        return bool(self.device.parent)


class SpecLine(Struct, frozen=True):
    """One line of the option: its specs, or why nova refuses it. `is_open`: it has a $ that is resolved elsewhere."""

    entry: Entry
    specs: tuple[DeviceSpec, ...] = ()
    problem: SpecProblem | None = None
    is_open: bool = False


class Row(Struct, frozen=True):
    """One spec, where it is, and what it matches, whether or not another one comes first.

    Not `is_known`: what it matches was too much to follow.
    """

    entry: Entry
    spec: DeviceSpec
    named: tuple[Candidate, ...]
    is_known: bool = True


class View(Struct, frozen=True):
    """`taken`: address -> the first spec that matches it, which is the one whose tags count, as far as that is known.

    `of_pf`: PF -> it and its VFs; `vague`: of PFs that reveal neither ids nor addresses of their VFs. `unseen`: which
    lines were too much to follow.
    """

    host: Host
    service: Service
    lines: tuple[SpecLine, ...]
    rows: tuple[Row, ...]
    functions: tuple[Candidate, ...]
    here: SpecContext
    taken: dict[str, Row]
    of_pf: dict[str, list[Candidate]]
    vague: tuple[Candidate, ...]
    unseen: tuple[str, ...]


def view_of(host: Host, service: Service) -> View:
    """Everything together."""
    reports = service.last_entry(*places(REPORT_IN_PLACEMENT, host.release))
    report = reports is not None and reports.value.strip().lower() in TRUE
    here = SpecContext(
        frozenset(pf.pci_address for pf in host.pfs if pf.total_vfs > 0),
        {dev.name: dev.device or pf.pci_address for pf in host.pfs for dev in pf.netdevs}
        | {name: vf.devices.get(name, vf.pci_address) for pf in host.pfs for vf in pf.vfs for name in vf.netdevs},
        report,
    )
    lines = tuple(_spec_line(entry, host.release) for entry in service.values(*places(DEVICE_SPEC, host.release)))
    functions = tuple(_functions(host))
    near: dict[str, list[Candidate]] = {}
    for function in functions:
        for address in {function.device.address, function.pf}:
            near.setdefault(address, []).append(function)
    look_up = _LookUp(here, functions, near)
    rows = tuple(look_up.row(line.entry, spec) for line in lines for spec in line.specs)
    known = itertools.takewhile(lambda row: row.is_known, rows)
    taken = {each.device.address: row for row in reversed(tuple(known)) for each in row.named}
    telling = {candidate.pf for candidate in functions if candidate.is_vf and candidate.is_known}
    vague = tuple(candidate for candidate in functions if candidate.pf not in telling)
    return View(host, service, lines, rows, functions, here, taken, near, vague, tuple(look_up.unseen))


class _LookUp:
    """What each spec matches. Others' files decide how many specs there are, so looking at devices has a budget."""

    def __init__(self, here: SpecContext, functions: tuple[Candidate, ...], near: dict[str, list[Candidate]]) -> None:
        self.unseen: dict[str, None] = {}
        self._here = here
        self._functions = functions
        self._near = near
        self._steps = Steps(LOOKS)
        self._named: dict[object, tuple[Candidate, ...]] = {}

    def row(self, entry: Entry, spec: DeviceSpec) -> Row:
        place = spec.place_in(self._here)
        if place and place.is_too_much:
            self.unseen[f"{entry.place}: a regular expression is too complex to follow: {UNKNOWN}"] = None
            return Row(entry, spec, (), is_known=False)
        try:
            return Row(entry, spec, self._matches_of(spec, place))
        except TooMuch:
            if not self._steps.is_cut:
                self.unseen[f"{entry.place}: too much to follow from here on: {UNKNOWN}"] = None
            self._steps.cut()
            return Row(entry, spec, (), is_known=False)

    def _matches_of(self, spec: DeviceSpec, place: AddressPattern | None) -> tuple[Candidate, ...]:
        """Hundreds of specs, one for each VF, are usual: not every spec is compared with every VF."""
        kind = (spec.vendor_id, spec.product_id, place, spec.remote_managed)
        if kind not in self._named:
            is_one = place and place.single and not place.is_regex
            functions = self._near.get(place.single, ()) if place and is_one else self._functions
            self._steps.take(len(functions))
            self._named[kind] = tuple(function for function in functions if spec.matches(function.device, self._here))
        self._steps.take(1 + len(self._named[kind]))
        return self._named[kind]


def _spec_line(entry: Entry, release: OpenStackRelease) -> SpecLine:
    if entry.has_reference:
        return SpecLine(entry, is_open=True)
    specs = parse_specs(entry.resolved, release)
    return SpecLine(entry, problem=specs) if isinstance(specs, SpecProblem) else SpecLine(entry, specs)


def _functions(host: Host) -> Iterator[Candidate]:
    ports = {port.pci_address: port for port in resolve_ports(host)}
    for pf in host.pfs:
        port = ports.get(pf.pci_address)
        layout = host.layouts.get(pf.pci_address, VfLayout())
        itself = PciDevice(pf.pci_address, pf.vendor_id, pf.device_id, "type-PF")
        yield Candidate(itself, pf.pci_address, bool(pf.device_id), port)
        chip = vf_chip(pf, layout)
        there = {vf.pci_address: vf.index for vf in pf.vfs}
        there |= {vf.pci_address: vf.index for vf in (port.vfs if port else None) or ()}
        numbers = {"sriov_totalvfs": pf.total_vfs, "sriov_offset": layout.offset, "sriov_stride": layout.stride}
        possible = vf_places(pf.pci_address, {name: str(number) for name, number in numbers.items()})
        places = {place: index for index, place in enumerate(possible)} | there
        for place, index in places.items():
            # Its VPD is not read: a spec with remote_managed is trusted.
            device = PciDevice(place, pf.vendor_id, chip, "type-VF", pf.pci_address, card_serial="?")
            yield Candidate(device, pf.pci_address, bool(chip), port, index, is_expected=place in there)


def vf_chip(pf: PfFacts, layout: VfLayout) -> str:
    """The device id of its VFs, "" if unknown: the PF has it since Linux 4.15, and each VF in its modalias."""
    modalias = next((vf.modalias for vf in pf.vfs if vf.modalias.startswith("pci:v")), "")
    return layout.device or modalias[18:22].lower()
