"""cloud-init's own files with a network config: what netplan gets of them."""

import pytest

from builders import make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.edges.yaml_text import parse_located

PATH = "/etc/cloud/cloud.cfg.d/99-net.cfg"
DROPPED = (
    "cloud-init only writes it to /etc/netplan/50-cloud-init.yaml, and drops it where it writes for another program"
)


def find(*texts: str, netplan: str = "") -> tuple[Master, ...]:
    sources = [
        Source(Format.CLOUD_INIT, f"{PATH}{number or ''}", text, parse_located(text.encode(), PATH))
        for number, text in enumerate(texts)
    ]
    sources += [Source(Format.NETPLAN, netplan)] if netplan else []
    return find_masters(MastersSurvey(tuple(sources)), (make_pf(),))


@pytest.mark.parametrize(
    ("value", "number"), [("8", 8), ("010", 8), ("'010'", 10), ("0x10", 16), ("1_0", 10), ("08", 8)]
)
def test_a_number_comes_to_netplan_as_pyyaml_reads_it(value: str, number: int) -> None:
    text = f"network:\n  version: 2\n  ethernets:\n    ens1f0:\n      virtual-function-count: {value}\n"
    (found,) = find(text)
    assert (found.place, found.num_vfs, found.doubt, found.is_certain) == (f"{PATH}:5", number, DROPPED, False)
    assert found.remedy == (
        f'remove "virtual-function-count" of ens1f0 from {PATH}, then: do the same in netplan\'s files, where'
        " cloud-init has written it"
    )


def test_where_it_writes_for_netplan_it_counts_when_it_writes_again() -> None:
    text = "network: {version: 2, ethernets: {ens1f0: {}, v0: {link: ens1f0}}}"
    (found,) = find(text, netplan="/etc/netplan/50-cloud-init.yaml")
    assert (found.num_vfs, found.doubt) == (1, "it counts once cloud-init writes /etc/netplan/50-cloud-init.yaml again")


def test_what_netplan_will_refuse_is_a_doubt_too() -> None:
    (found,) = find("network: {version: 2, ethernets: {ens1f0: {virtual-function-count: many}}}")
    assert found.doubt == f"{DROPPED}; netplan refuses that number, and with it all of its files"


@pytest.mark.parametrize(
    "text", ["network: {config: disabled}", "network: {version: 1, config: []}", "users: []", "- a", ""]
)
def test_files_without_vfs(text: str) -> None:
    assert not find(text)


def test_a_later_file_wins() -> None:
    texts = (f"network: {{ethernets: {{ens1f0: {{virtual-function-count: {number}}}}}}}" for number in (4, 6))
    assert [one.num_vfs for one in find(*texts)] == [6]
