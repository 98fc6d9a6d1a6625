from typing import TypedDict, Unpack

import pytest

from builders import make_config, make_pf, make_rule, make_vf, make_wish
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.kernel.checks import check_firmware, unseen_of_firmware
from sriov_bootstrap.doctor.kernel.iommu_groups import check_groups
from sriov_bootstrap.doctor.kernel.survey import KernelSurvey, RawGroup
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.kernel import AMD, BUILT_IN, GRUBBY, INTEL, UPDATE_GRUB

GRUB = "/etc/default/grub"
MENU = "/boot/grub/grub.cfg"
WRITTEN = {GRUB: '# intel_iommu=on\nGRUB_CMDLINE_LINUX="quiet intel_iommu=on,sm_on"\n'}
GROUPS = {"0": RawGroup("", {"0000:00:00.0": "0x060000"})}


class HostValues(TypedDict, total=False):
    """Of a Host."""

    config: Config
    wishes: tuple[DesiredPf, ...]
    pfs: tuple[PfFacts, ...]
    paths: frozenset[str]
    cpu_vendor: str
    kernel_config: str


class SurveyValues(TypedDict, total=False):
    """Of a KernelSurvey."""

    command_line: tuple[str, ...]
    is_guest: bool
    acpi_tables: tuple[str, ...]
    groups: dict[str, RawGroup] | None
    boot_sources: dict[str, str]
    boot_menus: dict[str, str]
    has_all_menus: bool
    smmu_options: frozenset[str] | None


def make_host(**values: Unpack[HostValues]) -> Host:
    """An Intel host with one rule and a kernel that has to be told."""
    defaults: HostValues = {
        "config": make_config(make_rule()),
        "cpu_vendor": INTEL,
        "paths": frozenset({UPDATE_GRUB}),
    }
    return Host(**(defaults | values))


def make_survey(**values: Unpack[SurveyValues]) -> KernelSurvey:
    """Firmware with VT-d, and no IOMMU in use."""
    defaults: SurveyValues = {"command_line": ("ro",), "acpi_tables": ("APIC", "DMAR"), "groups": {}}
    return KernelSurvey(**(defaults | values))


@pytest.mark.parametrize(
    ("host", "survey"),
    [
        pytest.param(make_host(), make_survey(groups=GROUPS), id="intel, in use"),
        pytest.param(make_host(cpu_vendor=AMD), make_survey(groups=GROUPS, acpi_tables=("IVRS",)), id="amd, in use"),
        pytest.param(make_host(config=make_config()), make_survey(acpi_tables=("APIC",)), id="no rule"),
        pytest.param(make_host(config=make_config(make_rule(num_vfs=0))), make_survey(), id="a rule for no VFs"),
        pytest.param(make_host(), make_survey(is_guest=True, acpi_tables=("APIC",)), id="a VM that passes nothing on"),
        pytest.param(make_host(), make_survey(groups=None), id="no groups to be seen"),
    ],
)
def test_a_clean_host_gives_no_finding(host: Host, survey: KernelSurvey) -> None:
    assert not [*check_firmware(host, survey), *check_groups(host, survey), *unseen_of_firmware(host, survey)]


@pytest.mark.parametrize(
    ("host", "survey", "code", "place", "problem", "remedy"),
    [
        pytest.param(
            make_host(),
            make_survey(acpi_tables=("APIC",)),
            "SB-E101",
            "host",
            "VT-d is off in the firmware, so no VM can be given a VF",
            "enable VT-d (IOMMU) in the firmware setup: systemctl reboot --firmware-setup",
            id="intel, firmware off",
        ),
        pytest.param(
            make_host(cpu_vendor=AMD),
            make_survey(acpi_tables=("APIC",), groups={"0": RawGroup("vfio-noiommu")}),
            "SB-E101",
            "host",
            "AMD-Vi is off in the firmware",
            "enable AMD-Vi (IOMMU)",
            id="amd, firmware off, vfio without IOMMU makes a group all the same",
        ),
        pytest.param(
            make_host(config=make_config(make_rule(physical_network="physnet2"))),
            make_survey(acpi_tables=("APIC",), is_guest=True),
            "SB-E101",
            "host",
            "this VM has no IOMMU",
            "give this VM one, such as libvirt's <iommu model='intel'/>",
            id="a VM that should pass VFs on",
        ),
        pytest.param(
            make_host(config=make_config(make_rule(vf_driver=VfDriver.NONE))),
            make_survey(is_guest=True),
            "SB-E102",
            "host",
            "the kernel parameter intel_iommu=on is missing",
            "sriov-bootstrap render kernel-cmdline --apply, then reboot",
            id="parameter missing, Debian",
        ),
        pytest.param(
            make_host(),
            make_survey(command_line=("ro", "--", "intel_iommu=on"), boot_sources=WRITTEN),
            "SB-E102",
            "host",
            "intel_iommu=on is after -- on the kernel command line, where it is for init alone",
            "move intel_iommu=on before -- in /etc/default/grub:2, then update-grub, and reboot",
            id="behind what is for init",
        ),
        pytest.param(
            make_host(),
            make_survey(command_line=("intel_iommu=on", "--", "intel_iommu=off", "iommu=off")),
            "SB-E102",
            "host",
            "the kernel does not use the IOMMU, and nothing on its command line explains why",
            "check the kernel log",
            id="off for init alone",
        ),
        pytest.param(
            make_host(),
            make_survey(command_line=("amd_iommu=pt,on",)),
            "SB-E102",
            "host",
            "the kernel parameter intel_iommu=on is missing",
            "sriov-bootstrap render kernel-cmdline --apply, then reboot",
            id="another parameter is on",
        ),
        pytest.param(
            make_host(paths=frozenset({GRUBBY})),
            make_survey(),
            "SB-E102",
            "host",
            "the kernel parameter intel_iommu=on is missing",
            "run: grubby --update-kernel=ALL --args=intel_iommu=on, and reboot",
            id="parameter missing, RHEL",
        ),
        pytest.param(
            make_host(cpu_vendor=AMD, paths=frozenset()),
            make_survey(),
            "SB-E102",
            "host",
            "the kernel parameter intel_iommu=on is missing",
            "add intel_iommu=on to the kernel command line",
            id="Intel's IOMMU, emulated for an AMD CPU",
        ),
        pytest.param(
            make_host(),
            make_survey(boot_sources=WRITTEN, boot_menus={MENU: "linux /vmlinuz ro\n"}),
            "SB-E103",
            f"{GRUB}:2",
            "intel_iommu=on is set, but the boot menu was not regenerated",
            "update-grub, and reboot",
            id="written, not regenerated",
        ),
        pytest.param(
            make_host(),
            make_survey(boot_sources=WRITTEN, boot_menus={MENU: "menu\n linux /vmlinuz ro intel_iommu=on,sm_on\n"}),
            "SB-E104",
            f"{GRUB}:2",
            "intel_iommu=on is in the boot menu, but this host has not been rebooted since",
            "systemctl reboot",
            id="regenerated, not rebooted",
        ),
        pytest.param(
            make_host(),
            make_survey(boot_sources=WRITTEN, boot_menus={"/boot/grub2/grubenv": "x=y\n"}, has_all_menus=False),
            "SB-E102",
            "host",
            "intel_iommu=on is set, but not in force",
            "update-grub, and reboot",
            id="written, and the menu cannot be read",
        ),
        pytest.param(
            make_host(),
            make_survey(command_line=("intel_iommu=off", "intel_iommu=on", "iommu=pt,off"), boot_sources=WRITTEN),
            "SB-E102",
            "host",
            "the kernel command line turns the IOMMU off: iommu=pt,off",
            "remove iommu=pt,off from the kernel command line in the boot loader, then update-grub, and reboot",
            id="switched off on the command line",
        ),
        pytest.param(
            make_host(cpu_vendor=AMD, paths=frozenset({GRUBBY})),
            make_survey(
                command_line=("amd_iommu=off",), acpi_tables=("IVRS",), boot_sources={GRUB: "X=amd_iommu=off\n"}
            ),
            "SB-E102",
            "host",
            "the kernel command line turns the IOMMU off: amd_iommu=off",
            f"remove amd_iommu=off from {GRUB}:1, then ",
            id="switched off, by a known line",
        ),
        pytest.param(
            make_host(kernel_config="CONFIG_X=y\n"),
            make_survey(command_line=("intel_iommu=on,sm_on",)),
            "SB-E102",
            "host",
            "this kernel was built without CONFIG_INTEL_IOMMU",
            "boot a kernel built with CONFIG_INTEL_IOMMU=y",
            id="kernel without Intel's IOMMU",
        ),
        pytest.param(
            make_host(cpu_vendor=AMD, kernel_config="CONFIG_X=y\n"),
            make_survey(acpi_tables=("IVRS",)),
            "SB-E102",
            "host",
            "this kernel was built without CONFIG_AMD_IOMMU",
            "boot a kernel",
            id="kernel without AMD's IOMMU",
        ),
        pytest.param(
            make_host(kernel_config=f"CONFIG_INTEL_IOMMU=y\n{BUILT_IN}\n"),
            make_survey(boot_sources=WRITTEN),
            "SB-E102",
            "host",
            "the kernel does not use the IOMMU, and nothing on its command line explains why",
            "check the kernel log: journalctl -k",
            id="on by itself, and yet not",
        ),
        pytest.param(
            make_host(kernel_config="CONFIG_X=y\n"),
            make_survey(acpi_tables=("VIOT",)),
            "SB-E102",
            "host",
            "the kernel does not use the IOMMU",
            "check the kernel log: journalctl -k",
            id="virtio's, not in use",
        ),
        pytest.param(
            make_host(cpu_vendor=""),
            make_survey(acpi_tables=("APIC", "IORT"), smmu_options=frozenset()),
            "SB-E101",
            "host",
            "the firmware describes no SMMU",
            "enable the SMMU in the firmware setup: systemctl reboot --firmware-setup; if this is a VM",
            id="arm, firmware off",
        ),
        pytest.param(
            make_host(cpu_vendor="", kernel_config="CONFIG_X=y\nCONFIG_ARM_SMMU=y\n"),
            make_survey(acpi_tables=("IORT",), smmu_options=frozenset({"CONFIG_ARM_SMMU_V3"})),
            "SB-E102",
            "host",
            "this kernel was built without CONFIG_ARM_SMMU_V3",
            "boot a kernel built with CONFIG_ARM_SMMU_V3=y",
            id="kernel without Arm's IOMMU",
        ),
        pytest.param(
            make_host(cpu_vendor="", kernel_config="CONFIG_ARM_SMMU_V3=m\n"),
            make_survey(acpi_tables=("IORT",), smmu_options=frozenset({"CONFIG_ARM_SMMU", "CONFIG_ARM_SMMU_V3"})),
            "SB-E102",
            "host",
            "the kernel does not use the SMMU",
            "check the kernel log: journalctl -k -g 'smmu",
            id="arm's, not in use",
        ),
        pytest.param(
            make_host(cpu_vendor=""),
            make_survey(acpi_tables=("IORT",), smmu_options=frozenset({"CONFIG_ARM_SMMU_V3"})),
            "SB-E102",
            "host",
            "the kernel does not use the SMMU",
            "check the kernel log: journalctl -k -g 'smmu",
            id="arm's, not in use, by a kernel whose config is not known",
        ),
    ],
)
def test_who_leaves_the_iommu_off(
    host: Host, survey: KernelSurvey, code: str, place: str, problem: str, remedy: str
) -> None:
    (found,) = check_firmware(host, survey)
    assert (found.code, found.place) == (code, place)
    assert found.problem.startswith(problem)
    assert found.remedy.startswith(remedy)
    assert "/sys/kernel/iommu_groups is empty" in found.evidence
    assert not list(unseen_of_firmware(host, survey))


@pytest.mark.parametrize(
    ("vendor", "table"), [pytest.param(INTEL, "DMAR", id="intel"), pytest.param(AMD, "IVRS", id="amd")]
)
def test_the_table_that_is_missing_is_named(vendor: str, table: str) -> None:
    (found,) = check_firmware(make_host(cpu_vendor=vendor), make_survey(acpi_tables=("APIC",)))
    assert found.evidence == f"no {table} table in /sys/firmware/acpi/tables, and /sys/kernel/iommu_groups is empty"


@pytest.mark.parametrize(
    ("host", "survey", "said"),
    [
        (make_host(cpu_vendor=""), make_survey(), "why no IOMMU is in use"),
        (make_host(), make_survey(acpi_tables=()), "whether the firmware has an IOMMU"),
        (make_host(cpu_vendor=""), make_survey(acpi_tables=("IORT",)), "whether the firmware has an SMMU"),
    ],
)
def test_what_cannot_be_told_is_said_and_is_no_finding(host: Host, survey: KernelSurvey, said: str) -> None:
    (text,) = unseen_of_firmware(host, survey)
    assert text.startswith(said)
    assert not list(check_firmware(host, survey))


# -- groups --


def host_with_vfs() -> Host:
    """Two VFs in the groups 17 and 18; a second rule has no PF."""
    pf = make_pf(vfs=tuple(make_vf(index=index, iommu_group=str(17 + index)) for index in range(2)))
    return make_host(wishes=(make_wish(pf=pf), make_wish()), pfs=(pf,))


def group(*addresses: str, kind: str = "0x020000") -> RawGroup:
    return RawGroup("", dict.fromkeys(addresses, kind))


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param({"17": group("0000:3b:02.0"), "18": group("0000:3b:02.1")}, id="alone"),
        pytest.param(
            {"17": RawGroup("", {"0000:3b:02.0": "0x020000", "0000:3a:00.0": "0x060400"})}, id="beside a bridge"
        ),
        pytest.param({"17": group("0000:5e:00.0")}, id="read at another moment"),
        pytest.param({}, id="no groups"),
    ],
)
def test_a_vf_that_is_alone_gives_no_finding(groups: dict[str, RawGroup]) -> None:
    assert not list(check_groups(host_with_vfs(), make_survey(groups=groups)))


def test_vfs_that_share_a_group_are_one_finding_of_their_pf() -> None:
    others = [f"0000:3b:02.{index}" for index in range(1, 6)]
    groups = {"17": group("0000:3b:02.0", *others), "18": group("0000:3b:02.1")}
    assert list(check_groups(host_with_vfs(), make_survey(groups=groups))) == [
        Finding(
            "SB-E105",
            "0000:3b:00.0",
            "1 of 2 VFs shares an IOMMU group with another device, and only a whole group can be given to a VM",
            evidence="/sys/kernel/iommu_groups/17/devices has 0000:3b:02.0, 0000:3b:02.1, "
            "0000:3b:02.2, 0000:3b:02.3 and 2 more",
            remedy="enable ACS (and ARI) in the firmware setup, or move the NIC to a slot with its own root port",
        )
    ]


def test_groups_do_not_matter_where_nothing_is_passed_on() -> None:
    groups = {"17": group("0000:3b:02.0", "0000:3b:02.1")}
    assert not list(check_groups(host_with_vfs(), make_survey(groups=groups, is_guest=True)))
