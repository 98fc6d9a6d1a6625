import re

import pytest

from sriov_bootstrap.core.config import Distribution
from sriov_bootstrap.core.packagings import (
    KNOWN_CONSUMERS,
    NEUTRON_SERVER,
    NOVA_COMPUTE,
    NOVA_SCHEDULER,
    PACKAGINGS,
    SRIOV_AGENT,
    Packaging,
    packaging_named,
    recognize,
)

SERVICES = {NOVA_COMPUTE, NOVA_SCHEDULER, SRIOV_AGENT, NEUTRON_SERVER}


def test_each_word_of_the_config_is_one_packaging() -> None:
    words = [one.name for one in PACKAGINGS if one.name]
    assert sorted(words) == sorted({*Distribution} - {Distribution.AUTO})


@pytest.mark.parametrize("word", sorted({*Distribution} - {Distribution.AUTO}))
def test_render_knows_a_place_or_a_way_for_each_service(word: str) -> None:
    services = packaging_named(word).services
    assert services.keys() == SERVICES
    assert all(bool(one.folder) is not bool(one.instead) for one in services.values())


@pytest.mark.parametrize("packaging", PACKAGINGS, ids=lambda packaging: packaging.title)
def test_a_packaging_has_services_that_are_known(packaging: Packaging) -> None:
    assert NOVA_COMPUTE in packaging.services
    assert packaging.services.keys() <= SERVICES
    units = [unit for service in packaging.services.values() for unit in service.units]
    assert len(set(units)) == len(units)
    assert all(unit.endswith(".service") for unit in units)
    assert set(packaging.consumers) <= set(KNOWN_CONSUMERS)


@pytest.mark.parametrize("packaging", PACKAGINGS, ids=lambda packaging: packaging.title)
def test_a_service_reads_a_folder_of_conf_d_and_is_started_with_its_files(packaging: Packaging) -> None:
    for service in packaging.services.values():
        assert not service.folder or re.fullmatch(r"/etc/(nova|neutron)/.*conf\.d.*", service.folder)
        assert not service.command or service.command[0].startswith("/usr/bin/")
        assert all(word.startswith("--config-file=/etc/") for word in service.command[1:])


@pytest.mark.parametrize(
    ("paths", "os_ids", "word"),
    [
        ([], [], "other"),
        ([], ["arch"], "other"),
        (["/etc/kolla"], ["ubuntu", "debian"], "kolla"),
        (["/etc/nova"], ["ubuntu", "debian"], "ubuntu"),
        ([], ["debian"], "debian"),
        ([], ["rocky", "rhel", "centos", "fedora"], "rdo"),
    ],
)
def test_a_path_counts_more_than_the_distribution(paths: list[str], os_ids: list[str], word: str) -> None:
    assert recognize(frozenset(paths), os_ids).name == word
