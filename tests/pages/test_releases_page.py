"""docs/openstack.md: its releases are those of the tables."""

import re

from sources import ROOT
from sriov_bootstrap.core.openstack_releases import FIRST_NOVA, NEWEST, OpenStackRelease, parse

ROW = re.compile(r"^\| ([\w. ]+) \| (\d+) \| (\d+) \|", re.MULTILINE)


def test_each_release_has_the_numbers_of_the_tables() -> None:
    rows = [row for row in ROW.findall((ROOT / "docs/openstack.md").read_text()) if parse(row[0])]
    assert [parse(name) for name, _, _ in rows] == [OpenStackRelease(int(nova)) for _, nova, _ in rows]
    assert [int(neutron) for _, _, neutron in rows] == [OpenStackRelease(int(nova)).neutron for _, nova, _ in rows]
    assert (int(rows[0][1]), int(rows[-1][1])) == (FIRST_NOVA, NEWEST.nova)
