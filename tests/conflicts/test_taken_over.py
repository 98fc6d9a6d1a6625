"""What the lines of a PF set for its VFs, as [[pf.vf]] tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_rule
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.conflicts.taken_over import MAX_VFS, Tables, tables_of
from sriov_bootstrap.core.config import Match, VfBinding
from sriov_bootstrap.core.validate import vf_problems
from sriov_bootstrap.core.vf_attributes import LinkState, VfTable, combine_tables

MAC = "02:00:00:00:00:01"
RULE = make_rule(name="pf0", match=Match(driver="ice"), num_vfs=4, vf_binding=VfBinding.AUTO)


def line(*vfs: VfTable, path: str = "/a", is_certain: bool = True) -> Master:
    return Master(Format.NETWORK_MANAGER, path, 1, "", is_certain=is_certain, vfs=vfs)


@pytest.mark.parametrize(
    ("masters", "tables"),
    [
        pytest.param([], Tables(), id="nothing"),
        pytest.param([line()], Tables(), id="a number alone"),
        pytest.param(
            [line(*(VfTable(vfs=str(vf), trust=vf != 2, vlan=5) for vf in range(4)))],
            Tables((VfTable(vfs="0-1,3", trust=True, vlan=5), VfTable(vfs="2", trust=False, vlan=5))),
            id="alike",
        ),
        pytest.param(
            [line(VfTable(vfs="0", trust=True, mac=MAC), VfTable(vfs="1", trust=True), VfTable(vfs="2", vlan=5))],
            Tables((VfTable(vfs="0-1", trust=True), VfTable(vfs="2", vlan=5), VfTable(vfs="0", mac=MAC))),
            id="alike but for the address",
        ),
        pytest.param(
            [line(*(VfTable(vfs=str(vf), driver="vfio-pci", vlan=5) for vf in range(2)), VfTable(vfs="2", vlan=5))],
            Tables((VfTable(vfs="0-1", driver="vfio-pci", vlan=5), VfTable(vfs="2", vlan=5))),
            id="drivers",
        ),
        pytest.param(
            [line(VfTable(vfs="3", mac=MAC, link_state=LinkState.AUTO))],
            Tables((VfTable(vfs="3", mac=MAC, link_state=LinkState.AUTO),)),
            id="one VF",
        ),
        pytest.param(
            [line(VfTable(vfs="0", mac=MAC), VfTable(vfs="1", mac="02:00:00:00:00:02"))],
            Tables((VfTable(vfs="0", mac=MAC), VfTable(vfs="1", mac="02:00:00:00:00:02"))),
            id="addresses",
        ),
        pytest.param(
            [line(VfTable(vfs="0", vlan=5)), line(VfTable(vfs="0", trust=True, vlan=5), path="/b")],
            Tables((VfTable(vfs="0", vlan=5, trust=True),)),
            id="two lines, of one mind",
        ),
        pytest.param(
            [line(VfTable(vfs="0-2", vlan=5, trust=True)), line(VfTable(vfs="0-1", vlan=6), path="/b")],
            Tables(
                (VfTable(vfs="0-1", trust=True), VfTable(vfs="2", vlan=5, trust=True)),
                notes=("VF 0-1: /a:1 and /b:1 disagree on vlan",),
            ),
            id="two lines that disagree",
        ),
        pytest.param(
            [line(VfTable(vfs="0", vlan=5)), line(VfTable(vfs="0", vlan=6), path="/b")],
            Tables(notes=("VF 0: /a:1 and /b:1 disagree on vlan",)),
            id="two lines that disagree on all",
        ),
        pytest.param(
            [line(VfTable(vfs="0", vlan=5)), line(VfTable(vfs="0", vlan=6), is_certain=False)],
            Tables((VfTable(vfs="0", vlan=5),), (VfTable(vfs="0", vlan=6),)),
            id="one that may not act",
        ),
        pytest.param(
            [line(VfTable(vfs="0", vlan=4095, trust=True, query_rss=True), VfTable(vfs="1", vlan=4095))],
            Tables(
                (VfTable(vfs="0", trust=True),),
                notes=(
                    "VF 0-1: not taken over: vlan: 4095 is not between 0 and 4094 (0 is no VLAN)",
                    "VF 0: not taken over: query_rss: ice cannot set it for a VF",
                ),
            ),
            id="not valid",
        ),
        pytest.param(
            [line(VfTable(vfs="0", vlan_qos=3, spoofchk=True))],
            Tables(
                (VfTable(vfs="0", spoofchk=True),),
                notes=("VF 0: not taken over: vlan_qos: VF 0 has no vlan: set it as well, or remove vlan_qos",),
            ),
            id="QoS without a VLAN",
        ),
        pytest.param(
            [line(VfTable(vfs="1-2", mac=MAC))],
            Tables((VfTable(vfs="1", mac=MAC),), notes=(f"VF 2: not taken over: mac: {MAC} is that of VF 1 of pf0",)),
            id="one address for two",
        ),
        pytest.param(
            [line(VfTable(vfs="0", mac="02:00:00:00:00:09"))],
            Tables(notes=("VF 0: not taken over: mac: 02:00:00:00:00:09 is that of VF 7 of pf1",)),
            id="an address of another rule",
        ),
        pytest.param(
            [line(VfTable(vfs="3-5", trust=True))],
            Tables((VfTable(vfs="3", trust=True),), notes=("VF 4-5: not taken over: there are to be 4 VFs",)),
            id="beyond the last",
        ),
    ],
)
def test_tables(masters: list[Master], tables: Tables) -> None:
    assert tables_of(masters, RULE, {"02:00:00:00:00:09": "VF 7 of pf1"}) == tables


def test_addresses_of_a_rule_are_remembered_if_they_are_in_it() -> None:
    macs: dict[str, str] = {}
    tables_of([line(VfTable(vfs="1", mac=MAC)), line(VfTable(vfs="2", mac="02::"), is_certain=False)], RULE, macs)
    tables_of([line(VfTable(vfs="2", mac="02:00:00:00:00:02"), is_certain=False)], RULE, macs)
    assert macs == {MAC: "VF 1 of pf0"}


@pytest.mark.parametrize("num_vfs", ["max", 2000])
def test_there_is_an_end_to_it(num_vfs: int | str) -> None:
    rule = make_rule(num_vfs=num_vfs)
    found = tables_of([line(VfTable(vfs="0-1999", trust=True))], rule, {})
    assert found == Tables(
        (VfTable(vfs=f"0-{MAX_VFS - 1}", trust=True),), notes=(f"VFs from number {MAX_VFS} on are left out here",)
    )


VFS = st.builds(
    VfTable,
    vfs=st.integers(0, 5).map(str),
    mac=st.sampled_from([None, MAC, "02:00:00:00:00:02", "01:00:00:00:00:01", "00:00:00:00:00:00"]),
    vlan=st.sampled_from([None, 0, 5, 4095]),
    vlan_qos=st.sampled_from([None, 0, 3]),
    min_tx_rate=st.sampled_from([None, 0, 5]),
    max_tx_rate=st.sampled_from([None, 0, 3]),
    trust=st.sampled_from([None, True]),
    query_rss=st.sampled_from([None, True]),
)
LINES = st.builds(
    lambda tables, is_certain: line(*tables, is_certain=is_certain), st.lists(VFS, max_size=6), st.booleans()
)


@given(
    st.lists(LINES, max_size=3), st.sampled_from(["ice", "igb", "ixgbe", "", "idpf"]), st.sampled_from([0, 1, 4, "max"])
)
def test_a_rule_with_such_tables_is_valid_and_says_nothing_that_no_line_says(
    masters: list[Master], driver: str, num_vfs: int | str
) -> None:
    rule = make_rule(match=Match(driver=driver or "*"), num_vfs=num_vfs, vf_binding=VfBinding.AUTO)
    found = tables_of(masters, rule, {})
    for tables, is_certain in ((found.sure, True), (found.unsure, False)):
        assert vf_problems(make_rule(match=rule.match, num_vfs=num_vfs, vf_binding=VfBinding.AUTO, vf=tables)) == []
        every = [combine_tables(master.vfs, 6) for master in masters if master.is_certain is is_certain]
        for vf, wish in combine_tables(tables, 6).items():
            for key, value in wish.said.items():
                assert value in {getattr(said[vf], key) for said in every if vf in said}
