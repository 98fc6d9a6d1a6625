"""VFs without an address, and what rules say of VFs and cannot come true."""

from typing import Unpack

import pytest
from msgspec.structs import replace

from builders import PF, PF2, PfValues, RuleValues, make_config, make_netdev, make_pf, make_rule, make_vf
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.core.config import Config, Match
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.vf_attributes import PfLink, VfAttributes, VfTable, VlanProtocol
from sriov_bootstrap.core.vf_users import Use, UseKind
from sriov_bootstrap.doctor.nic.attributes import netdevs_to_ask
from sriov_bootstrap.doctor.nic.checks import check_nics
from sriov_bootstrap.doctor.nic.survey import NicSurvey
from sriov_bootstrap.render.host import Host

ZERO = "00:00:00:00:00:00"
MAC = "02:00:00:aa:bb:00"
STABLE = VfTable(vfs="all", mac="stable")


def make_host(*pfs: PfFacts, config: Config, machine_id: str = "") -> Host:
    return Host(config, resolve(config, pfs), pfs, machine_id=machine_id)


def for_flavors(**values: Unpack[RuleValues]) -> Config:
    return make_config(make_rule(**({"alias": "vf"} | values)))


def linked(*vfs: VfAttributes) -> PfLink:
    return PfLink(2, vfs=dict(enumerate(vfs)))


def bare(num_vfs: int = 4, *, link: PfLink | None = None, **values: Unpack[PfValues]) -> PfFacts:
    """Its PF tells no address of any VF."""
    told = link or linked(*[VfAttributes(mac=ZERO)] * num_vfs)
    return replace(make_pf(num_vfs=num_vfs, **values), link=told)


def found(host: Host, survey: NicSurvey | None = None) -> list[Finding]:
    return list(check_nics(host, survey or NicSurvey()))


# -- addresses --


def test_vfs_without_an_address_are_said_where_a_flavor_hands_them_out() -> None:
    problem = (
        '4 free VFs have no MAC address, and rule "tenant-a" gives them to VMs by the alias "vf":'
        " a VM may find another address at each start"
    )
    assert found(make_host(bare(), config=for_flavors())) == [
        Finding(
            "SB-W229",
            PF,
            problem,
            evidence=f"ip link show ens1f0: {ZERO} for VF 0, 1, 2 and 1 more",
            remedy='mac = "stable" for them in a [[pf.vf]] table of the rule, then: systemctl reload sriov-bootstrap',
        )
    ]


def test_only_the_vfs_that_a_vm_may_get_without_an_address_are_said() -> None:
    users = {0: Use(UseKind.HELD, "qemu")}
    vfs = tuple(make_vf(index=index, use=users.get(index)) for index in range(6))
    addresses = [ZERO, ZERO, ZERO, MAC, ZERO, None]
    pf = bare(link=linked(*(VfAttributes(mac=mac) for mac in addresses)), vfs=vfs)
    config = for_flavors(num_vfs=6, exclude_vfs=(1,), vf=(VfTable(vfs="2", mac=MAC), VfTable(vfs="all", trust=False)))
    (finding,) = found(make_host(pf, config=config))
    assert finding.problem.startswith("1 free VF has no MAC address, ")
    assert finding.evidence == f"ip link show ens1f0: {ZERO} for VF 4"


def test_spoof_checking_without_an_address_is_said() -> None:
    link = linked(VfAttributes(mac=ZERO, spoofchk=False), VfAttributes(mac=ZERO, spoofchk=True))
    (finding,) = found(make_host(bare(2, link=link), config=for_flavors(num_vfs=2)))
    assert finding.evidence.endswith("for VF 0, 1; spoof checking is on, and has no address to compare with")


@pytest.mark.parametrize(
    ("pf", "rule"),
    [
        pytest.param(bare(), {"physical_network": "physnet1"}, id="nova sets that of the port"),
        pytest.param(bare(), {"alias": ""}, id="no VM gets them through nova"),
        pytest.param(bare(), {"vf": (STABLE,)}, id="to be set, or refused, which has its own words"),
        pytest.param(bare(driver="ena"), {}, id="a driver that cannot set one"),
        pytest.param(bare(driver="new_nic"), {}, id="a driver that is not known"),
        pytest.param(bare(link=PfLink(2)), {}, id="the kernel does not tell"),
        pytest.param(bare(link=linked(*[VfAttributes(mac=MAC)] * 4)), {}, id="all have one"),
        pytest.param(make_pf(num_vfs=4), {}, id="not read"),
        pytest.param(bare(0), {"num_vfs": 0}, id="no VFs"),
    ],
)
def test_other_vfs_need_no_address(pf: PfFacts, rule: RuleValues) -> None:
    assert not found(make_host(pf, config=for_flavors(**rule), machine_id="x"))


def test_links_are_read_only_where_an_address_may_be_missing() -> None:
    def asked(pf: PfFacts, **rule: Unpack[RuleValues]) -> dict[str, str]:
        return netdevs_to_ask(make_host(pf, config=for_flavors(**rule)))

    second = (make_netdev(name="enp4s0"), make_netdev(name="enp4s0d1", ifindex=3))
    assert asked(make_pf(num_vfs=4)) == {PF: "ens1f0"}
    assert asked(make_pf(num_vfs=4, netdevs=second), match=Match(netdev="enp4s0d1")) == {PF: "enp4s0d1"}
    assert asked(make_pf(num_vfs=4, netdevs=())) == {}
    assert asked(make_pf(num_vfs=4), physical_network="physnet1") == {}
    assert asked(make_pf(num_vfs=4), mtu=9000) == {}, "asked already, in vain"
    assert asked(bare()) == {}, "known already"
    assert asked(make_pf()) == {}
    assert asked(make_pf(pci_address=PF2)) == {}, "the rule has no PF"


def test_what_doctor_has_read_counts_as_well() -> None:
    host = make_host(make_pf(num_vfs=4), config=for_flavors())
    (finding,) = found(host, NicSurvey(links={PF: linked(*[VfAttributes(mac=ZERO)] * 4)}))
    assert (finding.code, finding.place) == ("SB-W229", PF)


# -- what cannot be set --

TABLES = (
    VfTable(vfs="all", mac="stable", query_rss=True),
    VfTable(vfs="0", vlan=100, vlan_protocol=VlanProtocol.DOT1AD, min_tx_rate=100),
    VfTable(vfs="1", node_guid="00:11:22:33:44:55:66:77"),
)


def test_what_the_driver_of_the_pf_cannot_set_is_said() -> None:
    config = make_config(make_rule(vf=TABLES))
    assert found(make_host(bare(), config=config, machine_id="x")) == [
        Finding(
            "SB-E230",
            PF,
            'rule "tenant-a" sets for VFs what the driver igb cannot set',
            evidence="[[pf.vf]] number 1: query_rss: igb cannot set it for a VF; "
            "[[pf.vf]] number 2: min_tx_rate: igb has no minimum rates; "
            '[[pf.vf]] number 2: vlan_protocol: igb only sets "802.1Q"; and 1 more',
            remedy="remove it from the rule, or give PFs with igb a rule of their own: docs/drivers.md",
        )
    ]
    assert not found(make_host(bare(driver="new_nic"), config=config, machine_id="x"))
    assert not found(make_host(config=make_config(make_rule(vf=TABLES, required=False)), machine_id="x"))


@pytest.mark.parametrize("driver", ["igb", "virtio-pci", "mlx5_core", "ice", "sfc"])
@pytest.mark.parametrize(
    "table",
    [
        'mac = "02:00:00:aa:bb:00"',
        "vlan = 5",
        'vlan = 5\nvlan_protocol = "802.1ad"',
        "min_tx_rate = 0",
        "min_tx_rate = 5",
        "trust = true",
        "msix_vectors = 4",
        'port_guid = "0011223344556677"',
    ],
)
def test_check_config_and_doctor_refuse_the_same(driver: str, table: str) -> None:
    """The one where the rule names the driver, the other where the driver is found."""

    def said(match: str) -> Config:
        tail = f'num_vfs = 4\n[[pf.vf]]\nvfs = "0"\n{table}\n'
        return decode([ConfigFile("config.toml", f'[[pf]]\nname = "a"\nmatch = {{ {match} }}\n{tail}'.encode())])

    try:
        said(f'pci_address = "{PF}", driver = "{driver}"')
        is_refused = False
    except ConfigError:
        is_refused = True
    findings = found(make_host(make_pf(num_vfs=4, driver=driver), config=said(f'pci_address = "{PF}"')))
    assert [finding.code for finding in findings] == (["SB-E230"] if is_refused else [])


# -- the machine id --


def test_stable_addresses_without_a_machine_id_are_said_once() -> None:
    rules = [make_rule(name=name, match=Match(pci_address=address), vf=(STABLE,)) for name, address in NAMES.items()]
    pfs = bare(), bare(pci_address=PF2, vfs=tuple(make_vf(index=index, pf=PF2) for index in range(4)))
    config = make_config(*rules)
    assert found(make_host(*pfs, config=config)) == [
        Finding(
            "SB-E231",
            "host",
            'mac = "stable" is not set: /etc/machine-id is missing, or not a machine id',
            evidence=f"a rule asks for it on {PF}, {PF2}",
            remedy="systemd-machine-id-setup makes one",
        )
    ]
    assert not found(make_host(*pfs, config=config, machine_id="x"))
    assert not found(make_host(config=make_config(make_rule(vf=(STABLE,), required=False))))


NAMES = {"a": PF, "b": PF2}
