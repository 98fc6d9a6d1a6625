"""What a whole host in tests/commands/test_doctor_nova.py does not show."""

import pytest

from builders import PF, make_config, make_netdev, make_pf, make_rule, make_vf, make_wish
from sriov_bootstrap.core.config import Config, Match, OpenStack
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.nova import view as nova_view
from sriov_bootstrap.doctor.nova.checks import check_nova
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.formats.ini import parse_ini
from sriov_bootstrap.render.host import Host

CONF = "/etc/nova/nova.conf"


def found_in(text: str, pf: PfFacts, release: str = "") -> list[tuple[str, str]]:
    """Codes and problems."""
    return [(one.code, one.problem) for one in findings_in(text, pf, release)]


def findings_in(text: str, pf: PfFacts, release: str = "", others: tuple[DesiredPf, ...] = ()) -> list[Finding]:
    """With one rule for one PF of which the kernel says no ids of VFs, and what `others` ask for."""
    wish = make_wish(pf=pf, physical_network="physnet2")
    config = make_config(make_rule(physical_network="physnet2"), openstack=OpenStack(release=release))
    host = Host(config, wishes=(wish, *others), pfs=(pf,))
    compute = Service(
        "nova-compute",
        "nova-compute.service",
        is_installed=True,
        argv=("nova-compute",),
        files=(parse_ini(CONF, text),),
    )
    return list(check_nova(host, OpenStackSurvey(compute), print))


def spec(text: str) -> str:
    return f"[pci]\ndevice_spec = {text}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'{{"address": "{PF}", "product_id": "154c", "physical_network": "physnet2"}}', []),
        ('{"product_id": "154c", "physical_network": "physnet2"}', []),
        ('{"devname": "ens1f0", "product_id": "154c", "physical_network": "physnet2"}', []),
        ('{"address": "0000:af:*.*", "product_id": "154c", "physical_network": "physnet2"}', ["SB-W410"]),
        ('{"address": "0000:3b:02.0", "product_id": "154c", "physical_network": "physnet2"}', []),
        ('{"address": "0000:3b:02.0", "physical_network": "other"}', ["SB-E406"]),
        ("[]", []),
    ],
)
def test_of_vfs_whose_ids_are_not_known_only_what_is_sure_is_said(text: str, found: list[str]) -> None:
    assert [code for code, _ in found_in(spec(text), make_pf(num_vfs=4))] == found


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ('"address": "0000:af:00.0"', []),
        ('"devname": "ens7"', []),
        ('"address": "0000:af:*.*"', ["SB-W410"]),
        ('"address": {"bus": "af"}', ["SB-W410"]),
    ],
)
def test_a_spec_for_one_device_may_be_for_the_pf_that_a_rule_waits_for(place: str, found: list[str]) -> None:
    text = spec(f'{{{place}, "product_id": "154c", "physical_network": "x"}}')
    waiting = DesiredPf(make_rule(name="b", match=Match(pci_address="0000:af:00.0")))
    assert [
        one.code for one in findings_in(text, make_pf(num_vfs=4), others=(waiting,)) if one.code == "SB-W410"
    ] == found


@pytest.mark.parametrize("text", ["", spec('{"product_id": "154c", "physical_network": "physnet2"}')])
def test_nova_never_gives_out_what_is_above_domain_ffff(text: str) -> None:
    found = findings_in(text, make_pf(pci_address="10000:e1:00.0", num_vfs=4))
    assert [one for one in found if one.code == "SB-E411"] == [
        Finding(
            "SB-E411",
            "10000:e1:00.0",
            'nova never gives out a VF of rule "tenant-a" (10000:e1:00.0): '
            "nova skips devices in PCI domains above ffff, as those behind a VMD controller",
            evidence="its domain is 10000; nova logs that it skips them, with debug = true",
            remedy="disable VMD for that slot in the firmware setup, "
            "or take physical_network and alias out of the rule",
        )
    ]


def test_a_spec_above_domain_ffff_is_not_to_be_rendered_again() -> None:
    pf = make_pf(num_vfs=4)
    text = spec('{"address": "10000:e1:00.0", "physical_network": "physnet2"}')
    remedies = [one.remedy for one in findings_in(text, pf) if one.code == "SB-E401"]
    assert remedies[0].startswith(f"remove that spec from {CONF}:2: nova has no devices in such a domain")
    assert "render" not in remedies[0]
    (other,) = findings_in(spec('{"product_id": "10000", "physical_network": "physnet2"}'), pf)
    assert (other.code, "such a domain" in other.remedy) == ("SB-E401", False)


@pytest.mark.parametrize(
    ("key", "release", "codes"),
    [
        ("numa_policy", "ocata", ["SB-E417"]),
        ("numa_policy", "queens", []),
        ("resource_class", "zed", ["SB-E417"]),
        ("resource_class", "antelope", []),
        ("live_migratable", "dalmatian", ["SB-E417"]),
        ("live_migratable", "epoxy", []),
    ],
)
def test_a_key_of_an_alias_counts_since_its_release(key: str, release: str, codes: list[str]) -> None:
    text = f'[pci]\nalias = {{"name": "a", "{key}": "x"}}\n'
    found = [code for code, _ in found_in(text, make_pf(num_vfs=4), release)]
    assert [code for code in found if code == "SB-E417"] == codes


def test_the_ids_of_vfs_are_also_in_their_modalias() -> None:
    vfs = tuple(make_vf(index=index, modalias="pci:v00008086d000010CAsv") for index in range(4))
    text = f'{{"address": "{PF}", "product_id": "10ca", "physical_network": "physnet2"}}'
    assert found_in(spec(text), make_pf(vfs=vfs)) == []
    assert [code for code, _ in found_in(spec("[]"), make_pf(vfs=vfs))] == ["SB-E411"]


def test_a_devname_that_is_an_altname() -> None:
    pf = make_pf(netdevs=(make_netdev(name="ens1f0np0", altnames=("enp59s0f0",)),))
    (found,) = found_in(spec('{"devname": "enp59s0f0", "physical_network": "physnet2"}'), pf)
    assert found == (
        "SB-W410",
        (
            'no PF or VF has the netdev "enp59s0f0": '
            f"it is an altname of ens1f0np0 ({PF}), and nova does not accept altnames"
        ),
    )


@pytest.mark.parametrize(("total_vfs", "codes"), [(1, ["SB-E401"]), (0, [])])
def test_what_offers_no_vfs_is_no_pf_to_nova(total_vfs: int, codes: list[str]) -> None:
    text = spec(f'{{"address": "{PF}", "remote_managed": "true"}}')
    assert [code for code, _ in found_in(text, make_pf(total_vfs=total_vfs))] == codes


def test_a_pf_whose_vfs_are_not_known_is_named_without_their_id() -> None:
    (found,) = found_in(spec(f'{{"address": "{PF}", "physical_network": "physnet2"}}'), make_pf())
    assert found == ("SB-W405", f"it matches PF {PF} itself: a VM that gets it takes all its VFs away")


REGEX = '{{"address": {{"bus": "{}"}}, "product_id": "10ca", "physical_network": "physnet2"}}'
VFS = tuple(make_vf(index=index, modalias="pci:v00008086d000010CAsv") for index in range(4))
NETWORK = "physnet2"


def looked(text: str, pfs: tuple[PfFacts, ...]) -> tuple[list[str], list[str]]:
    """Codes, and what was not seen."""
    notes: list[str] = []
    wishes = tuple(make_wish(pf=pf, physical_network=NETWORK) for pf in pfs)
    host = Host(Config(pf=(make_rule(physical_network=NETWORK),)), wishes=wishes, pfs=pfs)
    files = (parse_ini(CONF, text),)
    compute = Service("nova-compute", "nova-compute.service", is_installed=True, argv=("nova-compute",), files=files)
    return [one.code for one in check_nova(host, OpenStackSurvey(compute), notes.append)], notes


def test_an_address_that_takes_too_much_is_named_and_nothing_is_claimed_of_what_comes_after() -> None:
    text = spec(REGEX.format("(?:3+)+b")) + spec(f'{{"address": "{PF}", "product_id": "10ca"}}')[6:]
    unseen = f"{CONF}:2: a regular expression is too complex to follow: which devices it matches is not known"
    assert looked(text, (make_pf(vfs=VFS),)) == ([], [unseen])
    assert looked(text.replace("(?:3+)+b", "4b"), (make_pf(vfs=VFS),)) == (["SB-W410", "SB-E406"], [])


def test_devices_are_looked_at_within_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nova_view, "LOOKS", 12)
    lines = [f'device_spec = {{"address": {{"bus": "{number}"}}, "product_id": "1"}}\n' for number in range(9)]
    unseen = f"{CONF}:4: too much to follow from here on: which devices it matches is not known"
    assert looked("[pci]\n" + "".join(lines), (make_pf(vfs=VFS),)) == ([], [unseen])
    assert looked("[pci]\n" + lines[0] * 3, (make_pf(vfs=VFS),)) == (["SB-E411"], [])


def test_what_may_fit_is_looked_for_within_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    text = spec('{"address": "0000:af:*.*", "product_id": "154c", "physical_network": "physnet2"}')
    assert looked(text, (make_pf(num_vfs=4),)) == (["SB-W410"], [])
    monkeypatch.setattr("sriov_bootstrap.doctor.nova.specs.LOOKS", 1)
    assert looked(text, (make_pf(num_vfs=4),)) == ([], [])


def test_why_a_spec_comes_first_is_looked_for_within_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    text = spec('{"address": "0000:3b:02.0", "physical_network": "other"}')
    text += spec('{"address": "0000:3b:02.0", "physical_network": "physnet2"}')[6:]
    (problem,) = [problem for code, problem in found_in(text, make_pf(num_vfs=4)) if code == "SB-E406"]
    assert f"{CONF}:3 has" in problem
    monkeypatch.setattr("sriov_bootstrap.doctor.nova.rules.LOOKS", 0)
    (problem,) = [problem for code, problem in found_in(text, make_pf(num_vfs=4)) if code == "SB-E406"]
    assert f"{CONF}:3 has" not in problem
