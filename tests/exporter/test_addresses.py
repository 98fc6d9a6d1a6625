"""Where this host can listen, and what is said where it cannot."""

import socket
from contextlib import closing

import pytest

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.exporter.addresses import host_and_port, listener, present_addresses, refuse_if_taken

ABSENT = ("192.0.2.1", "2001:db8::1")  # of documentation: no host has them
NO_SUCH_INTERFACE = ("no interface with this name", "No such device")  # Python's own words; the kernel's, in newer ones


def test_of_several_addresses_those_that_the_host_has_count() -> None:
    assert present_addresses(("2001:db8::1", "127.0.0.1")) == ("127.0.0.1",)
    assert present_addresses(ABSENT) == ABSENT
    assert present_addresses(ABSENT[:1]) == ABSENT[:1]


@pytest.mark.parametrize(
    ("address", "reasons", "hint"),
    [
        ("2001:db8::1", ("Cannot assign requested address",), "no interface has this address"),
        ("1.2.3", ("illegal IP address string",), "metrics.listen must be ADDRESS:PORT"),
        ("fe80::1%nosuch0", NO_SUCH_INTERFACE, "metrics.listen must be"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(address: str, reasons: tuple[str, ...], hint: str) -> None:
    with pytest.raises(SriovBootstrapError) as caught:
        refuse_if_taken([host_and_port(address, 9)])
    where, _, reason = str(caught.value).partition(" on ")[2].rpartition(": ")
    assert where == host_and_port(address, 9)
    assert reason.startswith(reasons)
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_is_refused_while_it_is_taken(address: str) -> None:
    with closing(listener(address, 0)) as other:
        where = host_and_port(address, other.getsockname()[1])
        with pytest.raises(SriovBootstrapError) as caught:
            refuse_if_taken([where])
    assert str(caught.value) == f"metrics: cannot listen on {where}: Address already in use"
    assert caught.value.hint.startswith("another process has this port")
    refuse_if_taken([where])


def test_both_families_can_have_the_same_port() -> None:
    with closing(listener("0.0.0.0", 0)) as four, closing(listener("::", four.getsockname()[1])) as six:  # noqa: S104
        assert (four.family, six.family) == (socket.AF_INET, socket.AF_INET6)
