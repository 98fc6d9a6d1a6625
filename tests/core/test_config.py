"""The nouns of the config, and which units are told by default."""

from typing import Any

import pytest

from builders import make_rule
from sriov_bootstrap.core.config import Config, Match, Method, PfRule, RenderKeys
from sriov_bootstrap.core.packagings import KNOWN_CONSUMERS


@pytest.mark.parametrize(
    ("match", "text"),
    [
        (Match(netdev="ens1f0", driver="igb"), "netdev ens1f0, driver igb"),
        (Match(pci_address="0000:3b:00.0"), "pci_address 0000:3b:00.0"),
        (Match(), ""),
    ],
)
def test_a_match_is_shown_as_it_was_asked(match: Match, text: str) -> None:
    assert str(match) == text


@pytest.mark.parametrize(
    ("method", "uses"), [(Method.AUTO, False), (Method.SRIOV_NUMVFS, False), (Method.MAX_VFS, True)]
)
def test_auto_means_sriov_numvfs(method: Method, *, uses: bool) -> None:
    assert make_rule(method=method).uses_max_vfs is uses


def test_no_config_has_nothing_to_do_and_knows_every_consumer() -> None:
    assert Config().pf == ()
    assert Config().services.restart == KNOWN_CONSUMERS


SET: dict[str, Any] = {
    "tunnels": True,
    "exclude_vfs": (1,),
    "trusted": True,
    "live_migratable": True,
    "alias": "a",
    "resource_class": "CUSTOM_VF",
    "traits": ("CUSTOM_FAST",),
    "bandwidth_kbps": 1000,
    "vf_id": "8086:154c",
}


def test_no_key_for_render_alone_leaves_the_table() -> None:
    """A key of a rule is one that a pass acts on, or one of these."""
    acted_on = (
        "name match num_vfs physical_network vf_driver vf_binding method reload_driver when_in_use pf_up required"
        " mtu promisc vf eswitch devlink_params"
    )
    assert set(RenderKeys.__struct_fields__) == set(SET)
    in_no_list = {*PfRule.__struct_fields__} - {*acted_on.split(), *SET}
    assert in_no_list == set(), "add it to acted_on if a pass acts on it; if not, it belongs in RenderKeys and SET"
    assert {*acted_on.split(), *SET} == {*PfRule.__struct_fields__}


@pytest.mark.parametrize("key", sorted(SET))
def test_each_of_them_asks_something_of_openstack(key: str) -> None:
    assert not make_rule().asks_openstack
    assert make_rule(**{key: SET[key]}).asks_openstack
