import errno
from typing import Unpack

import pytest
from msgspec.structs import replace

from builders import PF, PF2, PfValues, RuleValues, make_config, make_netdev, make_pf, make_rule, make_vf
from builders_pci import NONE, PLACED, resource, sriov
from sriov_bootstrap.core.actions import SetAutoprobe, SetNumVfs
from sriov_bootstrap.core.config import Config, Match, Method
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.obstacles import Function, Platform
from sriov_bootstrap.core.presence import Inventory
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Outcome, PassReport, PfReport, PfState, Result
from sriov_bootstrap.core.vf_users import Use, UseKind
from sriov_bootstrap.doctor.nic.absent import unseen_of_absent
from sriov_bootstrap.doctor.nic.checks import check_nics
from sriov_bootstrap.doctor.nic.survey import Detail, NetdevTraces, NicSurvey, count_cpus
from sriov_bootstrap.formats import modprobe
from sriov_bootstrap.render.host import Host, VfLayout

MODALIAS = "pci:v00008086d000010C9sv00008086sd0000A03Cbc02sc00i00"
BLACKLIST = modprobe.parse({"/etc/modprobe.d/a.conf": "blacklist igb\nblacklist igbvf\n"}, ())


def make_host(
    *pfs: PfFacts, config: Config | None = None, cpu_vendor: str = "GenuineIntel", kernel_config: str = ""
) -> Host:
    """A host with these PFs, and a rule for 4 VFs on the first."""
    config = config or make_config(make_rule())
    return Host(config, resolve(config, pfs), pfs, cpu_vendor=cpu_vendor, kernel_config=kernel_config)


def ruled(*pfs: PfFacts, **rule: Unpack[RuleValues]) -> Host:
    return make_host(*pfs, config=make_config(make_rule(**rule)))


def make_vf_at(index: int) -> VfFacts:
    return make_vf(index=index)


def found(host: Host, survey: NicSurvey | None = None) -> list[Finding]:
    return list(check_nics(host, survey or NicSurvey()))


def the_one(host: Host, survey: NicSurvey | None = None) -> Finding:
    (finding,) = found(host, survey)
    return finding


def detailed(*, config: bytes = b"", resource: str = "", bridge: str = "", last_bus: str = "") -> NicSurvey:
    return NicSurvey(details={PF: Detail(config, resource, bridge=bridge, last_bus=last_bus)})


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(make_host(config=make_config()), id="no rule, no NIC"),
        pytest.param(make_host(make_pf(driver=""), config=make_config()), id="a NIC without driver and without rule"),
        pytest.param(make_host(make_pf(num_vfs=4)), id="as the rule says"),
        pytest.param(ruled(make_pf(driver="", netdevs=()), num_vfs=0), id="no VFs asked for, and no driver"),
        pytest.param(ruled(required=False), id="an optional NIC that is not there"),
        pytest.param(ruled(num_vfs=0), id="no VFs asked for, no NIC"),
        pytest.param(make_host(make_pf()), id="VFs not made yet, for no known reason"),
        pytest.param(ruled(make_pf(num_vfs=9, total_vfs=99), num_vfs=4), id="more VFs than asked"),
        pytest.param(ruled(make_pf(netdevs=(make_netdev(is_up=False),)), num_vfs=0), id="down, and no VFs wanted"),
        pytest.param(make_host(make_pf(num_vfs=4, netdevs=())), id="the PF's netdev is in another namespace"),
        pytest.param(make_host(make_pf(num_vfs=4, driver="vfio-pci")), id="on vfio with its VFs (enable_sriov)"),
        pytest.param(ruled(make_pf(num_vfs=4, netdevs=(), is_nic=False), pf_up=True), id="no NIC, and so not up"),
    ],
)
def test_a_clean_host_gives_no_finding(host: Host) -> None:
    assert not found(host)


# -- rules without a PF --


def survey_of(*functions: Function, is_guest: bool = False) -> NicSurvey:
    return NicSurvey(devices=Inventory(functions, platform=Platform(is_guest=is_guest)))


def test_a_required_nic_that_is_missing() -> None:
    assert the_one(make_host(make_pf(pci_address=PF2))) == Finding(
        "SB-E201",
        "host",
        f'no NIC matches rule "tenant-a" (pci_address {PF})',
        evidence=f"PFs here: {PF2} ens1f0",
        remedy="sriov-bootstrap init shows the NICs; correct match in the rule, or reseat the NIC",
    )
    assert the_one(make_host()).evidence == "PFs here: none"
    assert the_one(make_host(), survey_of(is_guest=True)).remedy.endswith("or attach the NIC to this VM")


def test_a_card_whose_serial_number_cannot_be_read_is_not_called_missing() -> None:
    match = Match(serial_number="3c-fd-fe-ff-ff-aa-bb-00")
    host = ruled(make_pf(serial_number=None), match=match)
    assert not found(host)
    (text,) = unseen_of_absent(host, NicSurvey())
    assert text == 'which NIC rule "tenant-a" matches: serial numbers cannot be read: run doctor as root'
    assert the_one(ruled(make_pf(), match=match)).code == "SB-E201"


def test_a_second_rule_for_one_pf() -> None:
    pf = make_pf(num_vfs=4, netdevs=(make_netdev(name="enp4s0"), make_netdev(name="enp4s0d1", ifindex=3)))
    rules = [make_rule(name=name, match=Match(netdev=name)) for name in ("enp4s0", "enp4s0d1")]
    assert the_one(make_host(pf, config=make_config(*rules))) == Finding(
        "SB-E201",
        PF,
        'rule "enp4s0d1" (netdev enp4s0d1) gets no PF: rule "enp4s0" comes first',
        evidence=f"{PF} matches both rules; the first one in the config takes it",
        remedy="keep one of the two rules: a PF has one number of VFs, whichever of its netdevs a rule names",
    )


def test_each_port_that_is_down() -> None:
    names = ("enp4s0", "enp4s0d1")
    pf = make_pf(num_vfs=4, netdevs=tuple(make_netdev(name=name, is_up=False) for name in names))
    assert [finding.problem for finding in found(make_host(pf))] == [f"the PF {name} is down" for name in names]
    by_name = ruled(pf, match=Match(netdev="enp4s0d1"))
    assert [finding.problem for finding in found(by_name)] == ["the PF enp4s0d1 is down"]


def test_a_rule_that_does_not_name_what_is_no_nic() -> None:
    survey = survey_of(Function(make_pf(driver="nvme", is_nic=False, netdevs=()), offers="7"))
    finding = the_one(ruled(match=Match(driver="nvme")), survey)
    assert (finding.code, finding.place) == ("SB-E201", PF)
    assert finding.remedy == f'name it by its address: match = {{ pci_address = "{PF}" }}'
    assert "reseat the NIC" in the_one(ruled(match=Match(driver="xe")), survey).remedy


def test_a_network_of_what_is_no_nic() -> None:
    finding = the_one(ruled(make_pf(num_vfs=4, netdevs=(), is_nic=False), physical_network="physnet1"))
    assert (finding.code, finding.place) == ("SB-W225", PF)
    assert finding.problem == 'rule "tenant-a" puts it into the network "physnet1", but it is no NIC'
    assert not found(ruled(make_pf(num_vfs=4), physical_network="physnet1"))


def test_a_name_that_moved_is_recognised() -> None:
    host = ruled(make_pf(netdevs=(make_netdev(name="ens7f0np0"),)), match=Match(netdev="ens7f0"))
    question = "did you mean ens7f0np0 (0000:3b:00.0)? Names change with upgrades"
    assert the_one(host).remedy == f'{question}; if so: match = {{ pci_address = "{PF}" }}'


def test_a_nic_without_driver_may_be_the_one_that_a_name_means() -> None:
    finding = the_one(ruled(make_pf(driver="", netdevs=()), match=Match(netdev="ens1f0")))
    assert finding.evidence == f"PFs here: {PF} (no netdev)"
    assert finding.remedy.startswith(f"{PF} has no driver, and so no netdev: modprobe ")


def test_a_nic_whose_altname_cannot_be_read_is_not_called_missing() -> None:
    host = ruled(make_pf(altnames_known=False), match=Match(altname="tenant"))
    assert not found(host)
    (text,) = unseen_of_absent(host, NicSurvey())
    assert text.startswith('which NIC rule "tenant-a" matches: altnames cannot be read')


@pytest.mark.parametrize(
    ("one", "code"),
    [
        pytest.param(Function(make_pf(total_vfs=0), is_dead=True), "SB-E201", id="dead"),
        pytest.param(Function(make_pf(total_vfs=0)), "SB-E202", id="not to be seen"),
        pytest.param(Function(make_pf(total_vfs=0), is_seen=True, total_vfs=0), "SB-E203", id="TotalVFs 0"),
        pytest.param(Function(make_pf(total_vfs=0), is_seen=True, total_vfs=8), "SB-E204", id="the kernel"),
        pytest.param(Function(make_pf(total_vfs=0), physfn=PF2), "SB-E205", id="a VF"),
    ],
)
def test_why_a_nic_is_no_pf(one: Function, code: str) -> None:
    finding = the_one(make_host(), survey_of(one))
    assert (finding.code, finding.place) == (code, PF)
    assert finding.evidence.endswith(f'; rule "tenant-a" (pci_address {PF}) matches it')


def test_a_hypervisor_that_hides_it() -> None:
    assert the_one(make_host(), survey_of(Function(make_pf(total_vfs=0)), is_guest=True)).code == "SB-E226"


def test_each_nic_that_a_rule_matches_is_named_and_vfs_beside_them_are_not() -> None:
    functions = [Function(make_pf(total_vfs=0, pci_address=address)) for address in (PF, PF2)]
    vf = Function(make_pf(total_vfs=0, pci_address="0000:3b:02.0"), physfn=PF)
    host = ruled(match=Match(driver="igb"))
    assert [one.place for one in found(host, survey_of(vf, *functions))] == [PF, PF2]
    assert [one.place for one in found(host, survey_of(vf, replace(vf, physfn=PF2)))] == ["0000:3b:02.0"]


def test_what_root_alone_could_see_is_said() -> None:
    one = Function(make_pf(total_vfs=0, driver="acme"))
    without = replace(one, facts=make_pf(total_vfs=0, driver="e1000e", device_id="15fb"))
    vf = replace(one, facts=make_pf(total_vfs=0, driver="iavf"))
    seen = replace(one, is_seen=True), replace(one, is_dead=True), replace(one, physfn=PF2), without, vf
    said = f"{PF}: whether it has an SR-IOV capability: config space is truncated: run doctor as root"
    assert list(unseen_of_absent(make_host(), survey_of(one, *seen))) == [said]
    assert list(unseen_of_absent(make_host(), survey_of(one, *seen, is_guest=True))) == [said]
    assert not list(unseen_of_absent(ruled(match=Match(pci_address=PF2)), survey_of(one)))


# -- drivers --

BARE = make_pf(driver="", netdevs=())


def test_a_pf_without_driver() -> None:
    finding = the_one(make_host(BARE))
    assert (finding.code, finding.place) == ("SB-E206", PF)
    assert finding.remedy == f"modprobe $(cat /sys/bus/pci/devices/{PF}/modalias)"


@pytest.mark.parametrize(
    ("survey", "code", "problem", "remedy"),
    [
        (
            NicSurvey(modules={MODALIAS: ("igb",)}),
            "SB-E206",
            "no driver is bound; its module is igb",
            "modprobe igb; if",
        ),
        (
            NicSurvey(modules={MODALIAS: ()}, has_module_list=True),
            "SB-E206",
            "no driver is bound, so",
            "install the driver for 8086:10c9",
        ),
        (
            NicSurvey(modules={MODALIAS: ("igb",)}, lines=BLACKLIST),
            "SB-E207",
            "it has no driver because igb is blocked",
            "remove that line from /etc/modprobe.d/a.conf:1, then: modprobe igb",
        ),
    ],
)
def test_why_a_pf_has_no_driver(survey: NicSurvey, code: str, problem: str, remedy: str) -> None:
    finding = the_one(make_host(BARE), replace(survey, details={PF: Detail(modalias=MODALIAS)}))
    assert (finding.code, finding.place) == (code, PF)
    assert finding.problem.startswith(problem)
    assert finding.remedy.startswith(remedy)


@pytest.mark.parametrize("driver", ["vfio-pci", "pci-stub"])
def test_a_pf_that_is_passed_on_whole(driver: str) -> None:
    finding = the_one(make_host(make_pf(driver=driver, netdevs=())))
    assert (finding.code, finding.place) == ("SB-E208", PF)
    assert "virsh nodedev-reattach pci_0000_3b_00_0 " in finding.remedy


MLX4 = modprobe.parse({"/etc/modprobe.d/m.conf": "options igb num_vfs=3\noptions mlx4_core num_vfs=4,4,0\n"}, ())


@pytest.mark.parametrize(
    ("lines", "evidence", "place"),
    [
        ((), "no line in modprobe.d gives it num_vfs", "/etc/modprobe.d/mlx4_core.conf"),
        (MLX4, "/etc/modprobe.d/m.conf:2: options mlx4_core num_vfs=4,4,0", "/etc/modprobe.d/m.conf:2"),
    ],
)
def test_a_driver_that_takes_its_number_from_a_parameter_alone(
    lines: tuple[modprobe.ModprobeLine, ...], evidence: str, place: str
) -> None:
    finding = the_one(make_host(make_pf(driver="mlx4_core")), NicSurvey(lines=lines))
    assert (finding.code, finding.place) == ("SB-E227", PF)
    assert finding.problem == "mlx4_core takes its number of VFs from num_vfs alone, when it is loaded: it has 0"
    assert finding.evidence == (
        f'{evidence}; rule "tenant-a" asks for 4; mlx4_enable_sriov in drivers/net/ethernet/mellanox/mlx4'
    )
    assert finding.remedy.startswith(f"give mlx4_core num_vfs=4 in {place}, rebuild the initramfs")


def test_a_driver_with_a_parameter_that_has_the_number_is_right() -> None:
    assert not found(make_host(make_pf(driver="mlx4_core", num_vfs=4)), NicSurvey(lines=MLX4))


@pytest.mark.parametrize(
    ("text", "driver", "code", "problem"),
    [
        ("igb max_vfs=32", "igb", "SB-E211", "max_vfs=32 for igb, whose limit is 7: igb reduces it to 7"),
        ("igb max_vfs=0x20", "igb", "SB-E211", "max_vfs=0x20 for igb"),
        ("ixgbe max_vfs=64", "ixgbe", "SB-E211", "max_vfs=64 for ixgbe, whose limit is 63: ixgbe creates none"),
        ("igb max_vfs=2,4", "igb", "SB-E212", "max_vfs=2,4 is not one number"),
        ("igb max_vfs=", "igb", "SB-E212", "max_vfs= is not one number"),
        ("igb max_vfs=99999999999", "igb", "SB-E212", "max_vfs=99999999999 is not one number"),
    ],
)
def test_max_vfs_that_the_driver_cannot_take(text: str, driver: str, code: str, problem: str) -> None:
    lines = modprobe.parse({"/etc/modprobe.d/old.conf": f"\noptions {text}\n"}, ())
    finding = the_one(make_host(make_pf(num_vfs=4, driver=driver)), NicSurvey(lines=lines))
    assert (finding.code, finding.place) == (code, "/etc/modprobe.d/old.conf:2")
    assert finding.problem.startswith(problem)
    assert "remove it from /etc/modprobe.d/old.conf:2" in finding.remedy


@pytest.mark.parametrize(
    ("text", "driver", "in_tree"),
    [
        pytest.param("igb max_vfs=7", "igb", True, id="fits"),
        pytest.param("igb max_vfs=2,4", "igb", False, id="a driver from elsewhere takes a list"),
        pytest.param("ixgbe max_vfs=99", "igb", True, id="not a driver of ours"),
        pytest.param("i40e max_vfs=99", "i40e", True, id="a driver of which nothing is known"),
    ],
)
def test_max_vfs_that_is_none_of_our_business(text: str, driver: str, *, in_tree: bool) -> None:
    survey = NicSurvey(lines=modprobe.parse({"f": f"options {text}"}, ()), in_tree={driver: in_tree})
    assert not found(make_host(make_pf(num_vfs=4, driver=driver)), survey)


def test_max_vfs_of_an_install_line_counts_as_well() -> None:
    lines = modprobe.parse({"f": "install igb /sbin/modprobe -i igb max_vfs=32; true"}, ())
    finding = the_one(make_host(make_pf(num_vfs=4)), NicSurvey(lines=lines))
    assert (finding.code, finding.evidence) == ("SB-E211", "f:1: install igb ... max_vfs=32")


def test_a_list_from_elsewhere_is_judged_number_by_number() -> None:
    survey = NicSurvey(lines=modprobe.parse({"f": "options igb max_vfs=2,32,x"}, ()), in_tree={"igb": False})
    assert the_one(make_host(make_pf(num_vfs=4)), survey).code == "SB-E211"


def test_a_list_is_found_where_it_has_already_cost_the_driver_and_the_name() -> None:
    survey = NicSurvey(
        lines=modprobe.parse({"f": "options igb max_vfs=2,4"}, ()),
        details={PF: Detail(modalias=MODALIAS)},
        modules={MODALIAS: ("igb",)},
    )
    host = ruled(BARE, match=Match(netdev="ens1f0"))
    assert [one.code for one in found(host, survey)] == ["SB-E201", "SB-E212"]


# -- fewer than asked --


def test_more_than_the_device_offers() -> None:
    assert the_one(ruled(make_pf(), num_vfs=32), detailed(config=sriov(8))) == Finding(
        "SB-E210",
        PF,
        "it offers 7 VFs, fewer than asked for",
        evidence='sriov_totalvfs is 7; rule "tenant-a" has num_vfs = 32; '
        "its config space has TotalVFs 8, igb keeps the rest",
        remedy='num_vfs = 7 or "max" in rule "tenant-a"; some NICs can be set up to offer more',
    )
    assert the_one(ruled(make_pf(), num_vfs=32)).evidence == 'sriov_totalvfs is 7; rule "tenant-a" has num_vfs = 32'


def test_vfs_whose_bars_have_no_place() -> None:
    finding = the_one(make_host(make_pf()), detailed(resource=resource()))
    assert (finding.code, finding.place) == ("SB-E213", PF)
    assert 'enable "above 4G decoding"' in finding.remedy
    assert not found(make_host(make_pf()), detailed(resource=resource(PLACED, NONE)))
    assert not found(make_host(make_pf(num_vfs=1)), detailed(resource=resource())), "some VFs are there"
    busy = replace(detailed(resource=resource()), is_busy=True)
    assert not found(make_host(make_pf()), busy), "a write is under way"


@pytest.mark.parametrize(
    ("layout", "last_bus", "is_found"),
    [
        pytest.param(VfLayout("10ca", 384, 2), "59", True, id="beyond the bridge"),
        pytest.param(VfLayout("10ca", 384, 2), "60", False, id="passed on"),
        pytest.param(VfLayout("10ca", 384, 2), "", False, id="no bridge"),
        pytest.param(VfLayout("10ca", 384, 2), "x", False, id="garbage"),
        pytest.param(VfLayout(), "59", False, id="no layout"),
    ],
)
def test_vfs_on_a_bus_that_the_bridge_does_not_pass_on(layout: VfLayout, last_bus: str, *, is_found: bool) -> None:
    host = replace(make_host(make_pf()), layouts={PF: layout})
    findings = found(host, detailed(bridge="0000:3a:00.0", last_bus=last_bus))
    assert [(one.code, one.evidence) for one in findings] == [
        ("SB-E214", "subordinate_bus_number of 0000:3a:00.0 is 59 (0x3b)")
    ] * is_found


def failed(number: int, *, reason: Reason = Reason.WRITE_FAILED) -> NicSurvey:
    """The last pass: probing was switched off, which went well, and the write failed, or made too few."""
    line = PfReport("tenant-a", "4", PfState.DEGRADED, PF, reason=reason, message="it failed", hint="do this")
    results = [Result(SetAutoprobe(PF, enabled=False), Outcome.CHANGED), Result(SetNumVfs(PF2, 0, 4), Outcome.FAILED)]
    if number:
        results.append(Result(SetNumVfs(PF, 0, 4), Outcome.FAILED, errno=number))
    return NicSurvey(report=PassReport(pfs=(line,), results=tuple(results)))


@pytest.mark.parametrize(
    ("survey", "code", "problem"),
    [
        (failed(errno.ENOMEM), "SB-E213", "the kernel created no VFs: no room for the VFs' memory windows"),
        (failed(errno.ENOSPC), "SB-E215", "the kernel created no VFs: the device or the CPU is out of MSI-X vectors"),
        (failed(errno.ENOENT), "SB-E209", "the driver igb cannot create VFs through sriov_numvfs"),
        (failed(errno.EIO), "SB-E216", "the kernel created no VFs: the NIC's firmware did not answer"),
        (failed(0, reason=Reason.FEWER_VFS), "SB-E216", "the last pass created no VFs"),
    ],
)
def test_what_the_last_pass_met(survey: NicSurvey, code: str, problem: str) -> None:
    finding = the_one(make_host(make_pf()), survey)
    assert (finding.code, finding.place, finding.evidence) == (code, PF, "the last pass: it failed")
    assert finding.problem.startswith(problem)
    assert not found(make_host(make_pf(num_vfs=4)), survey), "it has been made good since"


def test_a_refusal_of_ours_is_no_finding_here() -> None:
    assert not found(make_host(make_pf()), failed(0, reason=Reason.IN_USE))


# -- VFs --


@pytest.mark.parametrize(("pf_up", "code"), [(True, "SB-E217"), (False, "SB-W218")])
@pytest.mark.parametrize("num_vfs", [0, 4])
def test_a_pf_that_is_down(*, pf_up: bool, code: str, num_vfs: int) -> None:
    pf = make_pf(num_vfs=num_vfs, netdevs=(make_netdev(is_up=False),))
    finding = the_one(ruled(pf, pf_up=pf_up), NicSurvey())
    assert (finding.code, finding.place) == (code, PF)
    assert finding.evidence == f"IFF_UP is not set in /sys/class/net/ens1f0/flags; the PF has {num_vfs} VFs"
    assert "ip link set ens1f0 up" in finding.remedy


@pytest.mark.parametrize(
    ("num_vfs", "driver", "pf_up", "code"),
    [
        pytest.param(0, "bnxt_en", False, "SB-E224", id="none are created"),
        pytest.param(6, "bnxt_en", False, "SB-E224", id="none are removed"),
        pytest.param(4, "bnxt_en", False, "SB-W218", id="nothing to change"),
        pytest.param(0, "igb", False, "SB-W218", id="a driver that needs no link"),
        pytest.param(0, "bnxt_en", True, "SB-E217", id="the next pass brings it up"),
    ],
)
def test_a_pf_that_must_be_up_first(*, num_vfs: int, driver: str, pf_up: bool, code: str) -> None:
    pf = make_pf(num_vfs=num_vfs, driver=driver, netdevs=(make_netdev(is_up=False),))
    assert the_one(ruled(pf, pf_up=pf_up)).code == code


def test_what_is_said_of_a_pf_that_must_be_up_first() -> None:
    pf = make_pf(driver="bnxt_en", netdevs=(make_netdev(is_up=False),))
    assert the_one(ruled(pf, pf_up=False)) == Finding(
        "SB-E224",
        PF,
        'the PF ens1f0 is down, and rule "tenant-a" leaves it down (pf_up = false): until it is up, bnxt_en neither'
        " creates nor removes VFs",
        evidence="IFF_UP is not set in /sys/class/net/ens1f0/flags; the PF has 0 VFs, not 4; bnxt_sriov_configure in"
        " drivers/net/ethernet/broadcom/bnxt",
        remedy="set pf_up = true in the rule, or ip link set ens1f0 up; then sriov-bootstrap --once",
    )


def test_a_pf_that_must_be_up_to_lose_its_vfs() -> None:
    """A pass brings no PF up to remove its VFs."""
    pf = make_pf(num_vfs=4, driver="bnxt_en", netdevs=(make_netdev(is_up=False),))
    finding = the_one(ruled(pf, pf_up=False, num_vfs=0))
    assert (finding.code, finding.remedy) == ("SB-E224", "ip link set ens1f0 up; then sriov-bootstrap --once")


def bonded(num_vfs: int, **values: Unpack[PfValues]) -> PfFacts:
    """A PF of the rule that is a member of bond0."""
    defaults: PfValues = {"netdevs": (make_netdev(uppers=("bond0", "br0")),)}
    return make_pf(num_vfs=num_vfs, **(defaults | values))


def test_a_member_of_a_bond_whose_vfs_will_change() -> None:
    assert the_one(make_host(bonded(2))) == Finding(
        "SB-W223",
        PF,
        "bond0 is built on the PF ens1f0, whose link goes down at each change of its number of VFs",
        evidence='2 VFs, and rule "tenant-a" asks for 4; igb_sriov_reinit in drivers/net/ethernet/intel/igb',
        remedy="change the number while nothing needs bond0, or while another member of it has the traffic; at boot,"
        " VFs are created before the network is set up",
    )


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(make_host(bonded(4)), id="nothing to change"),
        pytest.param(make_host(bonded(2, driver="ice")), id="a driver that leaves the link alone"),
        pytest.param(make_host(bonded(2, netdevs=(make_netdev(),))), id="nothing on top of it"),
        pytest.param(make_host(bonded(2, netdevs=())), id="no netdev"),
        pytest.param(ruled(bonded(2), method=Method.MAX_VFS), id="by a reload"),
    ],
)
def test_a_link_that_nothing_takes_down(host: Host) -> None:
    assert found(host) == []


def test_a_number_that_no_pass_writes_takes_no_link_down() -> None:
    assert the_one(ruled(bonded(2), num_vfs=32)).code == "SB-E210"


def test_a_link_that_is_down_already() -> None:
    pf = bonded(2, netdevs=(make_netdev(is_up=False, uppers=("bond0",)),))
    assert the_one(make_host(pf)).code == "SB-E217"


def passed(*actions: SetAutoprobe | SetNumVfs, outcome: Outcome = Outcome.CHANGED) -> NicSurvey:
    return NicSurvey(report=PassReport(results=tuple(Result(action, outcome) for action in actions)))


def test_a_member_of_a_bond_whose_vfs_have_changed() -> None:
    survey = passed(SetAutoprobe(PF, enabled=False), SetNumVfs(PF2, 1, 0), SetNumVfs(PF, 2, 0), SetNumVfs(PF, 0, 4))
    evidence = the_one(make_host(bonded(4)), survey).evidence
    assert evidence.startswith("the last pass changed the number of VFs from 2 to 4; igb_sriov_reinit in ")


@pytest.mark.parametrize(
    "survey",
    [
        pytest.param(passed(SetNumVfs(PF, 0, 4)), id="the first VFs, as at boot"),
        pytest.param(passed(SetNumVfs(PF2, 2, 0)), id="another PF"),
        pytest.param(passed(SetNumVfs(PF, 2, 0), outcome=Outcome.REFUSED), id="not done"),
    ],
)
def test_a_pass_that_took_no_link_of_a_bond_down(survey: NicSurvey) -> None:
    assert found(make_host(bonded(4)), survey) == []


def vfs_of(*drivers: str, autoprobe: bool = True) -> PfFacts:
    """A PF whose VFs have these drivers; only igbvf makes a netdev."""
    vfs = tuple(
        make_vf(
            index=index,
            driver=driver,
            netdevs=(f"v{index}",) if driver == "igbvf" else (),
            modalias="" if driver else MODALIAS,
        )
        for index, driver in enumerate(drivers)
    )
    return make_pf(vfs=vfs, autoprobe=autoprobe)


def test_a_vf_in_use_keeps_a_driver_that_the_rule_does_not_want() -> None:
    used = make_vf(use=Use(UseKind.ADDRESSED, "192.0.2.1/24", "v0"))
    assert not found(ruled(make_pf(vfs=(used,)), vf_driver=VfDriver.NONE))


def test_vfs_with_a_driver_that_the_rule_does_not_want() -> None:
    pf = vfs_of("igbvf", "vfio-pci", "", "uio_pci_generic")
    finding = the_one(ruled(pf, vf_driver=VfDriver.NONE))
    assert finding.code == "SB-W219"
    assert finding.problem.startswith("VFs with a driver: 1 of 4; rule")
    assert finding.remedy.startswith("echo 0000:3b:02.0 > /sys/bus/pci/devices/0000:3b:02.0/driver/unbind")
    assert not found(ruled(pf, vf_driver=VfDriver.NONE), NicSurvey(is_busy=True))
    assert not found(ruled(vfs_of("", "vfio-pci", "", ""), vf_driver=VfDriver.NONE))


@pytest.mark.parametrize(
    ("survey", "evidence", "remedy"),
    [
        (NicSurvey(), "sriov_drivers_autoprobe is 1", "if not, modprobe their driver"),
        (
            NicSurvey(has_module_list=True),
            f"no module in modules.alias drives {MODALIAS}",
            "if not, modprobe their driver",
        ),
        (NicSurvey(modules={MODALIAS: ("igbvf",)}, has_module_list=True), "autoprobe is 1", "if not, modprobe igbvf"),
        (
            NicSurvey(modules={MODALIAS: ("other", "igbvf")}, lines=BLACKLIST),
            "/etc/modprobe.d/a.conf:2: blacklist igbvf; igbvf drives 0000:3b:02.1",
            "if not, remove that line from /etc/modprobe.d/a.conf:2, then: modprobe igbvf",
        ),
    ],
)
def test_vfs_without_the_driver_that_the_rule_wants(survey: NicSurvey, evidence: str, remedy: str) -> None:
    finding = the_one(make_host(vfs_of("uio_pci_generic", "", "", "vfio-pci")), survey)
    assert finding.code == "SB-W220"
    assert finding.problem.startswith("VFs without a driver: 2 of 4; rule")
    assert finding.evidence.endswith(evidence)
    assert finding.remedy.endswith(remedy)


@pytest.mark.parametrize("survey", [NicSurvey(), NicSurvey(modules={MODALIAS: ("igbvf",)}, lines=BLACKLIST)])
def test_vfs_without_the_driver_that_their_siblings_have(survey: NicSurvey) -> None:
    finding = the_one(make_host(vfs_of("igbvf", "igbvf", "igbvf", "")), survey)
    assert finding.code == "SB-W220"
    assert finding.evidence.endswith("sriov_drivers_autoprobe is 1; 3 VFs of the same PF have driver igbvf")
    assert finding.remedy.endswith("if not, echo 0000:3b:02.3 > /sys/bus/pci/drivers_probe")


def test_many_vfs_without_the_driver_that_one_has() -> None:
    finding = the_one(ruled(vfs_of("igbvf", *[""] * 6), num_vfs=7))
    assert finding.evidence.endswith("; 1 VF of the same PF has driver igbvf")
    probes = (f"echo 0000:3b:02.{index} > /sys/bus/pci/drivers_probe" for index in (1, 2, 3))
    assert finding.remedy.endswith(f"if not, {'; '.join(probes)}; and 3 more VFs likewise")


def test_a_vf_whose_virtio_device_alone_has_no_driver() -> None:
    alias = "virtio:d00000001v00001AF4"
    good = tuple(make_vf(index=index, driver="virtio-pci", devices={f"v{index}": "virtio2"}) for index in range(3))
    bare = make_vf(index=3, driver="virtio-pci", netdevs=(), modalias=alias)
    finding = the_one(make_host(make_pf(vfs=(*good, bare))), NicSurvey(modules={alias: ("virtio_net",)}))
    unbind = "echo 0000:3b:02.3 > /sys/bus/pci/drivers/virtio-pci/unbind"
    assert finding.remedy.endswith(f"if not, {unbind}; echo 0000:3b:02.3 > /sys/bus/pci/drivers_probe")


def silent(index: int, driver: str = "igbvf") -> VfFacts:
    """A VF for which its driver has made no netdev, here or elsewhere."""
    return make_vf(index=index, driver=driver, netdevs=(), has_made_netdev=False, use=Use(UseKind.NO_NETDEV, driver))


def test_a_vf_without_the_netdev_that_its_siblings_have() -> None:
    vfs = (*(make_vf(index=index) for index in range(3)), silent(3))
    finding = the_one(make_host(make_pf(vfs=vfs)))
    assert (finding.code, finding.place) == ("SB-W228", PF)
    assert finding.problem == "1 VF with driver igbvf and no netdev: VF 3 0000:3b:02.3"
    assert finding.evidence.startswith(
        "3 VFs of the same PF have one; /sys/bus/pci/devices/0000:3b:02.3 has no folder net"
    )
    unbind = "echo 0000:3b:02.3 > /sys/bus/pci/drivers/igbvf/unbind"
    assert finding.remedy.endswith(f"uses the VF: {unbind}; echo 0000:3b:02.3 > /sys/bus/pci/drivers_probe")
    many = make_pf(vfs=(make_vf(), *map(silent, (1, 2, 3))))
    assert the_one(make_host(many)).problem.endswith(": VF 1 0000:3b:02.1, VF 2 0000:3b:02.2, VF 3 0000:3b:02.3")


@pytest.mark.parametrize(
    "vfs",
    [
        pytest.param(tuple(map(silent, range(4))), id="none has one: that is how it is with this driver"),
        pytest.param((*map(make_vf_at, range(3)), silent(3, "uio_pci_generic")), id="another driver, which makes none"),
        pytest.param((*map(make_vf_at, range(3)), make_vf(index=3, netdevs=())), id="in another namespace"),
    ],
)
def test_a_vf_without_a_netdev_that_is_as_it_should_be(vfs: tuple[VfFacts, ...]) -> None:
    assert not found(make_host(make_pf(vfs=vfs)))


def test_vfs_without_a_netdev_are_not_judged_while_they_are_bound_or_should_have_none() -> None:
    host = make_host(make_pf(vfs=(*map(make_vf_at, range(3)), silent(3))))
    assert not found(host, NicSurvey(is_busy=True))
    pf = make_pf(vfs=tuple(silent(index) for index in range(4)))
    assert not found(ruled(pf, vf_driver=VfDriver.NONE))


@pytest.mark.parametrize("vf_driver", ["kernel", "igbvf"])
def test_vfs_that_their_driver_has_refused(vf_driver: str) -> None:
    host = ruled(vfs_of("igbvf", "", "igbvf", "igbvf"), vf_driver=vf_driver)
    line = PfReport("r", "4", PfState.DEGRADED, PF, reason=Reason.VFS_INCOMPLETE, message="igbvf: EIO", hint="do x")
    others = (PfReport("q", "4", PfState.OK, PF2), PfReport("p", "4", PfState.OK, PF))
    finding = the_one(host, NicSurvey(report=PassReport(pfs=(*others, line))))
    assert (finding.code, finding.evidence) == ("SB-W220", "the last pass: igbvf: EIO")
    assert finding.problem == f'VFs without a driver: 1 of 4; rule "tenant-a" asks for one (vf_driver = "{vf_driver}")'
    assert finding.remedy == 'set vf_driver = "none" in the rule if only VMs use them; if not: do x'


def test_the_word_on_a_driver_that_is_named_is_the_last_passs() -> None:
    assert not found(ruled(vfs_of("", "", "", ""), vf_driver="igbvf"))


def test_vfs_whose_virtio_device_has_no_driver() -> None:
    alias = "virtio:d00000001v00001AF4"
    vfs = tuple(make_vf(index=index, driver="virtio-pci", netdevs=(), modalias=alias) for index in range(4))
    finding = the_one(make_host(make_pf(vfs=vfs)), NicSurvey(modules={alias: ("virtio_net",)}, has_module_list=True))
    assert (finding.code, finding.remedy.rpartition("; ")[2]) == ("SB-W220", "if not, modprobe virtio_net")
    assert finding.evidence == "VF 0 0000:3b:02.0 has driver virtio-pci, but its device on another bus has none"


def test_vfs_whose_probing_somebody_has_switched_off_are_as_they_should_be() -> None:
    assert not found(make_host(vfs_of("", "", "", "", autoprobe=False)))


NOBODY_MANAGES = {f"v{index}": NetdevTraces() for index in range(4)}
MANAGES, LET_GO = NetdevTraces("[device]\nmanaged=true\n"), NetdevTraces("[device]\nmanaged=false\n")


def traced(**traces: NetdevTraces) -> NicSurvey:
    return NicSurvey(traces=NOBODY_MANAGES | traces)


def test_vfs_that_networkmanager_manages() -> None:
    pf = make_pf(num_vfs=4)
    seen = traced(v0=MANAGES, v1=LET_GO, v3=NetdevTraces("managed = 1"))
    finding = the_one(ruled(pf), seen)
    assert (finding.code, finding.place) == ("SB-W221", PF)
    assert finding.problem == "NetworkManager manages 2 netdevs of its VFs: v0, v3"
    assert finding.remedy.startswith("sriov-bootstrap render udev --write ")
    assert finding.remedy.endswith(": for dev in v0 v3; do nmcli device set $dev managed no; done")
    every = dict.fromkeys(NOBODY_MANAGES, MANAGES)
    assert the_one(ruled(pf), traced(**every)).problem.endswith(": v0, v1, v2 and 1 more")
    assert not found(ruled(pf, exclude_vfs=(0, 1, 3)), seen), "the host's own"
    both = the_one(ruled(pf), traced(v0=MANAGES, v2=NetdevTraces(awaits_carrier=True), v3=MANAGES))
    assert both.problem.endswith("manages 3 netdevs of its VFs: v0, v2, v3")
    assert both.evidence.startswith("managed=true in /run/NetworkManager/devices for v0;")


@pytest.mark.parametrize(
    ("traces", "is_found"),
    [
        pytest.param(NetdevTraces(awaits_carrier=True), True, id="no rule"),
        pytest.param(NetdevTraces(awaits_carrier=True, is_prepared=True), True, id="no rule, and taken"),
        pytest.param(NetdevTraces(awaits_carrier=True, is_prepared=True, is_barred=True), True, id="a late rule"),
        pytest.param(NetdevTraces(awaits_carrier=True, is_barred=True), False, id="up, but not by it"),
        pytest.param(NetdevTraces("[device]\n", awaits_carrier=True), False, id="a record, and never managed"),
        pytest.param(NetdevTraces("managed=false", awaits_carrier=True, is_barred=True), False, id="let go"),
        pytest.param(NetdevTraces(is_prepared=True), False, id="down"),
    ],
)
def test_vfs_without_a_carrier_that_networkmanager_may_manage(traces: NetdevTraces, *, is_found: bool) -> None:
    findings = found(ruled(make_pf(num_vfs=4)), traced(v1=traces))
    assert [one.problem for one in findings] == ["NetworkManager manages 1 netdev of its VFs: v1"] * is_found
    assert all(one.evidence.startswith("v1 is up without a carrier, and ") for one in findings)


def test_vfs_for_which_the_rule_came_too_late_need_only_the_word() -> None:
    late = replace(MANAGES, is_barred=True)
    finding = the_one(ruled(make_pf(num_vfs=4)), traced(v1=late))
    assert finding.evidence.startswith("managed=true in /run/NetworkManager/devices for v1, and NM_UNMANAGED ")
    assert "render" not in finding.remedy
    assert finding.remedy.endswith(": for dev in v1; do nmcli device set $dev managed no; done")
    assert "render" in the_one(ruled(make_pf(num_vfs=4)), traced(v0=MANAGES, v1=late)).remedy


def test_vfs_that_networkmanager_lets_go_and_takes_again_when_they_are_made_anew() -> None:
    pf = make_pf(num_vfs=4)
    finding = the_one(ruled(pf), traced(v1=LET_GO))
    what = "NetworkManager leaves 1 netdev of its VFs alone, but not those that follow: v1"
    assert (finding.code, finding.problem) == ("SB-W221", what)
    assert finding.remedy.startswith("sriov-bootstrap render udev --write ")
    assert "nmcli" not in finding.remedy
    assert not found(ruled(pf), traced(v1=replace(LET_GO, is_barred=True))), "both halves"
    told = replace(traced(v1=LET_GO), is_told_what_to_leave=True)
    assert not found(ruled(pf), told), "by a setting of its own"


@pytest.mark.parametrize(
    ("each", "others", "cpus", "is_found"),
    [
        pytest.param(100, 100, 2, True, id="500 of 400, 400 of VFs"),
        pytest.param(100, 100, 4, False, id="500 of 800"),
        pytest.param(100, 500, 2, False, id="most are of others"),
        pytest.param(100, 100, 0, False, id="CPUs unknown"),
    ],
)
def test_vfs_that_use_up_the_vectors(each: int, others: int, cpus: int, *, is_found: bool) -> None:
    pf = make_pf(num_vfs=5)
    vectors = {vf.pci_address: each for vf in pf.vfs[:4]} | {"0000:00:1f.2": others}  # the last VF has none
    finding = Finding(
        "SB-W222",
        "host",
        "VFs driven by the host hold 400 interrupt vectors, and few are left",
        evidence="500 entries in /sys/bus/pci/devices/*/msi_irqs; 2 CPUs have about 400 vectors",
        remedy='set vf_driver = "none" in the rules, so that only VMs drive VFs; or reduce their queues (ethtool -L)',
    )
    assert found(make_host(pf), NicSurvey(vectors=vectors, cpus=cpus)) == [finding] * is_found
    assert not found(make_host(pf, cpu_vendor=""), NicSurvey(vectors=vectors, cpus=cpus)), "no x86"


@pytest.mark.parametrize(
    ("text", "number"),
    [("0-63", 64), ("0", 1), ("0-3,8,10-11", 7), ("", 0), ("x", 0), ("3-x", 0), ("5-1", 0), ("9" * 5000, 0)],
)
def test_how_many_cpus_there_are(text: str, number: int) -> None:
    assert count_cpus(text) == number
