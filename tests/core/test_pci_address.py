import pytest

from builders import PF
from sriov_bootstrap.core.pci_address import domain, normalize, parse


@pytest.mark.parametrize(
    ("text", "full"),
    [
        (PF, PF),
        ("0000:3B:1F.7", "0000:3b:1f.7"),
        ("3b:00.0", PF),
        ("10000:3b:00.0", "10000:3b:00.0"),
        ("", ""),
        ("ens1f0", ""),
        ("3b:00", ""),
        ("000:3b:00.0", ""),
        ("0000:3b:20.0", ""),  # a bus has 32 devices
        ("0000:3b:00.8", ""),
        ("0000:3b:00.*", ""),
        (" 0000:3b:00.0", ""),
        ("0000:3b:00.0\n", ""),
        ("0000:3b:00.0/../x", ""),
    ],
)
def test_an_address_has_one_full_spelling(text: str, full: str) -> None:
    assert normalize(text) == full


def test_an_address_is_four_numbers() -> None:
    assert parse("0001:3b:1f.7") == (1, 0x3B, 0x1F, 7)
    assert parse("virtual") is None


@pytest.mark.parametrize(
    ("text", "number"), [("0000:3b:00.0", 0), ("10000:e1:00.0", 0x10000), ("7fffffff:e1:00.0", 0x7FFFFFFF), ("x", 0)]
)
def test_the_domain_of_an_address(text: str, number: int) -> None:
    assert domain(text) == number
