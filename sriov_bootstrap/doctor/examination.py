"""One look at this host: reads it, then judges."""

from msgspec.structs import replace

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.finding import Diagnosis
from sriov_bootstrap.doctor.diagnose import diagnose
from sriov_bootstrap.doctor.openstack.read import survey_openstack
from sriov_bootstrap.doctor.openstack.units import UNITS
from sriov_bootstrap.doctor.read import survey_host
from sriov_bootstrap.doctor.service.survey import UNIT
from sriov_bootstrap.edges.limits import limit_resources
from sriov_bootstrap.machine.ask_systemd import ask_systemd
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.read_host import read_host
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.render.host import Host


def examine(machine: HostMachine, loaded: Loaded) -> Diagnosis:
    """Reads and judges, and says what comes next; the daemon does the same after its passes."""
    with limit_resources("doctor's look"):
        host = _read_host(machine, loaded.config)
        on_host = survey_host(machine, host, loaded)
        machine.say("files of nova and neutron")
        of_openstack = survey_openstack(machine, host)
        machine.say("what was read")
        return _make_printable(diagnose(host, on_host, of_openstack))


def _make_printable(diagnosis: Diagnosis) -> Diagnosis:
    """Findings quote other programs' files and names: one printable line each, to print, save or send."""
    return replace(
        diagnosis,
        findings=tuple(
            replace(
                finding, **{key: printable(getattr(finding, key)) for key in ("place", "problem", "evidence", "remedy")}
            )
            for finding in diagnosis.findings
        ),
        unseen=tuple(map(printable, diagnosis.unseen)),
        suspects={
            address: tuple(
                replace(suspect, place=printable(suspect.place), remedy=printable(suspect.remedy))
                for suspect in suspects
            )
            for address, suspects in diagnosis.suspects.items()
        },
    )


def _read_host(machine: HostMachine, config: Config) -> Host:
    """With what several areas need, read once. systemd only knows this host, not a tree in a folder."""
    machine.say("systemd's units")
    state, note = machine.load_state()
    units, unasked = ({}, "") if machine.is_tree else ask_systemd((UNIT, *UNITS))
    unseen = tuple(filter(None, (note, unasked)))
    return replace(read_host(machine, config, state.pf_addresses), state=state, units=units, unseen=unseen)
