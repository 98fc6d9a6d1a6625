"""What doctor reads of NIC, kernel and modprobe.d, spoilt: nothing is raised, and what is said has its code."""

import pytest
from hypothesis import strategies as st

from builders import PF, make_config, make_pf, make_rule
from builders_pci import PLACED, resource, sriov
from fuzzing import fuzzed, spoilt
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.obstacles import Function, Platform
from sriov_bootstrap.core.presence import Inventory, parse_kernel_config
from sriov_bootstrap.doctor.codes import CODES
from sriov_bootstrap.doctor.kernel.checks import check_firmware
from sriov_bootstrap.doctor.kernel.survey import KernelSurvey
from sriov_bootstrap.doctor.nic.checks import check_nics
from sriov_bootstrap.doctor.nic.survey import Detail, NetdevTraces, NicSurvey, count_cpus
from sriov_bootstrap.formats import modprobe
from sriov_bootstrap.formats.pci_config import capability
from sriov_bootstrap.render.host import Host, VfLayout
from sriov_bootstrap.render.kernel import INTEL

MODPROBE = b"options igb max_vfs=2,4\nblacklist igb\ninstall igb /bin/false\noptions igb \\\n max_vfs=32\n"
ALIASES = b"alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb\nalias pci:v00008086d*sv*sd*bc02sc00i00* igb\n"
MODALIAS = b"pci:v00008086d000010C9sv00008086sd0000A03Cbc02sc00i00"
GRUB = b'GRUB_CMDLINE_LINUX="quiet intel_iommu=on,sm_on"\nlinux /vmlinuz intel_iommu=off\n'
texts = spoilt(MODPROBE, ALIASES, MODALIAS, GRUB, resource(PLACED).encode()).map(
    lambda data: data.decode(errors="replace")
)


@fuzzed(data=spoilt(sriov(8)[:512], sriov(0)[:512]) | st.binary(min_size=250, max_size=600))
def test_any_config_space_is_understood_or_not_seen(data: bytes) -> None:
    total = capability(data).total_vfs
    assert total is None or 0 <= total < 1 << 16


@pytest.mark.parametrize("driver", ["", "igb"])
@fuzzed(one=texts, other=texts, config=spoilt(sriov(8)[:512]), number=st.integers(-1, 1 << 20))
def test_whatever_is_read_of_a_nic_gives_findings_with_codes(
    driver: str, one: str, other: str, config: bytes, number: int
) -> None:
    lines = modprobe.parse(modprobe.effective({"/etc/modprobe.d/a.conf": one}), tuple(other.split()))
    modalias = other.partition("\n")[0]
    rules = make_config(make_rule(), make_rule(name="other", match=Match(netdev=other[:15])))
    pf = make_pf(driver=driver)
    chip = capability(config)
    function = Function(
        make_pf(pci_address=one[:12], total_vfs=0), offers=other, is_seen=chip.is_seen, total_vfs=chip.total_vfs
    )
    survey = NicSurvey(
        devices=Inventory((function,), platform=Platform(parse_kernel_config(one), is_guest=bool(number % 2))),
        details={PF: Detail(config, other, modalias, one, other)},
        lines=lines,
        modules={modalias: modprobe.modules_for(one, modalias)},
        in_tree={"igb": modprobe.is_in_tree(one, "igb")},
        traces={other: NetdevTraces(one)},
        cpus=count_cpus(one),
    )
    host = Host(rules, resolve(rules, (pf,)), (pf,), layouts={PF: VfLayout(one, number, number)}, cpu_vendor=INTEL)
    assert all(found.code in CODES for found in check_nics(host, survey))


@fuzzed(one=texts, other=texts)
def test_whatever_boot_files_say_gives_findings_with_codes(one: str, other: str) -> None:
    host = Host(make_config(make_rule()), cpu_vendor=INTEL, kernel_config=other)
    survey = KernelSurvey(
        tuple(other.split()),
        acpi_tables=("DMAR",),
        groups={},
        boot_sources={"/etc/default/grub": one},
        boot_menus={"/boot/grub/grub.cfg": other},
    )
    (found,) = check_firmware(host, survey)
    assert found.code in CODES
