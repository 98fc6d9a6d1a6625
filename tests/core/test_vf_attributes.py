"""What the PF sets for a VF: as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import NEW_VF
from sriov_bootstrap.core.vf_attributes import (
    REQUESTS,
    STABLE,
    LinkState,
    Request,
    VfAttributes,
    VfTable,
    VlanProtocol,
    combine_tables,
    difference,
    differences_text,
    fingerprint,
    highest_of,
    numbers_of,
    stable_mac,
)

MAC = "02:00:00:aa:bb:00"
NOTHING = VfAttributes()
DOT1Q = VlanProtocol.DOT1Q
GUIDS = st.sampled_from(["00:11:22:33:44:55:66:77", "00:11:22:33:44:55:66:78"])
RATES = st.integers(0, 4)
ANY = {
    "mac": st.sampled_from([MAC, "02:00:00:aa:bb:01"]),
    "vlan": st.integers(0, 3),
    "vlan_qos": st.integers(0, 2),
    "vlan_protocol": st.sampled_from(VlanProtocol),
    "min_tx_rate": RATES,
    "max_tx_rate": RATES,
    "trust": st.booleans(),
    "spoofchk": st.booleans(),
    "link_state": st.sampled_from(LinkState),
    "query_rss": st.booleans(),
    "node_guid": GUIDS,
    "port_guid": GUIDS,
    "msix_vectors": st.integers(1, 3),
}
ATTRIBUTES = st.builds(lambda said: VfAttributes(**said), st.fixed_dictionaries({}, optional=ANY))
NUMBERS = st.sampled_from(["all", "0", "1-2", "0,2-3", "3", "9"])
TABLE = st.builds(lambda vfs, said: VfTable(vfs=vfs, **said.said), NUMBERS, ATTRIBUTES)


def is_valid(wish: VfAttributes) -> bool:
    """As far as a config is checked, and this matters here: a tag needs a VLAN."""
    if wish.vlan is None:
        return wish.vlan_qos is None and wish.vlan_protocol is None
    return bool(wish.vlan) or not (wish.vlan_qos or wish.vlan_protocol is VlanProtocol.DOT1AD)


WISH = ATTRIBUTES.filter(is_valid)


def told(attributes: VfAttributes) -> VfAttributes:
    """What the kernel tells of a VF for which this was set."""
    return replace(attributes, msix_vectors=None)


def after(actual: VfAttributes, asked: VfAttributes) -> VfAttributes:
    """What the kernel then has."""
    return replace(actual, **asked.said)


def test_what_is_as_usual_is_only_told_if_it_is_asked_for() -> None:
    assert NEW_VF.worth_telling(VfAttributes()) == VfAttributes()
    assert NEW_VF.worth_telling(VfAttributes(vlan=7, trust=True)) == VfAttributes(vlan=0, trust=False)
    assert VfAttributes(spoofchk=False, vlan=0, mac="02:00:00:00:00:01").worth_telling(VfAttributes()) == VfAttributes(
        spoofchk=False, mac="02:00:00:00:00:01"
    )


def test_each_attribute_is_set_by_one_request() -> None:
    assert sorted(name for names in REQUESTS.values() for name in names) == sorted(VfAttributes.__struct_fields__)
    assert set(ANY) == set(VfAttributes.__struct_fields__)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("all", [0, 1, 2, 3]),
        ("0", [0]),
        ("0-2", [0, 1, 2]),
        ("3,0-1", [0, 1, 3]),
        ("0-1,1-2", [0, 1, 2]),
        (" 0 - 1 , 3 ", [0, 1, 3]),
        ("2-9", [2, 3]),
        ("4", []),
        ("00003", [3]),
    ],
)
def test_a_table_names_vfs_by_numbers_and_ranges(text: str, numbers: list[int]) -> None:
    assert sorted(numbers_of(text, 4)) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "0,",
        "-1",
        "1-",
        "-",
        "3-1",
        "0-1-2",
        "a",
        "0x1",
        "1.0",
        "+1",
        "ALL",
        "all,0",
        "²",
        "٣",
        "000001",
        "0 1",
    ],
)
def test_what_names_no_vfs_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"^.{0,6}$"):
        numbers_of(text, 4)
    with pytest.raises(ValueError, match=r"^.{0,6}$"):
        highest_of(text)


@pytest.mark.parametrize(("text", "highest"), [("all", -1), ("0", 0), ("7,0-3", 7), ("0-99999", 99999)])
def test_the_highest_number_that_a_table_names(text: str, highest: int) -> None:
    assert highest_of(text) == highest


def test_later_tables_override_earlier_ones_key_by_key() -> None:
    tables = [
        VfTable(vfs="all", mac=STABLE, trust=True),
        VfTable(vfs="1-2", vlan=100, trust=False),
        VfTable(vfs="2", vlan=0),
    ]
    assert combine_tables(tables, 3) == {
        0: VfAttributes(mac=STABLE, trust=True),
        1: VfAttributes(mac=STABLE, trust=False, vlan=100),
        2: VfAttributes(mac=STABLE, trust=False, vlan=0),
    }


@pytest.mark.parametrize("tables", [[], [VfTable(vfs="all")], [VfTable(vfs="4", vlan=1)]])
def test_a_vf_of_which_nothing_is_said_is_not_there(tables: list[VfTable]) -> None:
    assert combine_tables(tables, 4) == {}


@given(st.lists(TABLE, max_size=5), st.integers(0, 5))
def test_each_key_is_what_the_last_table_says_of_it(tables: list[VfTable], num_vfs: int) -> None:
    found = combine_tables(tables, num_vfs)
    assert list(found) == sorted(found)
    for vf in range(num_vfs):
        said = found.get(vf, NOTHING)
        for key in VfAttributes.__struct_fields__:
            values = [getattr(table, key) for table in tables if vf in numbers_of(table.vfs, num_vfs)]
            assert getattr(said, key) == next((value for value in reversed(values) if value is not None), None)


@given(st.lists(TABLE, max_size=4), st.lists(TABLE, max_size=4))
def test_tables_merge_in_two_steps_as_in_one(first: list[VfTable], then: list[VfTable]) -> None:
    both = combine_tables(first + then, 4)
    for vf, wish in combine_tables(then, 4).items():
        assert both[vf] == after(combine_tables(first, 4).get(vf, NOTHING), wish)


def test_a_stable_address_is_one_that_an_interface_can_have() -> None:
    """And does not change with an upgrade."""
    machine_id = "0123456789abcdef0123456789abcdef"
    assert stable_mac(machine_id, "0000:3b:00.0", 0) == "72:d7:f5:be:14:ea"
    macs = {stable_mac(machine_id, pf, vf) for pf in ("0000:3b:00.0", "0000:3b:00.1") for vf in range(256)}
    macs |= {stable_mac("f" * 32, "0000:3b:00.0", vf) for vf in range(256)}
    assert len(macs) == 3 * 256
    assert {int(mac[:2], 16) & 3 for mac in macs} == {2}, "locally administered, unicast"


@pytest.mark.parametrize(
    ("wish", "actual", "asked"),
    [
        pytest.param(VfAttributes(mac=MAC), VfAttributes(mac=MAC), NOTHING, id="equal"),
        pytest.param(VfAttributes(mac=MAC), VfAttributes(mac="00:00:00:00:00:00"), VfAttributes(mac=MAC), id="other"),
        pytest.param(VfAttributes(trust=False), NOTHING, VfAttributes(trust=False), id="not told"),
        pytest.param(VfAttributes(trust=False), None, VfAttributes(trust=False), id="nothing told"),
        pytest.param(NOTHING, VfAttributes(mac=MAC), NOTHING, id="left alone"),
        pytest.param(
            VfAttributes(vlan=100),
            VfAttributes(vlan=0, vlan_qos=0, vlan_protocol=DOT1Q),
            VfAttributes(vlan=100, vlan_qos=0, vlan_protocol=DOT1Q),
            id="a VLAN with its tag",
        ),
        pytest.param(
            VfAttributes(vlan=100),
            VfAttributes(vlan=7, vlan_qos=3, vlan_protocol=VlanProtocol.DOT1AD),
            VfAttributes(vlan=100, vlan_qos=3, vlan_protocol=VlanProtocol.DOT1AD),
            id="another VLAN in the tag that is there",
        ),
        pytest.param(
            VfAttributes(vlan=0),
            VfAttributes(vlan=7, vlan_qos=3, vlan_protocol=VlanProtocol.DOT1AD),
            VfAttributes(vlan=0, vlan_qos=0, vlan_protocol=DOT1Q),
            id="no VLAN has no tag",
        ),
        pytest.param(
            VfAttributes(max_tx_rate=100),
            VfAttributes(min_tx_rate=10, max_tx_rate=0),
            VfAttributes(min_tx_rate=10, max_tx_rate=100),
            id="one rate with the other",
        ),
        pytest.param(
            VfAttributes(min_tx_rate=10), None, VfAttributes(min_tx_rate=10, max_tx_rate=0), id="rates not told"
        ),
        pytest.param(
            VfAttributes(trust=True, mac=MAC),
            VfAttributes(trust=True, mac="02:00:00:00:00:01"),
            VfAttributes(mac=MAC),
            id="a trusted VF before it got its address",
        ),
        pytest.param(VfAttributes(msix_vectors=8), NOTHING, VfAttributes(msix_vectors=8), id="vectors"),
    ],
)
def test_what_is_to_be_set(wish: VfAttributes, actual: VfAttributes | None, asked: VfAttributes) -> None:
    assert difference(wish, actual, is_given=False) == asked


@pytest.mark.parametrize(
    ("wish", "actual", "asked"),
    [
        pytest.param(VfAttributes(msix_vectors=8), NOTHING, NOTHING, id="vectors are not told"),
        pytest.param(VfAttributes(trust=True), None, NOTHING, id="nothing told"),
        pytest.param(VfAttributes(spoofchk=True), VfAttributes(spoofchk=False), VfAttributes(spoofchk=True), id="told"),
        pytest.param(
            VfAttributes(trust=True, mac=MAC), VfAttributes(mac="02:00:00:00:00:01", trust=True), NOTHING, id="trusted"
        ),
        pytest.param(
            VfAttributes(trust=True, mac=MAC), VfAttributes(mac="02:00:00:00:00:01"), NOTHING, id="trust is not told"
        ),
        pytest.param(
            VfAttributes(mac=MAC), VfAttributes(mac="02:00:00:00:00:01", trust=True), NOTHING, id="trusted by another"
        ),
        pytest.param(
            VfAttributes(mac=MAC),
            VfAttributes(mac="02:00:00:00:00:01", trust=False),
            VfAttributes(mac=MAC),
            id="not trusted",
        ),
        pytest.param(
            VfAttributes(mac=MAC, trust=False),
            VfAttributes(mac="02:00:00:00:00:01", trust=True),
            VfAttributes(mac=MAC, trust=False),
            id="not to be trusted",
        ),
        pytest.param(
            VfAttributes(vlan=7, vlan_protocol=DOT1Q),
            VfAttributes(vlan=7),
            NOTHING,
            id="half told, and the rest was given",
        ),
    ],
)
def test_what_was_given_and_is_not_told_counts_as_set(
    wish: VfAttributes, actual: VfAttributes | None, asked: VfAttributes
) -> None:
    assert difference(wish, actual, is_given=True) == asked


@given(WISH, st.booleans())
def test_equal_means_that_nothing_is_set(wish: VfAttributes, is_given: bool) -> None:  # noqa: FBT001 - hypothesis
    assert difference(told(wish), told(wish), is_given=is_given) == NOTHING


@given(WISH, ATTRIBUTES, st.booleans())
def test_what_is_set_leaves_nothing_to_set(wish: VfAttributes, actual: VfAttributes, is_given: bool) -> None:  # noqa: FBT001 - hypothesis
    before = told(actual)
    asked = difference(wish, before, is_given=is_given)
    assert difference(wish, told(after(before, asked)), is_given=True) == NOTHING


@given(WISH, ATTRIBUTES, st.booleans())
def test_nothing_is_set_but_what_a_request_needs(wish: VfAttributes, actual: VfAttributes, is_given: bool) -> None:  # noqa: FBT001 - hypothesis
    asked = difference(wish, actual, is_given=is_given)
    assert set(asked.requests) <= set(wish.requests)
    for name, value in asked.said.items():
        assert getattr(wish, name) in {None, value}
    for request in asked.requests:
        assert difference(asked.only(request), actual, is_given=False) != NOTHING


@given(ATTRIBUTES)
def test_the_parts_of_the_requests_are_the_whole(attributes: VfAttributes) -> None:
    parts = [attributes.only(request) for request in attributes.requests]
    assert {name: value for part in parts for name, value in part.said.items()} == attributes.said
    left = attributes
    for request in attributes.requests:
        left = left.without(request)
    assert left == NOTHING


@pytest.mark.parametrize(
    ("attributes", "requests"),
    [
        (NOTHING, ()),
        (VfAttributes(trust=False, msix_vectors=8, mac=MAC), ("msix", "mac", "trust")),
        (VfAttributes(vlan_qos=0), ("vlan",)),
        (VfAttributes(max_tx_rate=0), ("rate",)),
    ],
)
def test_requests_are_in_the_order_of_the_kernel(attributes: VfAttributes, requests: tuple[Request, ...]) -> None:
    assert attributes.requests == requests


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        (NOTHING, ""),
        (VfAttributes(mac=MAC, vlan=100, trust=True), f"mac {MAC}, vlan 100, trust on"),
        (VfAttributes(spoofchk=False, link_state=LinkState.AUTO), "spoofchk off, link_state auto"),
    ],
)
def test_attributes_are_shown_to_people(attributes: VfAttributes, text: str) -> None:
    assert str(attributes) == text


@pytest.mark.parametrize(
    ("actual", "text"),
    [
        (VfAttributes(vlan=0, trust=True), "vlan 0, not 100"),
        (VfAttributes(trust=False), "vlan unknown, not 100, trust off, not on"),
        (None, "vlan unknown, not 100, trust unknown, not on"),
        (VfAttributes(vlan=100, trust=True), ""),
    ],
)
def test_what_differs_is_shown_to_people(actual: VfAttributes | None, text: str) -> None:
    assert differences_text(VfAttributes(vlan=100, trust=True), actual) == text


def test_a_table_is_its_numbers_and_its_attributes() -> None:
    table = VfTable(vfs="0-3", vlan=100)
    assert (table.vfs, table.attributes) == ("0-3", VfAttributes(vlan=100))
    assert type(table.attributes) is VfAttributes


def test_a_fingerprint_is_another_one_for_other_attributes_or_another_driver() -> None:
    every = [(VfAttributes(vlan=1), "igbvf"), (VfAttributes(vlan=2), "igbvf"), (VfAttributes(vlan=1), ""), (None, "")]
    assert len({fingerprint(actual, driver) for actual, driver in every}) == len(every)
    assert fingerprint(VfAttributes(vlan=1), "igbvf") == fingerprint(VfAttributes(vlan=1), "igbvf")
