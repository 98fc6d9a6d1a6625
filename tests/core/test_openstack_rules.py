"""What of [openstack] and the rules goes together."""

from typing import Unpack

import pytest
from msgspec.structs import replace

from builders import RuleValues, make_config, make_rule
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.core.config import Distribution, OpenStack, PfRule, SpecStyle
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.core.openstack_rules import Conflict, conflicts

EPOXY = "2025.1 epoxy (nova 31, neutron 26)"
VICTORIA = "victoria (nova 22, neutron 17)"
TRAIN = "train (nova 20, neutron 15)"
NEWEST = "2026.2 hibiscus (nova 34, neutron 29)"
GONE = f"it was removed in {VICTORIA}, but release is {NEWEST}"


def network(**values: Unpack[RuleValues]) -> PfRule:
    """A rule with a network."""
    return replace(make_rule(**values), physical_network="physnet2")


def flavor(**values: Unpack[RuleValues]) -> PfRule:
    """A rule with an alias."""
    return replace(make_rule(**values), alias="vf")


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        (OpenStack(), []),
        (
            OpenStack(release="mitaka"),
            ['release: "mitaka" is not known: use newton to 2026.2 hibiscus, or nova\'s number, 14 to 34'],
        ),
        (
            OpenStack(release="train", report_in_placement=True),
            [f"report_in_placement requires zed (nova 26, neutron 21) or later, but release is {TRAIN}"],
        ),
        (OpenStack(release="zed", report_in_placement=True), []),
        (
            OpenStack(spec_style=SpecStyle.DEVNAME, report_in_placement=True),
            ['report_in_placement: nova does not start with it if spec_style = "devname": use "pf_address"'],
        ),
        (OpenStack(release="train", scheduler_filters=("NUMATopologyFilter", "RetryFilter")), []),
        (
            OpenStack(scheduler_filters=("RetryFilter", "")),
            [
                f"scheduler_filters: RetryFilter stops nova-scheduler: {GONE}",
                'scheduler_filters: "" is not the name of a filter',
            ],
        ),
        (OpenStack(mechanism_drivers=("openvswitch", "a,b")), ['mechanism_drivers: "a,b" is not the name of a driver']),
        (
            OpenStack(flat_networks=("*", "physnet1", "a:b")),
            ['flat_networks: "a:b" must be a name of letters, digits, "_", "-", "."'],
        ),
        (OpenStack(network_vlan_ranges=("physnet1", "physnet2:1:4094")), []),
        *(
            (
                OpenStack(network_vlan_ranges=(text,)),
                [f'network_vlan_ranges: "{text}" must be NETWORK or NETWORK:FIRST:LAST, with VLANs from 1 to 4094'],
            )
            for text in ("", "physnet1:1", "physnet1:0:9", "physnet1:9:8", "physnet1:1:4095", "a$b", "a:1:2:3")
        ),
    ],
)
def test_a_table_is_judged(table: OpenStack, problems: list[str]) -> None:
    assert conflicts(make_config(openstack=table)) == [Conflict("", text) for text in problems]


PLACEMENT = OpenStack(report_in_placement=True)


@pytest.mark.parametrize(
    ("rule", "table", "problems"),
    [
        (make_rule(), OpenStack(), []),
        (network(trusted=True, live_migratable=True, bandwidth_kbps=1, exclude_vfs=(0, 3)), OpenStack(), []),
        (
            network(trusted=True, live_migratable=True, bandwidth_kbps=1),
            OpenStack(release="queens"),
            [
                "trusted requires rocky (nova 18, neutron 13) or later, but release is queens (nova 17, neutron 12)",
                (
                    "bandwidth_kbps requires stein (nova 19, neutron 14) or later, "
                    "but release is queens (nova 17, neutron 12)"
                ),
                f"live_migratable requires {EPOXY} or later, but release is queens (nova 17, neutron 12)",
            ],
        ),
        (flavor(resource_class="VF", traits=("FAST",)), PLACEMENT, []),
        (
            flavor(resource_class="VF"),
            OpenStack(),
            ["resource_class and traits need report_in_placement = true in [openstack]"],
        ),
        (
            network(traits=("FAST",)),
            PLACEMENT,
            ["nova ignores resource_class and traits for VFs with a physical_network"],
        ),
        (
            network(alias="vf"),
            OpenStack(),
            ["alias and physical_network are mutually exclusive: flavors would take VFs away from the network"],
        ),
        (
            make_rule(trusted=True, live_migratable=True, exclude_vfs=(1,)),
            OpenStack(),
            [
                "trusted needs a physical_network",
                "live_migratable needs an alias, or a physical_network",
                "exclude_vfs needs an alias, or a physical_network",
            ],
        ),
        (
            network(exclude_vfs=(1,)),
            OpenStack(spec_style=SpecStyle.VENDOR_PRODUCT),
            ['exclude_vfs does not work with spec_style = "vendor_product", which matches every VF of the chip'],
        ),
        (
            network(exclude_vfs=(-1, 3, 4)),
            OpenStack(),
            ["exclude_vfs: there is no VF -1", "exclude_vfs: there is no VF 4 among 4, which count from 0"],
        ),
        (network(num_vfs="max", exclude_vfs=(4,)), OpenStack(), []),
        (
            network(bandwidth_kbps=-1),
            OpenStack(),
            ["bandwidth_kbps: -1 is not between 0 and 2147483647 kbit/s"],
        ),
        (
            network(vf_id="8086"),
            OpenStack(),
            ['vf_id: "8086" must be vendor and device of the VFs, like 8086:10ca'],
        ),
        (make_rule(alias="a b"), OpenStack(), ['alias: "a b" must be letters, digits, "_", "-"']),
        (
            flavor(traits=("", "a,b")),
            PLACEMENT,
            [f'traits: "{t}" must be letters, digits, "_", "-"' for t in ("", "a,b")],
        ),
    ],
)
def test_a_rule_is_judged(rule: PfRule, table: OpenStack, problems: list[str]) -> None:
    assert conflicts(make_config(rule, openstack=table)) == [Conflict("tenant-a", text) for text in problems]


def test_a_conflict_names_the_file_that_says_it() -> None:
    text = '[[pf]]\nname = "a"\nmatch = { netdev = "x" }\nnum_vfs = 1\nvf_id = "8086:10CA"\ntrusted = true\n'
    table = '[openstack]\nrelease = 2025.1\nreport_in_placement = true\nspec_style = "devname"\n'
    with pytest.raises(ConfigError) as caught:
        decode([ConfigFile("/a", text.encode()), ConfigFile("/b", table.encode())])
    refused = 'nova does not start with it if spec_style = "devname": use "pf_address"'
    assert caught.value.problems == (
        f"/b: [openstack]: report_in_placement: {refused}",
        '/a: [[pf]] "a": trusted needs a physical_network',
    )
    assert caught.value.hint == "correct the file, then run: sriov-bootstrap check-config"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            'spec_style = "x"',
            "spec_style: invalid enum value 'x': valid here: pf_address, devname, vendor_product, vf_address",
        ),
        (
            'distribution = "x"',
            f"distribution: invalid enum value 'x': valid here: {', '.join(Distribution)}",
        ),
        ("release = true", "release: expected int | float | str, got bool"),
    ],
)
def test_a_word_that_is_none_is_named_with_the_valid_ones(line: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode([ConfigFile("/b", f"[openstack]\n{line}\n".encode())])
    assert caught.value.problems == (f"/b: [openstack]: {problem}",)
