import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_config, make_netdev, make_pf, make_rule, vf_address
from sriov_bootstrap.conflicts.checks import check_masters, masters_on
from sriov_bootstrap.conflicts.codes import CODES_OF
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match, PfRule
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.edges.yaml_text import parse_located
from sriov_bootstrap.render.host import Host, VfLayout

BLOCK = "it is in a block that is not always run"
FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
OURS = make_pf(num_vfs=4)
THEIRS = make_pf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),))


def host(*rules: PfRule, pfs: tuple[PfFacts, ...] = (OURS, THEIRS)) -> Host:
    config = make_config(*(rules or (make_rule(),)))
    return Host(config, resolve(config, pfs), pfs)


def found(where: Host, *sources: Source) -> list[Finding]:
    survey = MastersSurvey(sources)
    return list(check_masters(where, survey, masters_on(where, survey)))


def script(line: str) -> Source:
    return Source(Format.SCRIPT, "/etc/rc.local", line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            f"echo 8 > {FILE}",
            [
                (
                    "SB-E301",
                    f'sets 8 VFs of {PF} (ens1f0), for which rule "tenant-a" asks for 4 (the device offers 7)',
                )
            ],
            id="another number",
        ),
        pytest.param(
            f"echo 0 > {FILE}",
            [("SB-E301", f'sets 0 VFs of {PF} (ens1f0), for which rule "tenant-a" asks for 4')],
            id="none",
        ),
        pytest.param(
            f"echo 4 > {FILE}",
            [("SB-W351", f'sets 4 VFs of {PF} (ens1f0), for which rule "tenant-a" asks for 4 too')],
            id="the same",
        ),
        pytest.param(
            f"echo $N > {FILE}",
            [
                (
                    "SB-W351",
                    f'sets the VFs of {PF} (ens1f0), for which rule "tenant-a" asks for 4, an unknown number of them',
                )
            ],
            id="unknown number",
        ),
        pytest.param(
            f"if $X; then echo 5 > {FILE.replace('ens1f0', '*')}; fi",
            [
                (
                    "SB-W351",
                    f'may set 5 VFs of {PF} (ens1f0), for which rule "tenant-a" asks for 4 ({BLOCK})',
                )
            ],
            id="a condition",
        ),
        pytest.param(
            "echo 8 > /sys/class/net/$1/device/sriov_numvfs",
            [("SB-W351", "sets 8 VFs of a PF that cannot be determined")],
            id="unknown PF",
        ),
        pytest.param(
            "echo 8 > /sys/class/net/eth7/device/sriov_numvfs",
            [("SB-W351", "sets 8 VFs of eth7, which is not a PF on this host now")],
            id="a name that is gone",
        ),
        pytest.param("echo 8 > /sys/class/net/ens1f1/device/sriov_numvfs", [], id="a PF without a rule"),
        pytest.param("echo 8 > /sys/bus/pci/devices/0000:00:02.0/sriov_numvfs", [], id="another device"),
    ],
)
def test_what_a_line_means_for_our_rules(line: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.code, one.problem) for one in found(host(), script(line))] == expected


def test_a_finding_says_where_and_what_to_type() -> None:
    (one,) = found(host(), script(f"\necho 8 > {FILE}\n"))
    assert (one.place, one.evidence) == ("/etc/rc.local:2", f"echo 8 > {FILE}")
    assert one.remedy == "delete line 2 of /etc/rc.local: sed -i 2d /etc/rc.local"


def test_without_rules_everybody_may_set_what_he_likes() -> None:
    assert not found(Host(make_config(), pfs=(OURS,)), script(f"echo 8 > {FILE}"))


def test_one_line_for_several_pfs_is_one_finding() -> None:
    rules = (make_rule(name="a"), make_rule(name="b", match=Match(pci_address=PF2), num_vfs=8))
    (one,) = found(host(*rules), Source(Format.MODPROBE, "/etc/modprobe.d/igb.conf", "options igb max_vfs=8"))
    assert one.code == "SB-E310"
    assert 'rule "a" asks for 4' in one.problem
    assert 'rule "b"' not in one.problem


def test_one_of_several_numbers_is_a_warning_with_all_of_them() -> None:
    text = "network: {ethernets: {ens1f0: {virtual-function-count: 1}, a: {link: ens1f0}, b: {link: ens1f0}}}"
    document = parse_located(text.encode(), "/etc/netplan/a.yaml")
    (one,) = found(host(), Source(Format.NETPLAN, "/etc/netplan/a.yaml", text, document))
    assert (one.code, one.problem) == (
        "SB-W355",
        (
            f'may set 1 or 2 VFs of {PF} (ens1f0), for which rule "tenant-a" asks for 4'
            " (netplan refuses 2 VFs, as virtual-function-count asks for 1)"
        ),
    )


@pytest.mark.parametrize(
    ("match", "line"),
    [
        (Match(netdev="eth*"), "echo 8 > /sys/class/net/eth7/device/sriov_numvfs"),
        (Match(altname="eth7"), "echo 8 > /sys/class/net/eth7/device/sriov_numvfs"),
        (Match(pci_address="0000:5e:*"), "echo 8 > /sys/bus/pci/devices/0000:5e:00.0/sriov_numvfs"),
    ],
)
def test_a_rule_whose_pf_is_not_there_may_be_meant(match: Match, line: str) -> None:
    (one,) = found(host(make_rule(match=match)), script(line))
    assert (one.code, one.problem) == (
        "SB-E301",
        'sets 8 VFs of a missing PF, for which rule "tenant-a" asks for 4',
    )


def test_a_number_that_our_rule_cannot_tell_is_a_warning() -> None:
    pf = make_pf(driver="", netdevs=())
    (one,) = found(
        host(make_rule(num_vfs="50%"), pfs=(pf,)), script("echo 8 > /sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs")
    )
    assert (one.code, one.problem) == ("SB-W351", f'sets 8 VFs of {PF}, for which rule "tenant-a" asks for "50%"')


def test_the_old_tutorials_number_is_found_though_the_rule_repeats_it() -> None:
    where = host(make_rule(num_vfs=32))
    (one,) = found(where, Source(Format.MODPROBE, "/etc/modprobe.d/igb.conf", "options igb max_vfs=32\n"))
    assert one.code == "SB-W360"
    assert one.problem.endswith("asks for 32 too (the device offers 7)")


VF = vf_address(PF, 0)


@pytest.mark.parametrize(
    ("name", "driver", "vf_driver", "codes"),
    [
        pytest.param(PF, "vfio-pci", VfDriver.KERNEL, ["SB-E309"], id="PF"),
        pytest.param(f"pci-{PF}", "vfio-pci", VfDriver.KERNEL, ["SB-E309"], id="in the old spelling"),
        pytest.param(PF, "igb", VfDriver.KERNEL, [], id="its own driver"),
        pytest.param(VF, "vfio-pci", VfDriver.KERNEL, ["SB-W359"], id="VF"),
        pytest.param(VF, "vfio-pci", VfDriver.NONE, [], id="VF that has no driver"),
        pytest.param(VF, "igbvf", VfDriver.KERNEL, [], id="the VF's own driver"),
        pytest.param(VF, "vfio-pci", "vfio-pci", [], id="the driver that the rule names"),
        pytest.param(VF, "vfio-pci", "igbvf", ["SB-W359"], id="another driver than the rule names"),
        pytest.param("0000:3b:10.0", "vfio-pci", VfDriver.KERNEL, ["SB-W359"], id="VF that is not there yet"),
        pytest.param(PF2, "vfio-pci", VfDriver.KERNEL, [], id="PF without a rule"),
        pytest.param("README", "\0\xff", VfDriver.KERNEL, [], id="garbage"),
    ],
)
def test_driverctl(name: str, driver: str, vf_driver: str, codes: list[str]) -> None:
    where = replace(host(make_rule(vf_driver=vf_driver)), layouts={PF: VfLayout("10ca", 128, 2)})
    assert [
        one.code for one in found(where, Source(Format.DRIVERCTL, f"/etc/driverctl.d/{name}", f"{driver}\n"))
    ] == codes


def test_a_pf_that_driverctl_takes_away_is_shown_with_its_driver_and_the_way_back() -> None:
    (finding,) = found(host(make_rule()), Source(Format.DRIVERCTL, f"/etc/driverctl.d/pci-{PF}", "vfio-pci\n"))
    assert (finding.evidence, finding.remedy) == ("vfio-pci", f"driverctl unset-override {PF}")


@pytest.mark.parametrize(
    ("vf_driver", "driver", "wanted", "choice"),
    [
        ("kernel", "vfio-pci", "leaves it to the kernel", "vfio-pci"),
        ("kernel", "vfio/../x", "leaves it to the kernel", "none"),
        ("igbvf", "vfio-pci", "asks for igbvf", "vfio-pci"),
    ],
)
def test_a_vf_that_driverctl_binds_against_the_rule(vf_driver: str, driver: str, wanted: str, choice: str) -> None:
    where = replace(host(make_rule(vf_driver=vf_driver)), layouts={PF: VfLayout("10ca", 128, 2)})
    (finding,) = found(where, Source(Format.DRIVERCTL, f"/etc/driverctl.d/{VF}", f"{driver}\n"))
    assert finding.problem.endswith(f'but rule "tenant-a" {wanted}')
    assert finding.remedy == f'driverctl unset-override {VF}, or set vf_driver = "{choice}" in the rule'


def test_every_format_has_its_codes() -> None:
    assert set(CODES_OF) == set(Format)
