"""What the neutron server's file says of ports for trusted VFs."""

import pytest

from builders import PF, make_pf, make_rule, make_wish
from sriov_bootstrap.core.config import Config, OpenStack
from sriov_bootstrap.edges.templates import read_template
from sriov_bootstrap.render.host import Ask, Host, VfLayout
from sriov_bootstrap.render.neutron import render_server
from sriov_bootstrap.render.templates import render_file


def rendered(release: str, *, trusted: bool) -> str:
    pf, rule = make_pf(num_vfs=2), make_rule(physical_network="physnet1", trusted=trusted)
    config = Config(pf=(rule,), openstack=OpenStack(release=release, mechanism_drivers=("ovn",)))
    wish = make_wish(pf=pf, physical_network="physnet1", trusted=trusted)
    (draft, *_) = render_server(Host(config, (wish,), (pf,), {PF: VfLayout("10ca", 128, 2)}), Ask()).drafts
    return render_file(draft.template, read_template(draft.template), draft.context)


@pytest.mark.parametrize(
    ("release", "has_attribute", "has_profile"),
    [("2024.1", False, True), ("2024.2", True, False), ("2026.2", True, False)],
)
def test_how_a_port_asks_for_a_trusted_vf(release: str, *, has_attribute: bool, has_profile: bool) -> None:
    text = rendered(release, trusted=True)
    assert ("# extension_drivers = ...,port_trusted\n" in text) is has_attribute
    assert ("openstack port create --trusted" in text) is has_attribute
    assert ("--binding-profile trusted=true" in text) is has_profile


@pytest.mark.parametrize("release", ["2024.1", "2024.2"])
def test_without_trusted_vfs_nothing_is_said_of_them(release: str) -> None:
    assert "trusted" not in rendered(release, trusted=False)
