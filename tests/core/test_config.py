"""The nouns of the config, and which units are told by default."""

import pytest

from builders import make_rule
from sriov_bootstrap.core.config import Config, Match, Method
from sriov_bootstrap.core.consumers import KNOWN_CONSUMERS


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


def test_a_consumer_is_a_service_and_named_once() -> None:
    assert all(name.endswith(".service") for name in KNOWN_CONSUMERS)
    assert len(set(KNOWN_CONSUMERS)) == len(KNOWN_CONSUMERS)
