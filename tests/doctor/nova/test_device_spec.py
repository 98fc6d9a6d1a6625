import json
import re

import pytest

from builders import PF, PF2, vf_address
from sriov_bootstrap.core.openstack_releases import NEWEST, OpenStackRelease
from sriov_bootstrap.doctor.nova import pci_address
from sriov_bootstrap.doctor.nova.device_spec import (
    DeviceSpec,
    PciDevice,
    SpecContext,
    SpecProblem,
    parse_boolean,
    parse_specs,
)
from sriov_bootstrap.doctor.nova.pci_address import device_fields

NEWTON, OCATA, YOGA = OpenStackRelease(14), OpenStackRelease(15), OpenStackRelease(25)
VF = vf_address(PF, 1)
HERE = SpecContext(frozenset({PF, PF2}), {"ens1f0": PF, "ens1f1": PF2, "ens1f0v1": VF, "eth0": "virtio0"})
DEVICES = {
    "pf": PciDevice(PF, "8086", "10c9", "type-PF"),
    "vf": PciDevice(VF, "8086", "10ca", "type-VF", PF),
    "pf2": PciDevice(PF2, "8086", "10c9", "type-PF"),
    "vf2": PciDevice(vf_address(PF2, 2), "8086", "10ca", "type-VF", PF2, "SN1"),
    "disk": PciDevice("0001:00:1f.2", "8086", "a102"),
}


def parse(text: str, release: OpenStackRelease = NEWEST) -> DeviceSpec:
    specs = parse_specs(text, release)
    assert isinstance(specs, tuple)
    (spec,) = specs
    return spec


def matched(text: str, release: OpenStackRelease = NEWEST) -> str:
    spec = parse(text, release)
    return " ".join(name for name, device in DEVICES.items() if spec.matches(device, HERE))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{}", "pf vf pf2 vf2 disk"),
        ('{"devnam": "ens1f0"}', "pf vf pf2 vf2 disk"),
        ('{"vendor_id": "8086 ", "product_id": "0x10CA"}', "vf vf2"),
        ('{"product_id": "*"}', "pf vf pf2 vf2 disk"),
        (f'{{"address": "{PF}"}}', "pf vf"),
        (f'{{"address": "{PF}", "product_id": "10ca"}}', "vf"),
        (f'{{"address": "{VF}"}}', "vf"),
        ('{"address": "3b:0.0"}', "pf"),
        ('{"address": "*:3b:*.*"}', "pf vf pf2 vf2"),
        ('{"address": ":02."}', "vf vf2"),
        ('{"address": ".1"}', "vf pf2"),
        ('{"address": "-1:3b:00.0"}', ""),
        ('{"address": {"bus": "3", "slot": "0[0-1]"}}', "pf pf2"),
        ('{"address": {"domain": "0001"}}', "disk"),
        ('{"address": {"bus": "3B"}}', ""),
        ('{"address": {"domain": "0000", "bus": "3b", "slot": "00", "function": "0"}}', "pf vf"),
        ('{"address": {"bus": "[[3]b"}}', "pf vf pf2 vf2"),
        ('{"devname": "ens1f0"}', "pf vf"),
        ('{"devname": "ens1f0", "product_id": "10ca"}', "vf"),
        ('{"devname": "ens1f0v1"}', "vf"),
        ('{"devname": "ens9"}', ""),
        ('{"devname": "eth0"}', ""),
        ('{"devname": "", "address": ".2"}', "vf2 disk"),
        ('{"product_id": "10ca", "remote_managed": "yes"}', "vf2"),
        ('{"product_id": "10ca", "vendor_id": " * "}', "vf vf2"),
    ],
)
def test_what_a_spec_names(text: str, names: str) -> None:
    assert matched(text) == names


@pytest.mark.parametrize(("release", "names"), [(NEWTON, "vf"), (OCATA, "pf vf")])
def test_in_newton_a_pf_stands_for_its_vfs_alone(release: OpenStackRelease, names: str) -> None:
    assert matched(f'{{"address": "{PF}"}}', release) == names
    assert matched('{"devname": "ens1f0"}', release) == names


def test_a_tag_counts_since_its_release() -> None:
    assert matched('{"product_id": "10ca", "remote_managed": "yes"}', OpenStackRelease(24)) == "vf vf2"


@pytest.mark.parametrize(
    ("greatest", "fields", "above", "reason"),
    [
        ("ffff:0:0.0", ("ffff", "00", "00", "0"), "10000:0:0.0", "domain 10000 is above ffff"),
        ("0:ff:0.0", ("0000", "ff", "00", "0"), "0:100:0.0", "bus 100 is above ff"),
        ("0:0:1f.0", ("0000", "00", "1f", "0"), "0:0:20.0", "slot 20 is above 1f"),
        ("0:0:0.7", ("0000", "00", "00", "7"), "0:0:0.8", "function 8 is above 7"),
    ],
)
def test_each_field_of_an_address_has_its_greatest_value(
    greatest: str, fields: tuple[str, ...], above: str, reason: str
) -> None:
    assert device_fields(greatest) == fields
    assert device_fields(above) is None
    assert parse_specs(json.dumps({"address": above}), NEWEST) == SpecProblem(reason)


def test_a_device_that_nova_passes_over_is_never_named() -> None:
    assert not parse("{}").matches(PciDevice("10000:01:00.0"), HERE)
    assert not parse("{}").matches(PciDevice("virtio0"), HERE)
    assert device_fields("0:3B:0.0") == ("0000", "3b", "00", "0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"address": "3b:00.0}', "Unterminated string starting at"),
        ("{'address': 1}", "Expecting property name enclosed in double quotes"),
        ("", "Expecting value"),
        ("5", "it must be a JSON object, or a list of them"),
        ("[5]", "5 in the list must be an object"),
        ("[" * 200000, "it is nested too deeply"),
        ('{"devname": "a", "address": "b"}', "devname and address are mutually exclusive"),
        ('{"vendor_id": 8086}', "vendor_id must be a string of hexadecimal digits, but is 8086"),
        ('{"product_id": null}', "product_id must be a string of hexadecimal digits, but is null"),
        ('{"product_id": " * "}', 'product_id " * " is not'),
        ('{"vendor_id": "10000"}', "vendor_id 10000 is above ffff"),
        ('{"address": 5}', f"address must be a string, or an object since {OCATA}, but is 5"),
        ('{"address": "1:2:3:4.5"}', 'address "1:2:3:4.5" has more parts than domain, bus and slot'),
        ('{"address": "3*:00.0"}', 'bus "3*" is not a hexadecimal number: "*" must stand for a whole field'),
        ('{"address": "3b:20.0"}', "slot 20 is above 1f"),
        ('{"address": {"bus": 5}}', "bus in address must be a string with a regular expression"),
        (
            '{"address": {"bus": "("}}',
            'bus "(" in address is not a regular expression: missing ), unterminated subpattern',
        ),
        ('{"managed": "ja"}', 'managed must be "yes" or "no", but is "ja"'),
    ],
)
def test_what_nova_refuses(text: str, reason: str) -> None:
    problem = parse_specs(text, NEWEST)
    assert isinstance(problem, SpecProblem)
    assert problem.reason.startswith(reason)


def test_a_place_in_json_is_told() -> None:
    assert parse_specs('{"address":\n "3b:00.0}', NEWEST) == SpecProblem("Unterminated string starting at", 2, 2)


def test_what_older_releases_do_not_know() -> None:
    assert isinstance(parse_specs('{"address": {"bus": "3b"}}', NEWTON), SpecProblem)
    assert parse('{"managed": "ja", "trusted": "true"}', YOGA).unknown == ("managed",)
    assert parse('{"trusted": "true"}', OCATA).unknown == ("trusted",)
    assert parse('{"adress": "", "address": {"func": "1"}}').unknown == ("adress", "address.func")


@pytest.mark.parametrize(
    ("spec", "refusal"),
    [
        ({"devname": "ens1f0"}, ""),
        ({"devname": "eth0"}, "devname eth0 does not belong to a PCI device, but to virtio0"),
        ({"one_time_use": "yes"}, "one_time_use needs report_in_placement = true"),
        ({"remote_managed": "yes", "devname": "ens9"}, "remote_managed needs its device: there is no netdev ens9"),
        ({"remote_managed": "yes", "address": PF}, "remote_managed does not go with the address or devname of a PF"),
        ({"remote_managed": "yes", "address": VF}, ""),
    ],
)
def test_what_nova_refuses_on_this_host(spec: dict[str, str], refusal: str) -> None:
    assert parse(json.dumps(spec)).refusal(HERE) == refusal


@pytest.mark.parametrize(
    ("text", "everything"),
    [("{}", True), ('{"address": {"bus": ".*"}}', True), ('{"address": "3b:*.*"}', False), ('{"devname": "a"}', False)],
)
def test_a_spec_that_names_everything(text: str, everything: bool) -> None:  # noqa: FBT001
    assert parse(text).is_everything is everything


@pytest.mark.parametrize("selector", ["vendor_id", "product_id", "address", "devname"])
def test_what_selects_devices_is_no_tag(selector: str) -> None:
    assert parse(json.dumps({selector: "0", "trusted": "true"})).tags == {"trusted": "true"}


def test_booleans_are_oslos() -> None:
    assert [parse_boolean(one) for one in (True, "No", 1, None, "x")] == [True, False, True, None, None]
    assert {parse_boolean(word) for word in ("1", "t", "true", "on", "y", "yes")} == {True}
    assert {parse_boolean(word) for word in ("0", "f", "false", "off", "n", "no")} == {False}


# -- regular expressions that take time --

PLAIN = [
    ".*",
    "0[a-c]",
    "[^0]b",
    "(0a|3b|3c)",
    "[0-9a-f]{2}",
    "(?:00|01|0[2-9])",
    "3b$",
    "(?i:3B)",
    "(?=3).b",
    "(?>3)b",
    ".*3.*",
]
COSTLY = {
    "a repeat in a repeat": "(?:[0-9]+)+",
    "alternatives in a repeat": "(?:00|1)*",
    "a repeat in a look-ahead in a repeat": "(?:(?=0+)0)*",
    "a group that comes again": "(0)\\1",
    "a group that decides": "(0)?(?(1)b|c)",
    "many repeats": "0*" * 4,
    "many choices": "(?:0|1a)" * 9,
    "choices of nothing": "(|)" * 9,
    "a repeat that asks for many": "(?:){99}",
    "a long one": "0" * 257,
}


def spec_of(pattern: str) -> DeviceSpec:
    return parse(json.dumps({"address": {"bus": pattern}}))


@pytest.mark.parametrize("pattern", PLAIN)
def test_what_anybody_writes_for_an_address_is_followed(pattern: str) -> None:
    place = spec_of(pattern).place
    assert place
    assert not place.is_too_much
    assert spec_of(pattern).matches(DEVICES["vf"], HERE) == bool(re.match(pattern, "3b"))


@pytest.mark.parametrize("pattern", COSTLY.values(), ids=COSTLY)
def test_what_may_take_for_ever_is_neither_compiled_nor_matched(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    refused = re.compile(".*")
    monkeypatch.setattr(pci_address, "compile_pattern", lambda text: refused if text == ".*" else pytest.fail(text))
    spec = spec_of(pattern)
    assert spec.place
    assert spec.place.is_too_much
    assert not spec.matches(DEVICES["vf"], HERE)
