"""TOML texts -> one Config, or every mistake in them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import PF2, make_config, make_rule
from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.core.config import Boot, Config, IncompleteRule, Match, Metrics, Services, Switch, VfBinding
from sriov_bootstrap.core.decode import MAX_FILE_BYTES, ConfigFile, decode, decode_without_bad_tables, effective
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.vf_attributes import VfTable

RULE = '[[pf]]\nname = "tenant-a"\nmatch = { pci_address = "3b:00.0" }\nnum_vfs = 4\n'
MAIN = ConfigFile("/etc/c.toml", RULE.encode())
VALUES = st.sampled_from(
    [
        "true",
        "3.0",
        "-1",
        "0x" + "f" * 5000,
        "1" * 5000,
        "nan",
        "[]",
        "{}",
        '""',
        '"max"',
        "2020-01-01",
        "[[1]]",
        "07:32",
    ]
)
LINES = st.sampled_from(
    [
        "[[pf]]",
        "[pf]",
        "[[pf.vf]]",
        'vfs = "0-3"',
        "[services]",
        "[metrics]",
        "[boot]",
        "[pf.match]",
        'name = "a"',
        'match = { driver = "igb" }',
    ]
)
KEYS = st.sampled_from(
    [
        "name",
        "match",
        "num_vfs",
        "restart",
        "settle_seconds",
        "listen",
        "textfile",
        "vf_driver",
        "mtu",
        "vf",
        "vfs",
        "vlan",
        "mac",
        "trust",
        "x",
    ]
)
TOML = st.lists(LINES | st.builds("{} = {}".format, KEYS, VALUES), max_size=6).map(
    lambda lines: "\n".join(lines).encode()
)


def drop_in(path: str, text: str = "x", *, problem: str = "") -> ConfigFile:
    """A drop-in."""
    return ConfigFile(path, text.encode(), is_drop_in=True, problem=problem)


@pytest.mark.parametrize(
    ("files", "paths"),
    [
        ([], []),
        ([drop_in("/usr/b.toml"), MAIN, drop_in("/etc/a.toml")], ["/etc/c.toml", "/etc/a.toml", "/usr/b.toml"]),
        ([drop_in("/usr/a.toml"), drop_in("/etc/a.toml")], ["/etc/a.toml"]),
        ([drop_in("/usr/a.toml"), drop_in("/etc/a.toml", " \n")], []),
        ([drop_in("/usr/a.toml"), drop_in("/etc/a.toml", "", problem="cannot be read")], ["/etc/a.toml"]),
        ([ConfigFile("/etc/c.toml")], []),
    ],
    ids=["none", "by name over all folders", "higher replaces lower", "empty masks", "unreadable counts", "empty main"],
)
def test_the_files_that_count(files: list[ConfigFile], paths: list[str]) -> None:
    assert [file.path for file in effective(files)] == paths


def test_no_file_is_a_valid_config() -> None:
    assert decode([]) == Config()


def test_everything_that_can_be_said() -> None:
    text = """
        [[pf]]
        name = "b"
        match = { mac = "3C:FD:FE:AA:BB:00", driver = "i*", serial_number = "3C-FD-*" }
        num_vfs = "50%"
        physical_network = "physnet2"
        vf_driver = "none"
        when_in_use = "replace"
        pf_up = false
        required = false
        [services]
        restart = []
        settle_seconds = 3
        [metrics]
        listen = ""
        [boot]
        wait_for_pf_seconds = 1.5
    """
    config = decode([ConfigFile("/etc/c.toml", text.encode())])
    (rule,) = config.pf
    match = Match(mac="3c:fd:fe:aa:bb:00", driver="i*", serial_number="3c-fd-*")
    assert (rule.match, rule.vf_driver) == (match, VfDriver.NONE)
    assert config.services == Services(restart=(), settle_seconds=3.0)
    assert (config.metrics, config.boot) == (Metrics(listen=""), Boot(wait_for_pf_seconds=1.5))


def test_a_drop_in_replaces_a_rule_in_its_place_and_one_key_of_a_table() -> None:
    second = RULE.replace("tenant-a", "b").replace("00.0", "00.1")
    main = ConfigFile("/etc/c.toml", f"{RULE}{second}[services]\nsettle_seconds = 1\n".encode())
    other = drop_in("/run/z.toml", f"{RULE.replace('4', '7')}[services]\nmin_interval_seconds = 9\n")
    auto = VfBinding.AUTO
    rules = make_rule(num_vfs=7, vf_binding=auto), make_rule(name="b", match=Match(pci_address=PF2), vf_binding=auto)
    assert decode([main, other]) == make_config(*rules, services=Services(settle_seconds=1.0, min_interval_seconds=9.0))


TABLE = '[[pf.vf]]\nvfs = "all"\n'
VF = '[[pf]] "tenant-a": [[pf.vf]] number 1'
WRONG = [
    ("[[pf]", "not TOML: Expected ']]' at the end of an array declaration (at line 1, column 5)"),
    ("a = 1\na = 2", "not TOML: Cannot overwrite a value (at end of document)"),
    ("pf = 1", "pf: write [[pf]], with double brackets: there may be several"),
    ("[pf]", "pf: write [[pf]], with double brackets: there may be several"),
    ("pf = [1]", "[[pf]] number 1: must be a table"),
    ("services = 1", "[services]: must be a table"),
    ("[service]", 'unknown key "service": did you mean "services"?'),
    ("zzz = 1", 'unknown key "zzz": valid here: pf, services, metrics, boot, openstack'),
    ("[boot]\nwait = 1", '[boot]: unknown key "wait": valid here: wait_for_pf_seconds'),
    ("[services]\nsettle_second = 1", '[services]: unknown key "settle_second": did you mean "settle_seconds"?'),
    ("[services]\nsettle_seconds = true", "[services]: settle_seconds: expected float, got bool"),
    ("[services]\nrestart = [1]", "[services]: restart[0]: expected str, got int"),
    ('[services]\nrestart = "a.service"', "[services]: restart: expected array, got str"),
    ("[services]\nsettle_seconds = inf", "[services]: settle_seconds: inf is not between 0 and 86400 seconds"),
    ("[[pf]]", "[[pf]] number 1: object missing required field name"),
    ('[[pf]]\nname = "a"', '[[pf]] "a": object missing required field match'),
    ("[[pf]]\nname = 1", "[[pf]] number 1: name: expected str, got int"),
    (RULE.replace("num_vfs", "numvfs"), '[[pf]] "tenant-a": unknown key "numvfs": did you mean "num_vfs"?'),
    (
        RULE.replace("pci_address", "pci_addr"),
        '[[pf]] "tenant-a": match: unknown key "pci_addr": did you mean "pci_address"?',
    ),
    (RULE.replace("{ pci_address = ", "").replace(" }", ""), '[[pf]] "tenant-a": match: expected object, got str'),
    (RULE.replace("4", "true"), '[[pf]] "tenant-a": num_vfs: expected int | str, got bool'),
    (RULE.replace("4", "4.0"), '[[pf]] "tenant-a": num_vfs: expected int | str, got float'),
    (RULE.replace("4", "-4"), '[[pf]] "tenant-a": num_vfs: -4 is negative'),
    (RULE + "pf_up = 1", '[[pf]] "tenant-a": pf_up: expected bool, got int'),
    (
        RULE + 'vf_binding = "late"',
        "[[pf]] \"tenant-a\": vf_binding: invalid enum value 'late': valid here: auto, kernel",
    ),
    (RULE + RULE, '[[pf]] "tenant-a": this name occurs twice in the file: only a drop-in may replace a rule'),
    (RULE + "mtu = 0", '[[pf]] "tenant-a": mtu: expected int >= 68'),
    (RULE + "mtu = 65536", '[[pf]] "tenant-a": mtu: expected int <= 65535'),
    (RULE + 'mtu = "9000"', '[[pf]] "tenant-a": mtu: expected int, got str'),
    (RULE + "promisc = true", '[[pf]] "tenant-a": promisc: expected str, got bool: valid here: on, off'),
    (RULE + 'promisc = "ON"', "[[pf]] \"tenant-a\": promisc: invalid enum value 'ON': valid here: on, off"),
    (RULE + "vf = 1", '[[pf]] "tenant-a": vf: write [[pf.vf]], with double brackets: there may be several'),
    (RULE + '[pf.vf]\nvfs = "0"', '[[pf]] "tenant-a": vf: write [[pf.vf]], with double brackets: there may be several'),
    (RULE + "vf = [1]", f"{VF}: must be a table"),
    (
        RULE + TABLE + 'speed = "fast"',
        f'{VF}: unknown key "speed": valid here: {", ".join(VfTable.__struct_fields__)}',
    ),
    (RULE + TABLE + "driver = true", f"{VF}: driver: expected str, got bool"),
    (RULE + TABLE + "mtu = 67", f"{VF}: mtu: expected int >= 68"),
    (RULE + TABLE + "qos = 3", f'{VF}: unknown key "qos": did you mean "vlan_qos"?'),
    (RULE + TABLE + 'promisc = "on"', f'{VF}: "promisc" is a key of [[pf]]: write it above the first [[pf.vf]]'),
    (RULE + TABLE + "pf_up = false", f'{VF}: "pf_up" is a key of [[pf]]: write it above the first [[pf.vf]]'),
    (RULE + "[[pf.vf]]\nvlan = 3", f"{VF}: object missing required field vfs"),
    (RULE + "[[pf.vf]]\nvfs = 3", f'{VF}: vfs: expected str, got int, such as "0-3,7" or "all"'),
    (RULE + TABLE + 'trust = "on"', f"{VF}: trust: expected bool, got str"),
    (RULE + TABLE + "vlan = 1.5", f"{VF}: vlan: expected int, got float"),
    (
        RULE + TABLE + 'link_state = "up"',
        f"{VF}: link_state: invalid enum value 'up': valid here: auto, enable, disable",
    ),
    (RULE + TABLE + "vlan_protocol = 8021", f"{VF}: vlan_protocol: expected str, got int: valid here: 802.1Q, 802.1ad"),
    (RULE + TABLE + "vlan = 4095", f"{VF}: vlan: 4095 is not between 0 and 4094 (0 is no VLAN)"),
    (
        f"{RULE}{TABLE}vlan = 1\n{TABLE}trust = 1",
        '[[pf]] "tenant-a": [[pf.vf]] number 2: trust: expected bool, got int',
    ),
    ("a = 07", "not TOML: Expected newline or end of document after a statement (at line 1, column 6)"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[problem[:50] for _, problem in WRONG])
def test_a_mistake_is_named_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode([ConfigFile("/etc/c.toml", text.encode())])
    assert caught.value.problems == (f"/etc/c.toml: {problem}",)
    assert caught.value.hint == "correct the file, then run: sriov-bootstrap check-config"


def test_attributes_of_vfs_and_of_the_pf() -> None:
    text = f"""{RULE}
        mtu = 9000
        promisc = "off"
        [[pf.vf]]
        vfs = "all"
        mac = "stable"
        trust = false
        [[pf.vf]]
        vfs = "0-1"
        mac = "02:00:00:AA:BB:00"
        vlan = 100
        link_state = "enable"
        vlan_protocol = "802.1Q"
        [[pf.vf]]
        vfs = "1"
        mac = "02:00:00:AA:BB:01"
    """
    (rule,) = decode([ConfigFile("/etc/c.toml", text.encode())]).pf
    assert (rule.mtu, rule.promisc) == (9000, Switch.OFF)
    first = {"mac": "02:00:00:aa:bb:00", "vlan": 100, "link_state": "enable", "vlan_protocol": "802.1Q"}
    assert [(table.vfs, table.attributes.said) for table in rule.vf] == [
        ("all", {"mac": "stable", "trust": False}),
        ("0-1", first),
        ("1", {"mac": "02:00:00:aa:bb:01"}),
    ]


@pytest.mark.parametrize("more", ["", TABLE + "vlan = 3\n"], ids=["nothing", "no address"])
def test_an_address_that_two_files_give_away_is_named_with_both(more: str) -> None:
    table = '[[pf.vf]]\nvfs = "0"\nmac = "02:00:00:AA:BB:00"\n'
    main = ConfigFile("/etc/c.toml", (RULE + more + table).encode())
    other = drop_in("/etc/d.toml", RULE.replace("tenant-a", "b").replace("00.0", "00.1") + table)
    with pytest.raises(ConfigError) as caught:
        decode([main, other])
    text = "mac: 02:00:00:aa:bb:00 would be that of VF 0 and of VF 0 of [[pf]]"
    number = 2 if more else 1
    assert caught.value.problems == (
        f'/etc/c.toml: [[pf]] "tenant-a": [[pf.vf]] number {number}: {text} "b": give it to one VF only',
        f'/etc/d.toml: [[pf]] "b": [[pf.vf]] number 1: {text} "tenant-a": give it to one VF only',
    )
    config, problems = decode_without_bad_tables([main, other])
    assert [rule.vf_problems for rule in config.pf] == [(problem,) for problem in problems]
    assert [rule.vf for rule in config.pf] == [(), ()]
    decode([main, drop_in("/etc/d.toml", RULE + table.replace("00", "10"))])  # the first rule is replaced


@pytest.mark.parametrize(
    ("line", "vf_driver", "name"),
    [
        ("", "kernel", ""),
        ('vf_driver = "kernel"', "kernel", ""),
        ('vf_driver = "none"', "none", ""),
        ('vf_driver = "vfio-pci"', "vfio-pci", "vfio-pci"),
    ],
)
def test_a_vf_driver_is_one_of_two_words_or_a_name(line: str, vf_driver: str, name: str) -> None:
    (rule,) = decode([ConfigFile("/etc/c.toml", (RULE + line).encode())]).pf
    assert (rule.vf_driver, rule.driver_names) == (vf_driver, frozenset({name} - {""}))


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (ConfigFile("/c", problem="cannot be read: Permission denied"), "/c: cannot be read: Permission denied"),
        (ConfigFile("/c", b"a = 1\n#\xff"), "/c: line 2: not UTF-8 text (byte 0xff)"),
        (
            ConfigFile("/c", b"#" * (MAX_FILE_BYTES + 1)),
            "/c: 1048577 bytes: a config file may have at most 1048576",
        ),
    ],
    ids=["unreadable", "not text", "too big"],
)
def test_what_is_no_text_is_named_too(file: ConfigFile, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode([file])
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize(
    "text", [f"a = {'1' * 5000}", f"a = {'[' * 100000}"], ids=["endless number", "endless nesting"]
)
def test_what_python_itself_refuses_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^/c: not TOML: "):
        decode([ConfigFile("/c", text.encode())])


def test_every_mistake_of_every_file_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        decode([ConfigFile("/a", b"x = 1\n[boot]\ny = 2"), MAIN, ConfigFile("/b", b"=")])
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["/a", "/a", "/b"]
    assert str(caught.value) == "; ".join(caught.value.problems)


OF_TABLES = [(text, problem) for text, problem in WRONG if "[[pf.vf]]" in problem]


@pytest.mark.parametrize(("text", "problem"), OF_TABLES, ids=[problem[:50] for _, problem in OF_TABLES])
def test_a_mistake_in_a_table_costs_its_rule_its_tables_and_no_more(text: str, problem: str) -> None:
    other = RULE.replace("tenant-a", "b").replace("00.0", "00.1") + TABLE + "vlan = 3"
    config, problems = decode_without_bad_tables(
        [ConfigFile("/etc/c.toml", text.encode()), drop_in("/etc/d.toml", other)]
    )
    assert problems == (f"/etc/c.toml: {problem}",)
    bad, good = config.pf
    assert isinstance(bad, IncompleteRule)
    assert (bad.name, bad.num_vfs, bad.match.pci_address, bad.vf) == ("tenant-a", 4, "0000:3b:00.0", ())
    assert (bad.vf_problems, good.vf_problems) == (problems, ())
    assert good == decode([drop_in("/etc/d.toml", other)]).pf[0]


def test_a_rule_with_bad_tables_that_a_drop_in_replaces_is_still_a_mistake() -> None:
    config, problems = decode_without_bad_tables(
        [ConfigFile("/etc/c.toml", (RULE + TABLE + "vlan = 4095").encode()), drop_in("/etc/d.toml", RULE)]
    )
    assert config.pf == decode([MAIN]).pf
    assert problems == (f"/etc/c.toml: {VF}: vlan: 4095 is not between 0 and 4094 (0 is no VLAN)",)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (RULE.replace("4", "-4") + TABLE, ["num_vfs: -4 is negative"]),
        (RULE + "x = 1\n" + TABLE + "vlan = 1.5", ['unknown key "x"', "[[pf.vf]] number 1: vlan: expected int"]),
        (RULE + "mtu = 0\n" + TABLE + "vlan = 1.5", ["[[pf.vf]] number 1: vlan: expected int", "mtu: expected int"]),
        (
            f'{RULE}vf_driver = "NONE"\n{TABLE}vlan = 4095',
            ['vf_driver: "NONE" is written', "[[pf.vf]] number 1: vlan: 4095 is not"],
        ),
        (
            f"{RULE}{TABLE}vlan = 1\n{RULE}{TABLE}vlan = true",
            ["[[pf.vf]] number 1: vlan: expected int", "this name occurs twice"],
        ),
    ],
    ids=["count", "key", "type", "value", "name"],
)
def test_what_else_is_wrong_refuses_the_file_and_tables_are_named_as_well(text: str, problems: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_without_bad_tables([ConfigFile("/etc/c.toml", text.encode())])
    assert len(caught.value.problems) == len(problems)
    for said, problem in zip(caught.value.problems, problems, strict=True):
        assert said.startswith(f'/etc/c.toml: [[pf]] "tenant-a": {problem}')


def test_mistakes_in_tables_of_one_file_are_named_with_those_of_another() -> None:
    with pytest.raises(ConfigError) as caught:
        decode([ConfigFile("/a", (RULE + TABLE + "vlan = 4095").encode()), ConfigFile("/b", b"=")])
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["/b", "/a"]


@given(st.binary(max_size=200) | TOML | st.builds(bytes.__add__, st.just(RULE.encode()), TOML))
def test_any_bytes_are_a_config_or_a_config_error(data: bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(decode_without_bad_tables([ConfigFile("/c", data)])[0], Config)
