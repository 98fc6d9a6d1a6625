import pytest
from hypothesis import strategies as st

from fuzzing import fuzzed, spoilt
from sriov_bootstrap.formats.ini import Entry, IniFile, IniProblem, parse_ini

GOOD = b"""# a comment
; another
[DEFAULT]
debug = true
[pci]
device_spec = {"address": "0000:3b:00.0"}
device_spec: '{"a": "b"}'
traits = a,
  b,
\tc

alias =
[SRIOV_NIC]
physical_device_mappings=physnet2:ens1f0
"""


def entries(text: str) -> list[tuple[str, str, str, int]]:
    file = parse_ini("/f", text)
    assert file.problems == ()
    return [(one.section, one.option, one.value, one.line) for one in file.entries]


def test_a_file_as_oslo_config_reads_it() -> None:
    assert entries(GOOD.decode()) == [
        ("DEFAULT", "debug", "true", 4),
        ("pci", "device_spec", '{"address": "0000:3b:00.0"}', 6),
        ("pci", "device_spec", '{"a": "b"}', 7),
        ("pci", "traits", "a,\nb,\nc", 8),
        ("pci", "alias", "", 12),
        ("SRIOV_NIC", "physical_device_mappings", "physnet2:ens1f0", 14),
    ]
    assert entries(GOOD.decode().replace("\n", "\r\n")) == entries(GOOD.decode())


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("a = b # c", "b # c"),
        ("a : b = c", "b = c"),
        ("a = b : c", "b : c"),
        ("a = \"b'", "\"b'"),
        ("a = '", ""),
        ('a = "b"', "b"),
        ("a = $b", "$b"),
        ("a =\n  #b", "\n#b"),
    ],
)
def test_a_value(line: str, value: str) -> None:
    assert entries(f"[s]\n{line}\n") == [("s", "a", value, 2)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[s]\na", IniProblem(2, 'contains neither "=" nor ":"')),
        ("[s]\n = a", IniProblem(2, "is indented, but there is no value to continue")),
        ("[s]\n=a", IniProblem(2, "an option without a name")),
        ("[]", IniProblem(1, "a section without a name")),
        ("[s] # c", IniProblem(1, "a section must end with ] and nothing after it")),
        ("a = b\n[s]", IniProblem(1, "an option before the first [section]")),
        ("[s]\n# \ufffd", IniProblem(2, "bytes that are not UTF-8")),
        ("[s]\n" + "x" * 999, IniProblem(2, 'contains neither "=" nor ":"')),
    ],
)
def test_what_ends_the_service_is_a_problem(text: str, problem: IniProblem) -> None:
    assert parse_ini("/f", text).problems == (problem,)


def test_what_follows_a_problem_is_read_all_the_same() -> None:
    assert parse_ini("/f", "[pci # x\na = b\n").entries == (Entry("pci", "a", "b", 2, "/f"),)


def test_sections_but_one_are_compared_without_regard_to_capital_letters() -> None:
    file = parse_ini("/f", "[PCI]\na = 1\n[pci]\na = 2\n[default]\na = 3\n[DEFAULT]\na = 4\n")
    assert [one.value for one in file.values("pci", "a")] == ["1", "2"]
    assert [one.value for one in file.values("DEFAULT", "a")] == ["4"]
    assert [one.value for one in file.values("default", "a")] == ["3"]
    assert file.entries[0].place == "/f:2"
    assert file.entries[0].text == "a = 1"


@fuzzed(data=spoilt(GOOD) | st.binary(max_size=200))
def test_any_bytes_are_entries_and_problems(data: bytes) -> None:
    assert isinstance(parse_ini("/f", data.decode(errors="replace")), IniFile)


@fuzzed(text=st.text(max_size=200))
def test_any_text_is_entries_and_problems(text: str) -> None:
    assert isinstance(parse_ini("/f", text), IniFile)


@pytest.mark.parametrize(
    ("value", "has_reference", "resolved"),
    [
        ("physnet2:ens1f0", False, "physnet2:ens1f0"),
        ("net$$2:ens1f0", False, "net$2:ens1f0"),
        ("$bindir/x", True, "$bindir/x"),
        ("a$$$b", True, "a$$b"),
        ("${bindir}/x", True, "${bindir}/x"),
        (r"net\$2", False, "net$2"),
        (r"a\$b", False, "a$b"),
        ('{"address": {"slot": "0[0-3]$"}}', False, '{"address": {"slot": "0[0-3]$"}}'),
        ("${", False, "${"),
        ("5$", False, "5$"),
    ],
)
def test_a_dollar_is_a_reference_before_a_name_alone(value: str, *, has_reference: bool, resolved: str) -> None:
    entry = Entry("s", "o", value, 1, "/x")
    assert (entry.has_reference, entry.resolved) == (has_reference, resolved)
